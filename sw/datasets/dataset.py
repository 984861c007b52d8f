"""Labelled images as integer pixels: the embedded digits, MNIST-style files, event recordings.

Nothing here is ever downloaded. ``digits`` comes inside scikit-learn; ``mnist``, ``fashion-mnist``
and ``nmnist`` are read from the original files in a folder that the user names.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from spikeloom.sw.datasets.events import NMNIST_CLASSES, NMNIST_SHAPE, read_nmnist
from spikeloom.sw.errors import ConfigError, DataError, FileFormatError
from spikeloom.sw.files import read_bytes
from spikeloom.sw.network import Input

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
    spikes : array of uint8, shape (N, T, channels, height, width), optional
        The same with a time axis, for recordings of an event camera: ``images`` are their sums.
    """

    name: str
    images: PixelArray
    labels: IntArray
    bits: int
    classes: int
    scale: float
    spikes: PixelArray | None = None

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
        if self.spikes is not None and (
            self.spikes.ndim != 5
            or not np.array_equal(self.spikes.sum(1, dtype=np.uint32), self.images)
        ):
            raise DataError(
                f"spikes of {self.name} must have shape (N, T, channels, height, width) and add up "
                f"over T to the images {self.images.shape}: their shape is {self.spikes.shape}"
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

    @property
    def steps(self) -> int | None:
        """Number of timesteps T; None if there is no time axis."""
        return None if self.spikes is None else self.spikes.shape[1]

    @property
    def timed_shape(self) -> tuple[int, ...]:
        """Shape of one image: (T, channels, height, width), without T if there is no time axis."""
        return self.shape if self.steps is None else (self.steps, *self.shape)

    def images_for(self, source: Input) -> PixelArray:
        """Return the images as a network with this input takes them.

        Returns
        -------
        array of uint8, shape (N, channels, height, width)
            With the time axis behind N, if the input has one.

        Raises
        ------
        DataError
            If the input has a time axis, and the data set has not.
        """
        if source.steps is None:
            return self.images
        if self.spikes is None:
            raise DataError(
                f"the network's input has a time axis of {source.steps} timesteps, but {self.name} "
                f"has still images: take a data set of events"
            )
        return self.spikes

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
            None if self.spikes is None else self.spikes[:count],
        )


@dataclass(frozen=True)
class Binning:
    """How the events of a recording become spikes.

    Parameters
    ----------
    timesteps : int
        Number of equally long time bins.
    highest : int
        Most events of one pixel and polarity that a bin counts. A pixel's sum over all bins must
        fit 8 bits: ``timesteps * highest`` is at most 255.
    """

    timesteps: int = 8
    highest: int = 1

    def __post_init__(self) -> None:
        if self.timesteps < 1 or self.highest < 1 or self.timesteps * self.highest > 255:
            raise ConfigError(
                f"events can be put into bins whose sum is at most 255, not {self.timesteps} bins "
                f"of up to {self.highest}: take fewer timesteps or a smaller highest value"
            )

    @staticmethod
    def of(source: Input) -> Binning | None:
        """Return what fits a network's input; None if that has no time axis."""
        return None if source.steps is None else Binning(source.steps, source.values().high)


def load(
    name: str, split: str, root: str | Path | None = None, binning: Binning | None = None
) -> Dataset:
    """Load one split of a data set.

    Parameters
    ----------
    name : {"digits", "mnist", "fashion-mnist", "nmnist"}
    split : {"train", "test"}
    root : path, optional
        Folder with the original files, for the data sets that do not come with Spikeloom.
    binning : Binning, optional
        For recordings of events, ``nmnist``: how they are binned in time, by default in
        ``Binning()``. Still images have no use for it, and are loaded as they are.

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
    return LOADERS[name](name, split, root, binning or Binning())


def _load_digits(name: str, split: str, root: str | Path | None, _: Binning) -> Dataset:
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


def _load_mnist(name: str, split: str, root: str | Path | None, _: Binning) -> Dataset:
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


def _load_nmnist(name: str, split: str, root: str | Path | None, binning: Binning) -> Dataset:
    """Return N-MNIST, two polarities of 34x34 pixels, in time bins."""
    if root is None:
        raise ConfigError(
            f"{name} does not come with Spikeloom: name the folder that holds its original Train "
            f"and Test folders, or one .npz file"
        )
    recordings = read_nmnist(root, split)
    spikes = recordings.bins(binning.timesteps, binning.highest, NMNIST_SHAPE)
    most = binning.timesteps * binning.highest
    return Dataset(
        name,
        spikes.sum(1, dtype=np.uint8),
        recordings.labels,
        most.bit_length(),
        NMNIST_CLASSES,
        1 / most,
        spikes,
    )


LOADERS: dict[str, Callable[[str, str, str | Path | None, Binning], Dataset]] = {
    "digits": _load_digits,
    "mnist": _load_mnist,
    "fashion-mnist": _load_mnist,
    "nmnist": _load_nmnist,
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
