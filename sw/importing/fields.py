"""Values in files of other toolkits, checked: arrays of numbers, shapes, pairs and paddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

import numpy as np
import numpy.typing as npt

from spikeloom.sw.errors import FileFormatError

Reals = npt.NDArray[np.float64]
#: Largest size of one axis, and of a whole shape.
MAX_SIZE = 1 << 20


def reals(value: Any, what: str) -> Reals:
    """Return ``value`` as an array of float64; infinities are kept, and NaN is refused."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8:
        raise FileFormatError(f"{what} must hold real numbers, not {array.dtype}")
    with np.errstate(invalid="ignore"):  # of NaN
        array = array.astype(np.float64)
    if array.size == 0 or np.isnan(array).any():
        found = "nothing" if array.size == 0 else "NaN"
        raise FileFormatError(f"{what} must hold real numbers, not {found}")
    array.flags.writeable = False
    return array


def finite(value: Any, what: str) -> Reals:
    """Return ``value`` as an array of float64, none of them infinite."""
    array = reals(value, what)
    if np.isinf(array).any():
        raise FileFormatError(f"{what} must be finite, not inf")
    return array


def integer(value: Any, what: str) -> int:
    """Return the one integer that ``value`` holds."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or array.size != 1:
        raise FileFormatError(f"{what} must be one integer, not {in_short(value)}")
    return int(array.reshape(())[()])


def pair(value: Any, what: str) -> tuple[int, int]:
    """Return the two integers, vertical and horizontal, that ``value`` holds; one stands for both.

    A sequence of one stands for both, too.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or array.size not in (1, 2) or array.ndim > 1:
        raise FileFormatError(f"{what} must be one or two integers, not {in_short(value)}")
    numbers = [int(number) for number in array.reshape(-1)]
    for number in numbers:
        if not 0 <= number <= MAX_SIZE:
            raise FileFormatError(f"{what} must be from 0 to {MAX_SIZE}, not {number}")
    return (numbers[0], numbers[-1])


def padding(value: Any, what: str) -> tuple[int, int] | str:
    """Return the padding of both axes, or ``"same"`` or ``"valid"``."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        if value in ("same", "valid"):
            return value
        raise FileFormatError(f"{what} must be numbers, 'same' or 'valid', not {in_short(value)}")
    return pair(value, what)


def shape(value: Any, what: str) -> tuple[int, ...] | None:
    """Return a shape, or None where the exporter did not know it."""
    if isinstance(value, Mapping):  # NIR's {"input": shape}
        value = next(iter(value.values()), None)
    if value is None:
        return None
    array = np.asarray(value)
    if array.dtype == object and all(item is None for item in array.reshape(-1)):
        return None
    if array.size == 0:
        return None
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise FileFormatError(f"{what} must be a shape, not {in_short(value)}")
    sizes = tuple(int(size) for size in array.reshape(-1))
    if len(sizes) > 8 or min(sizes) < 1 or max(sizes) > MAX_SIZE:
        raise FileFormatError(f"{what} must be a shape of sizes from 1 to {MAX_SIZE}, not {sizes}")
    return sizes


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return a mapping; anything else is no metadata, and is left out."""
    return dict(value) if isinstance(value, Mapping) else {}


def stored(convert: Callable[[Any, str], Any], **options: Any) -> Any:
    """Return a dataclass field that a file's value becomes by ``convert``, given its name."""
    return field(metadata={"convert": convert}, **options)


def in_short(value: Any) -> str:
    """Return a value as a text for messages: one line, and not too long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
