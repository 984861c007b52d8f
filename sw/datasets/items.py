"""Items of a torch data set, one image and its label each: read when asked for, and checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from spikeloom.sw.datasets.arrays import Array, IntArray, as_array, as_pixels, described_pixels
from spikeloom.sw.datasets.lazy import LazyImages
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.datasets.tensors import is_tensor
from spikeloom.sw.errors import DataError

#: Items that are looked at before any other, spread over the data set.
_PROBES = 8
#: Largest distance of a fraction from a multiple of 1/255, in steps of it.
_NEAR = 1e-3
#: Attributes in which data sets of torchvision and others keep all labels.
_LABELS = ("targets", "labels")


class Items(LazyImages):
    """The images of a data set with ``data[i] == (image, label)``, which is asked anew each time.

    Random changes that the data set makes are new ones each time, too.

    Parameters
    ----------
    data : sequence of (image, label)
        Images are PIL images, or arrays or tensors as :meth:`Dataset.from_arrays` takes them; or
        of multiples of 1/255, as torchvision's ``ToTensor`` makes them.
    name : str
        For messages.
    pixels : Pixels, optional
        As for :meth:`Dataset.from_arrays`; by default found out from some of the images.

    Attributes
    ----------
    pixels : Pixels

    Raises
    ------
    DataError
        If an item is no pair, or its image cannot be taken.
    """

    def __init__(self, data: Sequence[Any], name: str, pixels: Pixels | None = None) -> None:
        if len(data) == 0:
            raise DataError(f"{name} is empty: give at least one image")
        self.data, self.name, self._given = data, name, pixels
        probed = probes(data)
        found = [self._image(index, pixels) for index in probed.tolist()]
        if pixels is None:
            signed = any(item[2] for item in found)
            pixels = Pixels(max(item[1] for item in found), signed=signed)
        self.pixels = pixels
        narrow = pixels.bits <= 8 and not pixels.signed
        self.dtype = np.dtype(np.uint8 if narrow else np.int32)
        self.shape = (len(data), *found[0][0].shape)
        self.read(probed)

    def read(self, numbers: IntArray) -> Array:
        images = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        for place, index in enumerate(numbers.tolist()):
            image, _, _ = self._image(index, self.pixels)
            if image.shape != self.shape[1:]:
                raise DataError(
                    f"image {index} of {self.name} has the shape {image.shape}, but image 0 has "
                    f"{self.shape[1:]}: bring all images to one size, with a transform"
                )
            images[place] = image
        return images

    def _image(self, index: int, pixels: Pixels | None) -> tuple[Array, int, bool]:
        name = f"item {index} of {self.name}"
        array = image_array(pair(self.data[index], name)[0], name, self._given)[None]
        if self._given is not None:
            array = as_pixels(array, self._given, name)
        chosen = (None, "auto", None) if pixels is None else (pixels.bits, "auto", pixels.signed)
        images, bits, signed = described_pixels(array, name, *chosen)
        assert isinstance(images, np.ndarray), "only a memory map stays one"
        return images[0], bits, signed


def probes(data: Sequence[Any]) -> IntArray:
    """Return the numbers of a few items, spread over all of them."""
    return np.unique(np.linspace(0, len(data) - 1, _PROBES).astype(np.int64))


def item_labels(data: Sequence[Any], name: str) -> Any:
    """Return all labels: those that the data set keeps in a list, or else item by item."""
    if len(data) == 0:
        raise DataError(f"{name} is empty: give at least one image")
    known = known_labels(data)
    if known is not None:
        probed = probes(data)
        seen = [pair(data[i], f"item {i} of {name}")[1] for i in probed.tolist()]
        if np.array_equal(known[probed], as_array(seen, name)):
            return known
    return [pair(data[i], f"item {i} of {name}")[1] for i in range(len(data))]


def pair(item: Any, name: str) -> tuple[Any, Any]:
    """Return the image and the label of an item; more that follows them is left out.

    Raises
    ------
    DataError
        If the item is none.
    """
    if isinstance(item, tuple | list) and len(item) >= 2:
        return item[0], item[1]
    kind = f"a {type(item).__name__}"
    if isinstance(item, dict):
        kind += f" with {', '.join(map(repr, list(item)[:6]))}"
    raise DataError(
        f"{name} is {kind}, but must be (image, label): wrap the data set in one whose "
        f"__getitem__ returns such a pair"
    )


def image_array(image: Any, name: str, pixels: Pixels | None = None) -> Array:
    """Return an item's image as an array of integers, if it can be one.

    Raises
    ------
    DataError
        If it is a PIL image in an unclear mode, or of fractions that are no multiples of 1/255.
    """
    if isinstance(image, Image.Image):
        if image.mode not in ("1", "L", "RGB"):
            raise DataError(
                f"{name} is a PIL image in mode {image.mode}: convert it with a transform, to L or "
                f"RGB"
            )
        array = np.asarray(image.convert("L") if image.mode == "1" else image)
        return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    array = as_array(image, name)
    if array.ndim == 3 and array.shape[2] in (1, 3, 4) and min(array.shape[:2]) > 4:
        raise DataError(
            f"{name} has the shape {array.shape}, with the channels at the end, but channels come "
            f"before height and width: return image.transpose(2, 0, 1), or a PIL image"
        )
    return whole_pixels(array, name, pixels)


def whole_pixels(array: Array, name: str, pixels: Pixels | None = None) -> Array:
    """Return fractions from 0 to 1 that are multiples of 1/255 as pixels; others as they are.

    Fractions are left as they are, too, if it is known which ``pixels`` they stand for.

    Raises
    ------
    DataError
        If they are other fractions, as after a normalisation.
    """
    if array.dtype.kind != "f" or array.size == 0 or pixels is not None:
        return array
    steps = np.rint(array * 255)
    low, high = array.min(), array.max()
    if low >= 0 and high <= 1 and np.abs(array * 255 - steps).max() < _NEAR:
        return np.asarray(steps, np.uint8)
    raise DataError(
        f"{name} is {array.dtype} from {low:.4g} to {high:.4g}, but pixels are integers, or "
        f"multiples of 1/255 from 0 to 1: say how the data set's transform normalises, "
        f"as_dataset(data, pixels=Pixels.normalised(mean, std)), or leave Normalize out of it and "
        f"normalise inside the model"
    )


def known_labels(data: Any) -> Array | None:
    """Return all labels of a data set, if it keeps them in a list; None otherwise."""
    if getattr(data, "target_transform", None) is not None:
        return None
    for attribute in _LABELS:
        found = getattr(data, attribute, None)
        if isinstance(found, list | tuple | np.ndarray) or is_tensor(found):
            labels = as_array(found, attribute)
            if labels.shape[:1] == (len(data),):
                return labels
    return None


def class_names(data: Any, highest: int) -> tuple[str, ...] | None:
    """Return the names of a data set's classes, if it has different ones for all labels."""
    names = getattr(data, "classes", None)
    if not isinstance(names, list | tuple) or not all(isinstance(x, str) and x for x in names):
        return None
    return tuple(names) if len(set(names)) == len(names) > highest else None


def collected(
    batches: Iterable[Any], name: str, most: int, pixels: Pixels | None = None
) -> tuple[Array, Array]:
    """Return all images and labels of some batches, or of single items, as arrays.

    Parameters
    ----------
    batches : iterable of (images, labels) or (image, label)
    name : str
        For messages.
    most : int
        Largest number of bytes of all images together.

    Raises
    ------
    DataError
        If there are none, more than that, or other items than pairs.
    """
    images, labels, size = [], [], 0
    for number, batch in enumerate(batches):
        some, targets = pair(batch, f"batch {number} of {name}")
        array = image_array(some, f"batch {number} of {name}", pixels)
        numbers = as_array(targets, name)
        if numbers.ndim == 0:  # an item, not a batch
            array, numbers = array[None], numbers[None]
        size += array.nbytes
        if size > most:
            raise DataError(
                f"{name} yields more than {most >> 20} MiB of images, which are kept in memory "
                f"because it has no index: give a data set with __len__ and __getitem__"
            )
        images.append(array)
        labels.append(numbers)
    if not images:
        raise DataError(f"{name} is empty: give at least one image")
    shapes = sorted({array.shape[1:] for array in images})
    if len(shapes) > 1:
        raise DataError(
            f"images of {name} have the shapes {shapes[0]} and {shapes[1]}: bring all to one size"
        )
    return np.concatenate(images), np.concatenate(labels)
