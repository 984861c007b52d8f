"""CIFAR-10 and CIFAR-100: their binary versions, packed or not; and mosaics of CIFAR-10's images.

Their Python versions are pickled, and never read.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from spikeloom.sw import numpy_file
from spikeloom.sw.datasets.binning import Binning
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.labelled import PixelArray
from spikeloom.sw.datasets.loader import Content, Loader
from spikeloom.sw.errors import DataError, FileFormatError
from spikeloom.sw.files import read_bytes

#: (channels, height, width) of one image.
SHAPE = (3, 32, 32)
#: Bytes of an image's pixels: red, green and blue, each row by row. Labels lie ahead of them.
PIXELS = 3 * 32 * 32
#: Bytes of one image of CIFAR-10, with its label.
RECORD = 1 + PIXELS
#: Images in one file of the binary version.
BATCH = 10_000
#: Rows and columns of images in a mosaic.
MOSAIC = (25, 40)

_NPZ = {"train": ("cifar10-train-0.npz", "cifar10-train-1.npz"), "test": ("cifar10-test.npz",)}


class _CIFAR(Loader):
    """The binary version of one of the two.

    Attributes
    ----------
    classes : int
    labels : int
        Bytes of labels ahead of an image's pixels; the last of them is the class.
    inner : str
        The folder in the archive.
    archive : str
    files : mapping of str to tuple of str
        Files of each split.
    largest : int
        Bytes that a file in the archive has at most.
    pickles : tuple of str
        Files and folders that show that the user has the Python version.
    """

    origin = "www.cs.toronto.edu/~kriz/cifar.html, the binary version"
    classes: ClassVar[int]
    labels: ClassVar[int]
    inner: ClassVar[str]
    archive: ClassVar[str]
    files: ClassVar[Mapping[str, tuple[str, ...]]]
    largest: ClassVar[int]
    pickles: ClassVar[tuple[str, ...]]

    def load(self, split: str, root: str | Path | None, binning: Binning) -> Dataset:
        del binning  # still images
        records = np.concatenate(
            [self._records(content) for content in self.known_contents(split, root)]
        )
        images = np.ascontiguousarray(records[:, self.labels :]).reshape(-1, *SHAPE)
        labels = records[:, self.labels - 1].astype(np.int64)
        return Dataset(self.name, images, labels, 8, self.classes, 1 / 255)

    def contents(self, split: str, root: str | Path | None) -> Iterator[Content]:
        folder, names = self.folder(root), self.files[split]
        for place in (folder, folder / self.inner):
            if (place / names[0]).is_file():
                for name in names:
                    yield Content(name, place / name, read_bytes(place / name, "data file"))
                return
        if (folder / self.archive).is_file():
            self.warn_unless_published(folder / self.archive)
            yield from _packed(folder / self.archive, names, self.largest)
            return
        yield from self.otherwise(split, folder)

    def otherwise(self, split: str, folder: Path) -> Iterator[Content]:
        """Yield the files of one split from what else is in the user's folder."""
        for pickle in self.pickles:
            if (folder / pickle).exists():
                raise FileFormatError(
                    f"{folder / pickle} is of the Python version of {self.name}, which is pickled: "
                    f"reading a pickle can run any code that is in it, so Spikeloom reads none. "
                    f"Take the binary version, {self.archive}, from the same page ({self.origin})"
                )
        raise FileFormatError(
            f"{folder / self.files[split][0]} does not exist, nor {self.inner}, nor "
            f"{self.archive}: {self.advice()}"
        )

    def _records(self, content: Content) -> PixelArray:
        """Return the images with their labels, shape (N, labels + PIXELS)."""
        size = self.labels + PIXELS
        if not content.data or len(content.data) % size:
            raise FileFormatError(
                f"{content.name} in {content.path} has {len(content.data)} bytes, which is no "
                f"whole number of images of {size} bytes: get it again"
            )
        return np.frombuffer(content.data, np.uint8).reshape(-1, size)


class CIFAR10(_CIFAR):
    """50,000 and 10,000 photographs of ten kinds of things, 3x32x32 pixels of 0 to 255.

    Krizhevsky, "Learning multiple layers of features from tiny images", technical report, 2009.

    The user's folder may hold the files of the binary version, itself or in a folder
    ``cifar-10-batches-bin``; or ``cifar-10-binary.tar.gz``; or three ``.npz`` files,
    ``cifar10-train-0``, ``cifar10-train-1`` and ``cifar10-test``, with the arrays ``webp`` (bytes
    of lossless images, each a mosaic of 25 x 40 pictures), ``off`` (offset in ``webp`` of each
    mosaic, and of the end) and ``labels``.
    """

    name = "cifar10"
    needs = "data_batch_1.bin to data_batch_5.bin and test_batch.bin, or cifar-10-binary.tar.gz"
    published: ClassVar[Mapping[str, str]] = {
        "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    }
    classes = 10
    labels = 1
    inner = "cifar-10-batches-bin"
    archive = "cifar-10-binary.tar.gz"
    files: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        "test": ("test_batch.bin",),
    }
    largest = 1 << 26  # each has 30,730,000
    pickles = ("cifar-10-python.tar.gz", "cifar-10-batches-py", "data_batch_1", "test_batch")

    def otherwise(self, split: str, folder: Path) -> Iterator[Content]:
        if (folder / _NPZ[split][0]).is_file():
            return _mosaics([folder / name for name in _NPZ[split]], self.files[split])
        return super().otherwise(split, folder)


class CIFAR100(_CIFAR):
    """50,000 and 10,000 photographs of a hundred kinds of things, 3x32x32 pixels of 0 to 255.

    The same technical report. Of an image's two labels, the fine one of 100 classes is taken, not
    the coarse one of 20. The user's folder may hold ``train.bin`` and ``test.bin``, itself or in a
    folder ``cifar-100-binary``; or ``cifar-100-binary.tar.gz``.
    """

    name = "cifar100"
    needs = "train.bin and test.bin, or cifar-100-binary.tar.gz"
    archives: ClassVar[Mapping[str, str]] = {
        "cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8",
    }
    classes = 100
    labels = 2
    inner = "cifar-100-binary"
    archive = "cifar-100-binary.tar.gz"
    files: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "train": ("train.bin",),
        "test": ("test.bin",),
    }
    largest = 3 << 26  # the larger one has 153,700,000
    pickles = ("cifar-100-python.tar.gz", "cifar-100-python", "train", "test")


def _packed(path: Path, names: tuple[str, ...], largest: int) -> Iterator[Content]:
    """Yield the files called ``names`` of a compressed archive, wherever they lie in it."""
    found = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = Path(member.name).name
                if name in names and member.isfile():
                    if member.size > largest:
                        raise tarfile.TarError(f"{name} has {member.size:,} bytes")
                    opened = archive.extractfile(member)
                    assert opened is not None, "a regular file can be opened"
                    found[name] = opened.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise FileFormatError(f"{path} is damaged or cut short ({error}): get it again") from None
    for name in names:
        if name not in found:
            raise FileFormatError(f"{path} lacks {name}: get it again")
        yield Content(name, path, found[name])


def _mosaics(paths: list[Path], names: tuple[str, ...]) -> Iterator[Content]:
    """Yield the content of the binary version's files ``names``, taken from ``.npz`` files."""
    records = np.concatenate([_unmosaic(path, **_arrays(path)) for path in paths])
    for index, name in enumerate(names):
        # The third of five files is in both of two .npz; the first of them is named.
        path = paths[index * len(paths) // len(names)]
        piece = records[index * BATCH : None if name == names[-1] else (index + 1) * BATCH]
        if len(piece):
            yield Content(name, path, piece.tobytes())


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    names = ("webp", "off", "labels")
    try:
        arrays = numpy_file.arrays(read_bytes(path, "data file"))
    except ValueError as error:
        raise FileFormatError(
            f"{path} is damaged or no .npz file ({error}): get it again"
        ) from None
    for name in names:
        if name not in arrays:
            raise FileFormatError(f"{path} lacks the array {name!r}: it holds no CIFAR-10")
        array = arrays[name]
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise DataError(
                f"{name} in {path} must be integers along one axis, not {array.dtype} of shape "
                f"{array.shape}"
            )
    return {name: arrays[name] for name in names}


def _unmosaic(
    path: Path, webp: npt.NDArray[Any], off: npt.NDArray[Any], labels: npt.NDArray[Any]
) -> PixelArray:
    """Return the images in mosaics as records, shape (N, RECORD)."""
    rows, columns = MOSAIC
    channels, height, width = SHAPE
    count = rows * columns * (len(off) - 1)
    if count < 1:
        raise DataError(f"{path} has no mosaics: off must have a number for each, and for the end")
    if len(labels) != count or labels.min(initial=0) < 0 or labels.max(initial=0) > 255:
        raise DataError(
            f"{path} has {len(labels)} labels, but {len(off) - 1} mosaics of {rows * columns} "
            f"images: {count} labels of one byte are needed"
        )
    records = np.empty((count, RECORD), np.uint8)
    records[:, 0] = labels
    for index in range(len(off) - 1):
        content = webp[int(off[index]) : int(off[index + 1])].astype(np.uint8).tobytes()
        try:
            with Image.open(io.BytesIO(content), formats=["WEBP"]) as image:
                pixels = np.asarray(image.convert("RGB"))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise FileFormatError(
                f"mosaic {index} in {path} is damaged ({error}): get the file again"
            ) from None
        if pixels.shape != (rows * height, columns * width, channels):
            raise DataError(
                f"mosaic {index} in {path} has shape {pixels.shape}, not "
                f"{(rows * height, columns * width, channels)}"
            )
        tiles = pixels.reshape(rows, height, columns, width, channels)
        tiles = tiles.transpose(0, 2, 4, 1, 3).reshape(rows * columns, -1)
        records[index * rows * columns : (index + 1) * rows * columns, 1:] = tiles
    return records
