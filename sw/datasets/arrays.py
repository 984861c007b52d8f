"""Arrays of the user's own: images of any type, checked, in the form of a data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spikeloom.sw.datasets.lazy import LazyImages, Mapped
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.datasets.tensors import is_tensor
from spikeloom.sw.errors import DataError
from spikeloom.sw.network.inputs import MAX_INPUT_BITS

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]

#: Ways in which the axes of images can be meant. "auto" takes the one that the shape shows.
LAYOUTS = ("auto", "NCHW", "NHWC", "NHW", "NCL", "NF")
#: Differences from a multiple of 1/255, in steps of it, that float32 and float16 make.
_NEAR = 0.07


def are_whole(array: Array) -> bool:
    """Return whether all values are whole numbers; NaN and infinities are not."""
    # Some bit patterns of NaN raise a warning.
    with np.errstate(invalid="ignore"):
        return bool(np.isfinite(array).all() and np.array_equal(array, np.rint(array)))


def as_array(values: Any, what: str) -> Array:
    """Return arrays, tensors and lists as an array; an array itself is returned as it is.

    Raises
    ------
    DataError
        If the items of a list have different shapes.
    """
    if isinstance(values, np.ndarray):
        return values
    if is_tensor(values):
        import torch

        tensor = values.detach().cpu()
        return np.asarray(tensor.float() if tensor.dtype == torch.bfloat16 else tensor)
    if isinstance(values, list | tuple) and any(map(is_tensor, values)):
        values = [as_array(x, what) for x in values]
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(
            f"{what} must be one array, but its items differ in shape ({error}): bring all of "
            f"them to one size"
        ) from None


def pixels_of(
    images: Any,
    name: str,
    bits: int | None = None,
    layout: str = "auto",
    signed: bool | None = None,
) -> tuple[Array | LazyImages, int]:
    """Return images as a data set stores them, and the bits of their pixels.

    Parameters, results and errors are those of :func:`described_pixels`.
    """
    found, bits, _ = described_pixels(images, name, bits, layout, signed)
    return found, bits


def as_pixels(images: Any, pixels: Pixels, name: str, layout: str = "auto") -> Any:
    """Return images as integers, if they are real numbers as a model sees them.

    Parameters
    ----------
    images : array, tensor or list
        Integers stay as they are.
    pixels : Pixels
    name : str
        Name of the data set, for messages.
    layout : str
        One of :data:`LAYOUTS`.

    Returns
    -------
    array of integers, shape (N, channels, height, width)

    Raises
    ------
    DataError
        If a number is beyond the range of the pixels, or the shape is unclear.
    """
    tensor = is_tensor(images)
    array = as_array(images, f"images of {name}")
    arranged = _arranged(array, name, layout, tensor)
    if array.dtype.kind != "f":
        return arranged

    import torch

    return pixels.nearest(torch.from_numpy(np.ascontiguousarray(arranged))).numpy()


def described_pixels(
    images: Any,
    name: str,
    bits: int | None = None,
    layout: str = "auto",
    signed: bool | None = None,
) -> tuple[Array | LazyImages, int, bool]:
    """Return images as a data set stores them, the bits of their pixels, and their sign.

    Parameters
    ----------
    images : array, tensor or list of integers
        See :meth:`~spikeloom.sw.datasets.Dataset.from_arrays`. A memory map stays one.
    name : str
        Name of the data set, for messages.
    bits : int, optional
        By default 1 for booleans, 8 if all pixels fit 8 bits, and otherwise 16.
    layout : str
        One of :data:`LAYOUTS`.
    signed : bool, optional
        Whether pixels can be negative; by default, whether one is.

    Returns
    -------
    images : array or LazyImages, shape (N, channels, height, width)
        uint8, or int32 if ``bits`` is more than 8 or pixels can be negative.
    bits : int
    signed : bool

    Raises
    ------
    DataError
        If images are no integers, empty, of an unclear shape or out of range.
    """
    tensor = is_tensor(images)
    array = as_array(images, f"images of {name}")
    if array.dtype.kind not in "biu":
        raise _no_integers(array, name, tensor)
    arranged = _arranged(array, name, layout, tensor)
    if array.size == 0:
        raise DataError(
            f"images of {name} are empty, of shape {array.shape}: give at least one image"
        )
    low, high = int(array.min()), int(array.max())
    signed = low < 0 if signed is None else signed
    if bits is None:
        eight = (low >= -128 and high < 128) if signed else high < 256
        bits = 1 if array.dtype.kind == "b" else 8 if eight else 16
    if not 1 <= bits <= MAX_INPUT_BITS:
        raise DataError(
            f"bits of the pixels of {name} must be from 1 to {MAX_INPUT_BITS}, not {bits}"
        )
    require_range(low, high, bits, name, signed)
    dtype = np.uint8 if bits <= 8 and not signed else np.int32
    if isinstance(array, np.memmap):
        return Mapped(arranged, dtype), bits, signed
    return np.ascontiguousarray(arranged, dtype), bits, signed


def require_range(low: int, high: int, bits: int, name: str, signed: bool = False) -> None:
    """Refuse pixels that do not fit their bits.

    Raises
    ------
    DataError
    """
    if signed:
        most = 1 << (bits - 1)
        if low >= -most and high < most:
            return
        value = low if low < -most else high
        needed = max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1
        mend = f"say bits={needed}" if needed <= MAX_INPUT_BITS else "divide them by a power of two"
        raise DataError(
            f"images of {name} hold the pixel {value}, which does not fit {bits} signed bits, "
            f"{-most} to {most - 1}: {mend}"
        )
    if low < 0:
        raise DataError(
            f"images of {name} hold the pixel {low}, but pixels are from 0 to {(1 << bits) - 1}: "
            f"say that they are signed, Pixels(bits={bits}, signed=True)"
        )
    if high >> bits:
        needed = high.bit_length()
        mend = f"say bits={needed}" if needed <= MAX_INPUT_BITS else "divide them by a power of two"
        raise DataError(
            f"images of {name} hold the pixel {high}, which does not fit {bits} bits: {mend}"
        )


def _no_integers(array: Array, name: str, tensor: bool) -> DataError:
    """Return an error that says how these images become integers."""
    found = f"images of {name} are {array.dtype}"
    if array.dtype.kind != "f" or array.size == 0:
        return DataError(f"{found} of shape {array.shape}, but must be integers")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = tuple(map(int, bad[0]))
        return DataError(
            f"images of {name} hold {array[place]} at {place}: leave out the image {place[0]}, or "
            f"find where the value comes from; pixels are integers"
        )
    low, high = float(array.min()), float(array.max())
    cast = "to(torch.uint8)" if tensor else "astype('uint8')"
    found += f" from {low:.4g} to {high:.4g}"
    if low >= 0 and high <= 1 and high > 0:
        near = float(np.abs(array * 255 - np.rint(array * 255)).max()) < _NEAR
        kind = "multiples of 1/255" if near else "no multiples of 1/255, so this rounds them"
        return DataError(
            f"{found}, but must be integers: give the pixels themselves, "
            f"(images * 255).round().{cast} (they are {kind})"
        )
    if low >= 0 and high < 1 << MAX_INPUT_BITS and are_whole(array):
        wide = cast if high < 256 else cast.replace("uint8", "int32")
        return DataError(f"{found}, all of them whole numbers: say images.{wide}")
    peak, top, kind = (max(-low, high), 127, "int8") if low < 0 else (high, 255, "uint8")
    cast = f"to(torch.{kind})" if tensor else f"astype('{kind}')"
    return DataError(
        f"{found}, but must be integers: give the pixels as they were before they were "
        f"normalised, as uint8; or say how they were, pixels=Pixels.normalised(mean, std); or, of "
        f"measured values, (images / {peak:.4g} * {top}).round().{cast}, the same for all splits"
    )


def _arranged(array: Array, name: str, layout: str, tensor: bool) -> Array:
    """Return a view of the images with the axes (N, channels, height, width)."""
    if layout not in LAYOUTS:
        raise DataError(f"no layout is called {layout!r}; there are {', '.join(LAYOUTS)}")
    turned = f"images.{'permute' if tensor else 'transpose'}(0, 3, 1, 2)"
    if layout == "auto":
        layout = _layout(array, name, turned)
    if array.ndim != len(layout):
        raise DataError(
            f"images of {name} have the shape {array.shape}, which is not {', '.join(layout)}: "
            f"leave the layout out"
        )
    if layout == "NHWC":
        return array.transpose(0, 3, 1, 2)
    if layout == "NHW":
        return array[:, None]
    if layout == "NF":
        return array[:, :, None, None]
    return array[:, :, None] if layout == "NCL" else array


def _layout(array: Array, name: str, turned: str) -> str:
    """Return the layout that a shape shows.

    Raises
    ------
    DataError
        If it shows none, or another than channels before height and width.
    """
    found = f"images of {name} have the shape {array.shape}"
    if array.ndim == 4:
        _, first, second, last = array.shape
        if last in (1, 3, 4) and first > 4 and second > 4:
            raise DataError(
                f"{found}, with the channels at the end, but channels come before height and "
                f"width: {turned}; or say layout='NCHW' if the {first} are channels"
            )
        return "NCHW"
    if array.ndim == 3:
        _, first, second = array.shape
        if first == second and first > 1:
            return "NHW"
        if first <= 16 and second >= 4 * first:
            return "NCL"
        raise DataError(
            f"{found}, which can be read in two ways: grey images are images[:, None] of shape "
            f"(N, 1, height, width), signals are images[:, :, None] of shape (N, channels, 1, "
            f"length)"
        )
    if array.ndim == 2:
        return "NF"
    if array.ndim == 5:
        raise DataError(
            f"{found}: a time axis is for event data, which from_events takes as events; "
            f"for still images, sum it up: images.sum(1)"
        )
    raise DataError(f"{found}, but must have the shape (N, channels, height, width)")
