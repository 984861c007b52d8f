"""Images that stay where they are, in a file or in the user's code, and are read when asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]

#: Bytes of pixels that are read into memory at once where a source leaves the choice.
MEMORY = 1 << 30


class LazyImages(ABC):
    """Images that are read when they are asked for, so that they need not fit into memory.

    Indexing by a number, a slice or an array of numbers reads these images, and returns an array.
    ``numpy.asarray`` reads all of them.

    Attributes
    ----------
    shape : tuple of int
        (N, channels, height, width), or with a time axis behind N.
    dtype : numpy.dtype
        Integers.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @abstractmethod
    def read(self, numbers: IntArray) -> Array:
        """Return the images with these numbers, in this order; each is from 0 to N - 1."""

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of axes, that of the images included."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels in all images together."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Memory that all images together would take, in bytes."""
        return self.size * self.dtype.itemsize

    def __getitem__(self, chosen: Any) -> Array:
        numbers = np.arange(len(self))[chosen]
        images = self.read(np.atleast_1d(numbers))
        return images if numbers.ndim else images.reshape(self.shape[1:])

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        del copy  # it is one
        return self[:].astype(self.dtype if dtype is None else dtype, copy=False)


class Mapped(LazyImages):
    """Images in a file that the operating system maps into memory, page by page.

    Parameters
    ----------
    array : array, shape (N, channels, height, width)
        A memory map, or a view of one.
    dtype : numpy.dtype
        Of the images that are read.
    """

    def __init__(self, array: Array, dtype: npt.DTypeLike) -> None:
        self.array, self.shape, self.dtype = array, array.shape, np.dtype(dtype)

    def read(self, numbers: IntArray) -> Array:
        return np.ascontiguousarray(self.array[numbers], self.dtype)


class Picked(LazyImages):
    """Some of other images.

    Parameters
    ----------
    images : LazyImages
    numbers : array of int64, shape (M,)
        Each from 0 to N - 1.
    """

    def __init__(self, images: LazyImages, numbers: IntArray) -> None:
        self.images, self.numbers = images, numbers
        self.shape, self.dtype = (len(numbers), *images.shape[1:]), images.dtype

    def read(self, numbers: IntArray) -> Array:
        return self.images.read(self.numbers[numbers])


class Changed(LazyImages):
    """Other images, each changed by the same function.

    Parameters
    ----------
    images : LazyImages
    change : callable
        Returns an array of the shape and type of the one that it is given.
    """

    def __init__(self, images: LazyImages, change: Callable[[Array], Array]) -> None:
        self.images, self.change = images, change
        self.shape, self.dtype = images.shape, images.dtype

    def read(self, numbers: IntArray) -> Array:
        return self.change(self.images.read(numbers))


def take(images: Array | LazyImages, numbers: IntArray) -> Array | LazyImages:
    """Return the images with these numbers; those that are read when asked for stay so."""
    return Picked(images, numbers) if isinstance(images, LazyImages) else images[numbers]


def in_memory(images: LazyImages) -> Array | LazyImages:
    """Return the images as an array, unless they need more than :data:`MEMORY` bytes."""
    return images if images.nbytes > MEMORY else images[:]
