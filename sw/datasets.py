"""Labelled images as integer pixels: the embedded digits, MNIST-style files, and the user's own.

Nothing here is ever downloaded. ``digits`` comes inside scikit-learn; ``mnist`` and
``fashion-mnist`` are read from the original files in a folder that the user names.
"""

from __future__ import annotations

import gzip
import io
import math
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from spikeloom.sw.errors import ConfigError, DataError, FileFormatError
from spikeloom.sw.files import read_bytes

SPLITS = ("train", "test")
#: Every fifth image of ``digits``, starting with the first, is a test image.
DIGITS_TEST_STRIDE = 5

PixelArray = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with labels.

    Parameters
    ----------
    name : str
    images : array of uint8, shape (N, channels, height, width)
        Pixels, as the network's integer input takes them.
    labels : array of int64, shape (N,)
        0 to ``classes - 1``.
    bits : int
        Pixels are below ``2 ** bits``.
    classes : int
    scale : float
        Real value of one pixel step: ``images * scale`` lies in [0, 1], which is what a torch
        model sees.
    """

    name: str
    images: PixelArray
    labels: IntArray
    bits: int
    classes: int
    scale: float

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise DataError(
                f"{self.name} has {len(self.images)} images but {len(self.labels)} labels"
            )
        if self.images.ndim != 4 or self.images.size == 0:
            raise DataError(
                f"images of {self.name} must have shape (N, channels, height, width) with none of "
                f"them 0, not {self.images.shape}"
            )
        if int(self.images.max()) >> self.bits:
            raise DataError(
                f"images of {self.name} hold the pixel {self.images.max()}, which does not fit "
                f"{self.bits} bits"
            )
        if self.labels.min() < 0 or self.labels.max() >= self.classes:
            raise DataError(
                f"labels of {self.name} must be from 0 to {self.classes - 1}, not "
                f"{self.labels.min()} to {self.labels.max()}"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        _, channels, height, width = self.images.shape
        return (channels, height, width)

    def inputs(self) -> torch.Tensor:
        """Return the images as a torch model sees them: float32 in [0, 1], (N, C, H, W)."""
        return torch.from_numpy(self.images).float() * self.scale

    def targets(self) -> torch.Tensor:
        """Return the labels as an int64 tensor, shape (N,)."""
        return torch.from_numpy(self.labels)

    def head(self, count: int) -> Dataset:
        """Return the first ``count`` images (all of them, if there are fewer).

        Raises
        ------
        ConfigError
            If ``count`` is not positive.
        """
        if count < 1:
            raise ConfigError(f"the number of images must be at least 1, not {count}")
        return Dataset(
            self.name,
            self.images[:count],
            self.labels[:count],
            self.bits,
            self.classes,
            self.scale,
        )


def load(name: str, split: str, root: str | Path | None = None) -> Dataset:
    """Load one split of a data set.

    Parameters
    ----------
    name : {"digits", "mnist", "fashion-mnist"}
    split : {"train", "test"}
    root : path, optional
        Folder with the original files, for the data sets that do not come with Spikeloom.

    Raises
    ------
    ConfigError
        If the name or the split is unknown, or a folder is needed and not given.
    FileFormatError
        If a file is missing or not what its name says.
    DataError
        If images and labels do not fit each other.
    """
    if name not in LOADERS:
        raise ConfigError(f"no data set is called {name!r}; there are {', '.join(LOADERS)}")
    if split not in SPLITS:
        raise ConfigError(f"the split must be {' or '.join(SPLITS)}, not {split!r}")
    return LOADERS[name](name, split, root)


def _load_digits(name: str, split: str, root: str | Path | None) -> Dataset:
    """Return scikit-learn's 1,797 handwritten digits: 8x8 pixels of 0 to 16.

    The split is fixed: images 0, 5, 10, ... in scikit-learn's order are the test split (360), the
    others the training split (1,437).
    """
    del root  # they come with scikit-learn
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    test = np.arange(len(bunch.target)) % DIGITS_TEST_STRIDE == 0
    chosen = test if split == "test" else ~test
    images = bunch.images[chosen].astype(np.uint8)[:, np.newaxis]
    return Dataset(name, images, bunch.target[chosen].astype(np.int64), 5, 10, 1 / 16)


def _load_mnist(name: str, split: str, root: str | Path | None) -> Dataset:
    """Return MNIST, or a data set in its format: 28x28 pixels of 0 to 255."""
    if root is None:
        raise ConfigError(
            f"{name} does not come with Spikeloom: name the folder that holds its original files "
            f"({_mnist_names(split)[0]}.gz and so on)"
        )
    folder = Path(root)
    image_path, label_path = (_find_idx(folder, stem, name) for stem in _mnist_names(split))
    images = _read_idx(image_path, 3)
    labels = _read_idx(label_path, 1)
    if len(images) != len(labels):
        raise DataError(
            f"{image_path} has {len(images)} images, but {label_path} has {len(labels)} labels: "
            f"take both from the same split"
        )
    return Dataset(name, images[:, np.newaxis], labels.astype(np.int64), 8, 10, 1 / 255)


LOADERS: dict[str, Callable[[str, str, str | Path | None], Dataset]] = {
    "digits": _load_digits,
    "mnist": _load_mnist,
    "fashion-mnist": _load_mnist,
}


def _mnist_names(split: str) -> tuple[str, str]:
    prefix = "train" if split == "train" else "t10k"
    return f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"


def _find_idx(folder: Path, stem: str, name: str) -> Path:
    # Some unpackers write "images.idx3-ubyte" where the original has "images-idx3-ubyte".
    candidates = [folder / f"{stem}{end}" for end in (".gz", "")]
    candidates.append(folder / stem.replace("-idx", ".idx"))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FileFormatError(
        f"{candidates[0]} does not exist (nor without .gz): name the folder that holds the "
        f"original files of {name}"
    )


def _read_idx(path: Path, ndim: int) -> PixelArray:
    """Return the array in an idx file of unsigned bytes, gzipped or not."""
    content = read_bytes(path, "data file")
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise FileFormatError(
                f"{path} is damaged or cut short ({error}): get it again"
            ) from None
    magic = bytes((0, 0, 8, ndim))
    if content[:4] != magic:
        raise FileFormatError(
            f"{path} is no idx file of unsigned bytes with {ndim} axes: it begins with "
            f"{content[:4].hex() or 'nothing'}, not {magic.hex()}"
        )
    header = 4 + 4 * ndim
    if len(content) < header:
        raise FileFormatError(f"{path} is cut short within its header: get it again")
    shape = tuple(
        int.from_bytes(content[offset : offset + 4], "big") for offset in range(4, header, 4)
    )
    expected = header + math.prod(shape)
    if len(content) != expected:
        raise FileFormatError(
            f"{path} has {len(content)} bytes, but its header {shape} needs {expected}: get it "
            f"again"
        )
    # A copy, since torch wants to be able to write.
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()


def load_images(
    path: str | Path, shape: tuple[int, ...], bits: int
) -> tuple[IntArray, IntArray | None]:
    """Read the user's own images, ready for a network.

    Parameters
    ----------
    path : path
        ``.npy`` with the images, or ``.npz`` with ``images`` and, if there are any, ``labels``.
    shape : tuple of int
        Shape of one image: the network's input shape. A single image without the leading axis,
        and images without the axis of their only channel, are accepted.
    bits : int
        Pixels must be from 0 to ``2 ** bits - 1``.

    Returns
    -------
    images : array of int64, shape (N, *shape)
    labels : array of int64, shape (N,), or None

    Raises
    ------
    FileFormatError
        If the file is missing, damaged or of another kind.
    DataError
        If images or labels have the wrong shape, type or range.
    """
    arrays = _read_numpy(Path(path))
    if "images" not in arrays:
        raise FileFormatError(
            f"{path} holds {', '.join(arrays) or 'nothing'}: call the array of images 'images'"
        )
    images = _integers(arrays["images"], f"images in {path}")
    images = _fit_shape(images, tuple(shape), path)
    top = (1 << bits) - 1
    if images.min() < 0 or images.max() > top:
        raise DataError(
            f"images in {path} hold pixels from {images.min()} to {images.max()}, but the network "
            f"takes {bits} bits, 0 to {top}: rescale them"
        )
    if "labels" not in arrays:
        return images.astype(np.int64), None
    labels = _integers(arrays["labels"], f"labels in {path}")
    if labels.shape != (len(images),):
        raise DataError(
            f"labels in {path} must have shape ({len(images)},), one per image, not {labels.shape}"
        )
    return images.astype(np.int64), labels.astype(np.int64)


def _read_numpy(path: Path) -> dict[str, npt.NDArray[Any]]:
    if path.suffix not in (".npy", ".npz"):
        raise FileFormatError(f"{path} must be a .npy or .npz file of images")
    content = read_bytes(path, "image file")
    try:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"images": loaded}
        with loaded:
            arrays = {name: loaded[name] for name in loaded.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
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
    accepted = [shape] if len(shape) != 3 or shape[0] != 1 else [shape, shape[1:]]
    for one in accepted:
        if images.shape == one or images.shape[1:] == one:
            return images.reshape(-1, *shape)
    raise DataError(
        f"images in {path} have shape {images.shape}, but the network takes (N, "
        f"{', '.join(map(str, shape))})"
    )
