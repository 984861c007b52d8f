"""MNIST, and data sets in its format: idx files of unsigned bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from spikeloom.sw import numpy_file
from spikeloom.sw.datasets.binning import Binning
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.labelled import PixelArray
from spikeloom.sw.datasets.loader import Content, Loader
from spikeloom.sw.errors import DataError, FileFormatError
from spikeloom.sw.files import read_bytes


class IdxFiles(Loader):
    """Grey images and labels in two idx files for each split, gzipped or not."""

    needs = "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz and the same of t10k"

    def load(self, split: str, root: str | Path | None, binning: Binning) -> Dataset:
        del binning  # still images
        image_file, label_file = self.known_contents(split, root)
        images, labels = decode_idx(image_file, 3), decode_idx(label_file, 1)
        if len(images) != len(labels):
            raise DataError(
                f"{image_file.path} has {len(images)} images, but {label_file.path} has "
                f"{len(labels)} labels: take both from the same split"
            )
        return Dataset(self.name, images[:, np.newaxis], labels.astype(np.int64), 8, 10, 1 / 255)

    def contents(self, split: str, root: str | Path | None) -> Iterator[Content]:
        folder = self.folder(root)
        prefix = "train" if split == "train" else "t10k"
        for stem in (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"):
            path = self._find(folder, stem)
            yield Content(stem, path, _unzipped(path))

    def _find(self, folder: Path, stem: str) -> Path:
        # Some unpackers write "images.idx3-ubyte" where the original has "images-idx3-ubyte".
        candidates = [folder / f"{stem}{end}" for end in (".gz", "")]
        candidates.append(folder / stem.replace("-idx", ".idx"))
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        raise FileFormatError(f"{candidates[0]} does not exist (nor without .gz): {self.advice()}")


class MNIST(IdxFiles):
    """60,000 and 10,000 handwritten digits, 28x28 pixels of 0 to 255.

    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86(11), 1998.
    """

    name = "mnist"
    origin = "yann.lecun.com/exdb/mnist, or its mirror ossci-datasets.s3.amazonaws.com/mnist"
    published: ClassVar[Mapping[str, str]] = {
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    }


class FashionMNIST(IdxFiles):
    """60,000 and 10,000 articles of clothing, 28x28 pixels of 0 to 255.

    Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", 2017.
    """

    name = "fashion-mnist"
    origin = "github.com/zalandoresearch/fashion-mnist"
    published: ClassVar[Mapping[str, str]] = {
        "train-images-idx3-ubyte": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    }


def decode_idx(content: Content, ndim: int) -> PixelArray:
    """Return the array in an idx file of unsigned bytes with ``ndim`` axes.

    Raises
    ------
    FileFormatError
        If it is no such file, or has another length than its header says.
    """
    path, data = content.path, content.data
    magic = bytes((0, 0, 8, ndim))
    if data[:4] != magic:
        raise FileFormatError(
            f"{path} is no idx file of unsigned bytes with {ndim} axes: it begins with "
            f"{data[:4].hex() or 'nothing'}, not {magic.hex()}"
        )
    header = 4 + 4 * ndim
    if len(data) < header:
        raise FileFormatError(f"{path} is cut short within its header: get it again")
    shape = tuple(
        int.from_bytes(data[offset : offset + 4], "big") for offset in range(4, header, 4)
    )
    expected = header + math.prod(shape)
    if len(data) != expected:
        raise FileFormatError(
            f"{path} has {len(data)} bytes, but its header {shape} needs {expected}: get it again"
        )
    if 0 in shape:
        # Together with a 0, numpy refuses some large numbers.
        raise FileFormatError(f"{path} holds nothing: its header says {shape}")
    # A copy, since torch wants to be able to write.
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy()


def _unzipped(path: Path) -> bytes:
    data = read_bytes(path, "data file")
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return numpy_file.inflated(data)
    except ValueError as error:
        raise FileFormatError(f"{path} is damaged or cut short ({error}): get it again") from None
