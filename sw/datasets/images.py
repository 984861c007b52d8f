"""Reading a user's own images from ``.npy`` and ``.npz`` files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikeloom.sw import numpy_file
from spikeloom.sw.datasets.targets import targets_of
from spikeloom.sw.errors import DataError, FileFormatError
from spikeloom.sw.files import read_bytes
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.tasks import CLASSES

IntArray = npt.NDArray[np.int64]


def load_images(
    path: str | Path, shape: tuple[int, ...], pixels: Range, task: str | None = None
) -> tuple[IntArray, npt.NDArray[Any] | None]:
    """Read the user's own images, ready for a network.

    Parameters
    ----------
    path : path
        ``.npy`` with the images, or ``.npz`` with ``images`` and, if there are any, ``labels``.
    shape : tuple of int
        Shape of one image: the ``image_shape`` of the network's input, with the time axis if there
        is one. A single image without the leading axis, and images without the axis of their
        only channel, are accepted.
    pixels : Range
        Values that the network takes.
    task : str, optional
        The network's, if labels are no classes.

    Returns
    -------
    images : array of int64, shape (N, *shape)
    labels : array of int64, shape (N,), or None
        Of another task, bool or float32 of shape (N, K).

    Raises
    ------
    FileFormatError
        If the file is missing, damaged or of another kind.
    DataError
        If images or labels have the wrong shape, type or range.
    """
    arrays = read_numpy(Path(path))
    if "images" not in arrays:
        raise FileFormatError(
            f"{path} holds {', '.join(arrays) or 'nothing'}: call the array of images 'images'"
        )
    images = _integers(arrays["images"], f"images in {path}")
    images = _fit_shape(images, tuple(shape), path)
    if images.min() < pixels.low or images.max() > pixels.high:
        raise DataError(
            f"images in {path} hold pixels from {images.min()} to {images.max()}, but the network "
            f"takes {pixels.low} to {pixels.high}: rescale them"
        )
    if "labels" not in arrays:
        return images.astype(np.int64), None
    if task not in (None, CLASSES):
        found = targets_of(arrays["labels"], len(images), None, str(path), task)
        return images.astype(np.int64), found.targets
    labels = _integers(arrays["labels"], f"labels in {path}")
    if labels.shape != (len(images),):
        raise DataError(
            f"labels in {path} must have shape ({len(images)},), one per image, not {labels.shape}"
        )
    return images.astype(np.int64), labels.astype(np.int64)


def read_numpy(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays in a ``.npz`` file; an array without a name of its own is "images".

    Raises
    ------
    FileFormatError
        If the file is missing, damaged or of another kind. Nothing in it is ever unpickled.
    """
    if path.suffix not in (".npy", ".npz"):
        raise FileFormatError(f"{path} must be a .npy or .npz file of images")
    content = read_bytes(path, "image file")
    try:
        arrays = numpy_file.arrays(content)
    except ValueError as error:
        raise FileFormatError(
            f"{path} is damaged or no array file ({error}): write it with numpy.save or numpy.savez"
        ) from None
    if len(arrays) == 1 and "labels" not in arrays:
        return {"images": next(iter(arrays.values()))}
    return arrays


def _integers(array: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    if array.dtype.kind not in "iu":
        raise DataError(
            f"{what} must be integers, not {array.dtype}: scale, round and convert them"
        )
    if array.size == 0:
        raise DataError(f"{what} are empty: shape {array.shape}")
    return array


def _fit_shape(
    images: npt.NDArray[Any], shape: tuple[int, ...], path: str | Path
) -> npt.NDArray[Any]:
    accepted = [shape]
    if len(shape) >= 3 and shape[-3] == 1:
        accepted.append(shape[:-3] + shape[-2:])
    for one in accepted:
        if images.shape == one or images.shape[1:] == one:
            return images.reshape(-1, *shape)
    if len(shape) == 3 and images.shape[1:] == (*shape[1:], shape[0]):
        raise DataError(
            f"images in {path} have shape {images.shape}, with the channels at the end, but the "
            f"network takes (N, {', '.join(map(str, shape))}): save images.transpose(0, 3, 1, 2)"
        )
    raise DataError(
        f"images in {path} have shape {images.shape}, but the network takes (N, "
        f"{', '.join(map(str, shape))})"
    )
