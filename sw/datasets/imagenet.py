"""ImageNet and Tiny ImageNet, in the folders that people make of their archives.

Pillow decodes the files, which are read when they are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from spikeloom.sw.datasets.arrays import Array, IntArray
from spikeloom.sw.datasets.binning import Binning
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.folder import SUFFIXES, decoded
from spikeloom.sw.datasets.lazy import LazyImages, in_memory
from spikeloom.sw.datasets.loader import Loader
from spikeloom.sw.errors import DataError, FileFormatError
from spikeloom.sw.files import read_bytes

#: Bytes of the list of Tiny ImageNet's validation images, at most; it has some 400,000.
_LARGEST = 1 << 24

#: Label and path of an image.
_Labelled = tuple[int, str]


class Photographs(LazyImages):
    """Colour photographs in a file each, decoded when they are asked for.

    Parameters
    ----------
    paths : sequence of str
    side : int
        Height and width of an image.
    share : float, optional
        Of photographs of any size: share of the shorter side that is taken, as for
        :func:`~.folder.decoded`.
    """

    def __init__(self, paths: Sequence[str], side: int, share: float | None = None) -> None:
        self.paths, self.side, self.share = paths, side, share
        self.shape = (len(paths), 3, side, side)
        self.dtype = np.dtype(np.uint8)

    def read(self, numbers: IntArray) -> Array:
        images = np.empty((len(numbers), *self.shape[1:]), np.uint8)
        for place, index in enumerate(numbers.tolist()):
            path = Path(self.paths[index])
            images[place] = decoded(path, "RGB", (self.side, self.side), self.share)
        return images


class _Photographs(Loader):
    """Photographs in a folder for each class, whose name is a WordNet ID such as n01440764.

    Classes are numbered in the order of their names, as torchvision does. Images of a split come
    in the order of their names within each class, the first of each class first. Up to a gibibyte
    of pixels is held in memory; of more, images are read when they are asked for.

    Attributes
    ----------
    side : int
        Height and width of an image.
    share : float or None
        As for :class:`Photographs`.
    inner : str
        The folder in the archive.
    """

    side: ClassVar[int]
    share: ClassVar[float | None] = None
    inner: ClassVar[str]

    def load(self, split: str, root: str | Path | None, binning: Binning) -> Dataset:
        del binning  # still images
        folder = self.folder(root)
        if not (folder / "train").is_dir():
            folder /= self.inner
        if not (folder / "train").is_dir():
            raise FileFormatError(f"{folder / 'train'} does not exist: {self.advice()}")
        names = tuple(sorted(_folders(folder / "train")))
        if not names:
            raise FileFormatError(
                f"{folder / 'train'} holds no folders, one for each class: {self.advice()}"
            )
        found = _by_class(folder / "train", names) if split == "train" else self.test(folder, names)
        images = in_memory(Photographs([path for _, path in found], self.side, self.share))
        labels = np.array([label for label, _ in found], np.int64)
        return Dataset(
            self.name, images, labels, 8, len(names), 1 / 255, class_names=names, layout="NCHW"
        )

    def test(self, folder: Path, names: Sequence[str]) -> list[_Labelled]:
        """Return the test split, which is the validation images, whose labels are known."""
        place = folder / "val"
        if not place.is_dir():
            raise FileFormatError(f"{place} does not exist: {self.advice()}")
        inner = _folders(place)
        if not inner:
            raise FileFormatError(
                f"{place} holds images without classes: sort them into a folder for each class, "
                f"such as {place / names[0]}"
            )
        unknown = sorted(set(inner) - set(names))
        if unknown:
            raise DataError(f"{place / unknown[0]} is no class of the training split")
        return _by_class(place, names)


class ImageNet(_Photographs):
    """1,281,167 and 50,000 photographs of a thousand kinds of things, brought to 3x224x224 pixels.

    The user's folder holds ``train/n01440764/*.JPEG`` and so on, as the archive's own archives
    unpack to, and ``val/n01440764/*.JPEG``, into which the validation images were sorted. The
    central square of each photograph is taken, of 7/8 of its shorter side.

    Russakovsky et al., "ImageNet large scale visual recognition challenge", International Journal
    of Computer Vision 115, 2015.
    """

    name = "imagenet"
    needs = "train/n01440764/*.JPEG and so on, and val sorted into folders of the same names"
    origin = "image-net.org, ILSVRC 2012"
    archives: ClassVar[Mapping[str, str]] = {
        "ILSVRC2012_img_train.tar": "1d675b47d978889d74fa0da5fadfb00e",
        "ILSVRC2012_img_val.tar": "29b22e2961454d5413ddabcf34fc5622",
    }
    side = 224
    share = 224 / 256
    inner = "ILSVRC/Data/CLS-LOC"


class TinyImageNet(_Photographs):
    """100,000 and 10,000 photographs of two hundred kinds of things, 3x64x64 pixels of 0 to 255.

    The user's folder holds ``train/n01443537/images/*.JPEG`` and so on, and ``val/images/*.JPEG``
    with ``val/val_annotations.txt``, itself or in a folder ``tiny-imagenet-200``; validation images
    may also be sorted into a folder for each class. The archive's test images have no labels.

    Le and Yang, "Tiny ImageNet visual recognition challenge", CS 231N, Stanford, 2015.
    """

    name = "tiny-imagenet"
    needs = "train and val of tiny-imagenet-200.zip, unpacked"
    origin = "cs231n.stanford.edu/tiny-imagenet-200.zip"
    archives: ClassVar[Mapping[str, str]] = {
        "tiny-imagenet-200.zip": "90528d7ca1a48142e341f4ef8d21d0de",
    }
    side = 64
    inner = "tiny-imagenet-200"

    def test(self, folder: Path, names: Sequence[str]) -> list[_Labelled]:
        listed = folder / "val" / "val_annotations.txt"
        if not listed.is_file():
            return super().test(folder, names)
        numbers = {name: label for label, name in enumerate(names)}
        found = []
        content = read_bytes(listed, "list of images", _LARGEST)
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            file, _, rest = line.partition("\t")
            label = numbers.get(rest.partition("\t")[0])
            if label is None or not file or "/" in file or "\0" in file:
                raise DataError(
                    f"line {number} of {listed} names no image and class of the training split: "
                    f"{line[:80]!r}"
                )
            found.append((label, str(folder / "val" / "images" / file)))
        if not found:
            raise FileFormatError(f"{listed} lists no images: get it again")
        return found


def _folders(place: Path) -> list[str]:
    """Return the names of the folders in a folder."""
    with os.scandir(place) as entries:
        return [entry.name for entry in entries if entry.name[0] != "." and entry.is_dir()]


def _by_class(place: Path, names: Sequence[str]) -> list[_Labelled]:
    """Return the images in the folders of classes, the first of each class first.

    Millions of files are listed without a path of their own, and without asking for the kind of
    each; reading one asks.
    """
    found = []
    for label, name in enumerate(names):
        folder = place / name
        if (folder / "images").is_dir():
            folder /= "images"
        if not folder.is_dir():
            continue
        inner = sorted(x for x in os.listdir(folder) if x.lower().endswith(SUFFIXES))
        found += [(number, label, f"{folder}{os.sep}{file}") for number, file in enumerate(inner)]
    if not found:
        raise FileFormatError(f"{place} holds no images: get them again")
    found.sort()
    return [(label, path) for _, label, path in found]
