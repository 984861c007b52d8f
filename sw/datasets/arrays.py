"""Arrays of the user's own: images and labels of any type, checked, in the form of a data set."""

from __future__ import annotations

from collections.abc import Sequence
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
#: Images per class that make a label's absence from the labels look like a mistake.
_MANY = 10


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
    if low >= 0 and high < 1 << MAX_INPUT_BITS and np.array_equal(array, np.rint(array)):
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


def labels_of(
    labels: Any, count: int, classes: int | Sequence[str] | None, name: str
) -> tuple[IntArray, int, tuple[str, ...] | None]:
    """Return labels as a data set stores them, the number of classes, and their names.

    Parameters
    ----------
    labels : array, tensor or list
        Integers of any type, booleans, or texts.
    count : int
        Number of images.
    classes : int, or sequence of str, optional
        Their number, or their names; by default those that the labels show.
    name : str
        Name of the data set, for messages.

    Returns
    -------
    labels : array of int64, shape (N,)
    classes : int
    names : tuple of str, or None
        None if neither labels nor classes are texts.

    Raises
    ------
    DataError
        If labels have another shape, type, number or range.
    """
    number, names = class_names_of(classes, name)
    array = as_array(labels, f"labels of {name}")
    if array.ndim != 1:
        raise DataError(_other_shape(array, name))
    if len(array) != count:
        raise DataError(
            f"{name} has {count} images but {len(array)} labels: give one for each image"
        )
    if count == 0:
        raise DataError(f"{name} is empty: give at least one image")
    if array.dtype.kind in "USO":
        return _from_texts(array, number, names, name)
    if array.dtype.kind not in "biu":
        whole = array.dtype.kind == "f" and np.array_equal(array, np.rint(array))
        mend = "each is the number of a class, or its name"
        if whole:
            mend = "labels.astype('int64'); or say task='values' if they are real values"
        raise DataError(f"labels of {name} are {array.dtype}, but must be integers: {mend}")
    low, high = int(array.min()), int(array.max())
    if number is None:
        number = high + 1
        if low == 1 and high > 1 and len(array) >= _MANY * high:
            raise DataError(
                f"labels of {name} are from 1 to {high}, but classes are counted from 0: take "
                f"labels - 1, or say classes={high + 1} if the class 0 has no images here"
            )
    if low < 0 or high >= number:
        raise DataError(f"labels of {name} must be from 0 to {number - 1}, not {low} to {high}")
    return array.astype(np.int64), number, names


def _other_shape(array: Array, name: str) -> str:
    found = f"labels of {name} have the shape {array.shape}, but must have (N,)"
    if array.ndim == 2 and array.shape[1] == 1:
        return f"{found}: labels.ravel(); or say task='values' if they are real values"
    if array.ndim == 2 and array.dtype.kind in "biuf":
        return (
            f"{found}: if they are one-hot, labels.argmax(1); if an image can have several labels, "
            f"say task='labels', and if they are values, task='values'"
        )
    return found


def class_names_of(
    classes: int | Sequence[str] | None, name: str
) -> tuple[int | None, tuple[str, ...] | None]:
    """Return the number of classes and their names, as far as they are given."""
    if isinstance(classes, int | np.integer):
        return int(classes), None
    if classes is None:
        return None, None
    names = _names(classes, name)
    return len(names), names


def _names(classes: Sequence[str], name: str) -> tuple[str, ...]:
    names = tuple(classes)
    wrong = next((x for x in names if not isinstance(x, str) or not x), None)
    if isinstance(classes, str) or wrong is not None or len(set(names)) < len(names):
        raise DataError(
            f"classes of {name} must be their number, or a list of different names, not {classes!r}"
        )
    return tuple(str(x) for x in names)


def _from_texts(
    array: Array, number: int | None, names: tuple[str, ...] | None, name: str
) -> tuple[IntArray, int, tuple[str, ...]]:
    """Return the number of each name."""
    texts = array.tolist()
    if array.dtype.kind == "S":
        texts = [x.decode(errors="replace") for x in texts]
    for index, text in enumerate(texts):
        if not isinstance(text, str) or not text:
            raise DataError(
                f"label {index} of {name} is {text!r}, but labels must be integers or names"
            )
    if names is None:
        names = tuple(sorted(set(texts)))
        if number is not None and number != len(names):
            raise DataError(
                f"labels of {name} hold {len(names)} different names, but classes={number}: give "
                f"the list of names as classes"
            )
    numbers = {text: index for index, text in enumerate(names)}
    for index, text in enumerate(texts):
        if text not in numbers:
            raise DataError(
                f"label {index} of {name} is {text!r}, which is none of its classes "
                f"{', '.join(names)}"
            )
    return np.array([numbers[text] for text in texts], np.int64), len(names), names
