"""CIFAR-10: its binary version, packed or not, and mosaics of its images in ``.npz`` files."""

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
#: Bytes of one image: the label, then red, green and blue, each row by row.
RECORD = 1 + 3 * 32 * 32
#: Images in one file of the binary version.
BATCH = 10_000
#: Rows and columns of images in a mosaic.
MOSAIC = (25, 40)

_FOLDER = "cifar-10-batches-bin"
_ARCHIVE = "cifar-10-binary.tar.gz"
_FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
_NPZ = {"train": ("cifar10-train-0.npz", "cifar10-train-1.npz"), "test": ("cifar10-test.npz",)}
#: Files that show that the user has the Python version.
_PICKLES = ("cifar-10-python.tar.gz", "cifar-10-batches-py", "data_batch_1", "test_batch")


class CIFAR10(Loader):
    """50,000 and 10,000 photographs of ten kinds of things, 3x32x32 pixels of 0 to 255.

    Krizhevsky, "Learning multiple layers of features from tiny images", technical report, 2009.

    The user's folder may hold the files of the binary version, itself or in a folder
    ``cifar-10-batches-bin``; or ``cifar-10-binary.tar.gz``; or three ``.npz`` files,
    ``cifar10-train-0``, ``cifar10-train-1`` and ``cifar10-test``, with the arrays ``webp`` (bytes
    of lossless images, each a mosaic of 25 x 40 pictures), ``off`` (offset in ``webp`` of each
    mosaic, and of the end) and ``labels``.
    """

    name = "cifar10"
    needs = f"data_batch_1.bin to data_batch_5.bin and test_batch.bin, or {_ARCHIVE}"
    origin = "www.cs.toronto.edu/~kriz/cifar.html, the binary version"
    published: ClassVar[Mapping[str, str]] = {
        "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    }

    def load(self, split: str, root: str | Path | None, binning: Binning) -> Dataset:
        del binning  # still images
        records = np.concatenate(
            [_records(content) for content in self.known_contents(split, root)]
        )
        images = np.ascontiguousarray(records[:, 1:]).reshape(-1, *SHAPE)
        return Dataset(self.name, images, records[:, 0].astype(np.int64), 8, 10, 1 / 255)

    def contents(self, split: str, root: str | Path | None) -> Iterator[Content]:
        folder, names = self.folder(root), _FILES[split]
        for place in (folder, folder / _FOLDER):
            if (place / names[0]).is_file():
                for name in names:
                    yield Content(name, place / name, read_bytes(place / name, "data file"))
                return
        if (folder / _ARCHIVE).is_file():
            yield from _packed(folder / _ARCHIVE, names)
        elif (folder / _NPZ[split][0]).is_file():
            yield from _mosaics([folder / name for name in _NPZ[split]], names)
        else:
            raise self._missing(folder, names)

    def _missing(self, folder: Path, names: tuple[str, ...]) -> FileFormatError:
        for pickle in _PICKLES:
            if (folder / pickle).exists():
                return FileFormatError(
                    f"{folder / pickle} is CIFAR-10's Python version, which is pickled: reading a "
                    f"pickle can run any code that is in it, so Spikeloom reads none. Take the "
                    f"binary version, {_ARCHIVE}, from the same page ({self.origin})"
                )
        return FileFormatError(
            f"{folder / names[0]} does not exist, nor {_FOLDER}, nor {_ARCHIVE}: {self.advice()}"
        )


#: Bytes that a file in the archive has at most; each of CIFAR-10's has 30,730,000.
_LARGEST = 1 << 26


def _records(content: Content) -> PixelArray:
    """Return the images with their labels, shape (N, RECORD)."""
    if not content.data or len(content.data) % RECORD:
        raise FileFormatError(
            f"{content.name} in {content.path} has {len(content.data)} bytes, which is no whole "
            f"number of images of {RECORD} bytes: get it again"
        )
    return np.frombuffer(content.data, np.uint8).reshape(-1, RECORD)


def _packed(path: Path, names: tuple[str, ...]) -> Iterator[Content]:
    """Yield the files called ``names`` of a compressed archive, wherever they lie in it."""
    found = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = Path(member.name).name
                if name in names and member.isfile():
                    if member.size > _LARGEST:
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
