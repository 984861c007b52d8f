"""The Spiking Heidelberg Digits: spoken digits as an artificial inner ear hears them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from spikeloom.sw.datasets.arrays import Array, IntArray
from spikeloom.sw.datasets.event_data import EventData, Labelled
from spikeloom.sw.errors import DataError, FileFormatError, SpikeloomError
from spikeloom.sw.files import require_file
from spikeloom.sw.guarded import guarded

#: Recordings of a split, at most; the data set has 8,156 and 2,264.
MOST = 1 << 20
#: Events have a channel and a time.
_EVENT = np.dtype([("x", np.int64), ("t", np.float64)])
#: A reference to a row of its own length: length, place of its store, its number there.
_REFERENCE = np.dtype([("length", "<u4"), ("store", "<u8"), ("number", "<u4")])
#: Beginning of a store, its size, and the head of each object in it: number, unused, size.
_STORE, _OBJECT = struct.Struct("<8sQ"), struct.Struct("<H6xQ")
_SIGNATURE = b"GCOL\x01\x00\x00\x00"
#: Filters that references may be behind: none, gzip, gzip behind a shuffle of bytes.
_GZIP, _SHUFFLE = 1, 2


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of unequal lengths in an HDF5 file, each read when it is asked for.

    The HDF5 library makes room for as many values as a reference says before it looks for them, so
    references are followed here, and compared with what is stored. (HDF5's format, III.E: a store
    of objects, a "global heap", begins with "GCOL" and version 1; each object has a number, 16
    bytes ahead of its data, and a size; number 0 is free space.)

    Parameters
    ----------
    path : Path
    references : array of _REFERENCE, shape (N,)
    dtype : numpy.dtype
        Of the values.
    """

    path: Path
    references: Array
    dtype: np.dtype[Any]

    def row(self, file: BinaryIO, index: int) -> Array:
        """Return a row.

        Raises
        ------
        ValueError
            If it is not stored as its reference says.
        """
        length, store, number = (int(x) for x in self.references[index])
        size = length * self.dtype.itemsize
        if not size:
            return np.empty(0, self.dtype)
        file.seek(0, 2)
        most = file.tell()
        if store >= most:
            raise ValueError(f"row {index} is said to lie behind the end of the file")
        file.seek(store)
        mark, room = _STORE.unpack(file.read(_STORE.size))
        if mark != _SIGNATURE or store + room > most:
            raise ValueError(f"there is no store of rows at byte {store:,}")
        here, end = store + _STORE.size, store + room
        while here + _OBJECT.size <= end:
            file.seek(here)
            found, stored = _OBJECT.unpack(file.read(_OBJECT.size))
            if found == 0:
                break
            here += _OBJECT.size
            if found == number:
                if not size <= stored <= end - here:
                    break
                return np.frombuffer(file.read(size), self.dtype)
            here += -(-stored // 8) * 8
        raise ValueError(f"row {index} is not stored whole")


class Spoken:
    """Spoken digits, as a sequence of (events, label).

    Parameters
    ----------
    path : Path
    times, units : Rows
    labels : array of int64, shape (N,)
    """

    def __init__(self, path: Path, times: Rows, units: Rows, labels: IntArray) -> None:
        self.path, self.times, self.units, self.labels = path, times, units, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Array, int]:
        try:
            with open(self.path, "rb") as file:
                times, units = self.times.row(file, index), self.units.row(file, index)
        except (OSError, ValueError, struct.error) as error:
            raise _damaged(self.path, error) from None
        if len(times) != len(units) or not np.isfinite(times).all():
            raise DataError(
                f"recording {index} of {self.path} has {len(times)} times, of which all must be "
                f"finite, and {len(units)} channels"
            )
        events = np.empty(len(times), _EVENT)
        events["x"], events["t"] = units, times
        return events, int(self.labels[index])


class SHD(EventData):
    """8,156 and 2,264 spoken digits, of English and German, as spikes of 700 channels.

    The user's folder holds ``shd_train.h5`` and ``shd_test.h5``, in HDF5: ``spikes/times`` in
    seconds and ``spikes/units``, a row for each recording, and ``labels``. The channels are the
    columns of an image of one row.

    Cramer, Stradmann, Schemmel and Zenke, "The Heidelberg spiking data sets for the systematic
    evaluation of spiking neural networks", IEEE Transactions on Neural Networks and Learning
    Systems 33(7), 2022.
    """

    name = "shd"
    needs = "shd_train.h5 and shd_test.h5, unpacked"
    origin = "zenkelab.org/datasets"
    archives: ClassVar[Mapping[str, str]] = {
        "shd_train.h5.zip": "f3252aeb598ac776c1b526422d90eecb",
        "shd_test.h5.zip": "1503a5064faa34311c398fb0a1ed0a6f",
    }
    sensor = (1, 1, 700)
    classes = 20

    def recordings(self, split: str, folder: Path) -> Labelled:
        path = folder / f"shd_{split}.h5"
        if not path.is_file():
            raise FileFormatError(f"{path} does not exist: {self.advice()}")
        return read_spoken(path)


def read_spoken(path: Path) -> Spoken:
    """Return the recordings in a file of the data set.

    Raises
    ------
    FileFormatError
        If the file is damaged or holds something else.
    """
    require_file(path, "recordings")
    found = guarded(indexed, path)
    times, units = (
        Rows(path, found[name]["references"], np.dtype(found[name]["dtype"]))
        for name in ("times", "units")
    )
    return Spoken(path, times, units, found["labels"])


def indexed(path: Path) -> dict[str, Any]:
    """Return the labels in a file, and where its rows are, read in this process, which may crash.

    Returns
    -------
    dict
        ``labels``, an array of int64 of shape (N,); for ``times`` and ``units``, the ``references``
        to their rows, as :class:`Rows` has them, and the ``dtype`` of their values.

    Raises
    ------
    FileFormatError
        As :func:`read_spoken` raises it.
    """
    import h5py

    try:
        with open(path, "rb") as raw, h5py.File(raw, "r") as file:
            labels = _labels(_dataset(file, "labels", h5py), path)
            found: dict[str, Any] = {"labels": labels}
            for name, kinds in (("times", "f"), ("units", "iu")):
                data = _dataset(file, f"spikes/{name}", h5py)
                found[name] = _rows(data, len(labels), path, kinds, h5py)
            return found
    except SpikeloomError:
        raise
    # The library raises whatever its place of failure suggests: OSError, KeyError, RuntimeError...
    except Exception as error:
        raise _damaged(path, error) from None


def _dataset(file: Any, name: str, library: Any) -> Any:
    """Return an array in a file, to which no links to other files lead."""
    found = file
    for part in name.split("/"):
        if not isinstance(found.get(part, getlink=True), library.HardLink):
            raise ValueError(f"it holds no {name}")
        found = found[part]
    if not isinstance(found, library.Dataset) or found.external or found.is_virtual:
        raise ValueError(f"{name} is no array")
    if found.shape is None or len(found.shape) != 1 or not 1 <= found.shape[0] <= MOST:
        raise ValueError(f"{name} has the shape {found.shape}, not one axis of up to {MOST:,}")
    if found.chunks is not None and found.chunks[0] > MOST:
        raise ValueError(f"{name} is stored in pieces of {found.chunks[0]:,}")
    return found


def _labels(data: Any, path: Path) -> IntArray:
    if data.dtype.kind not in "iu" or data.dtype.itemsize > 8:
        raise ValueError(f"labels are {data.dtype}, not integers")
    return _stored(data, data.dtype, path).astype(np.int64)


def _rows(data: Any, count: int, path: Path, kinds: str, library: Any) -> dict[str, Any]:
    inner = library.check_vlen_dtype(data.dtype)
    if inner is None or inner.kind not in kinds or inner.itemsize > 8:
        raise ValueError(f"{data.name} holds {data.dtype}, not rows of numbers")
    if data.shape != (count,):
        raise ValueError(f"{data.name} has {data.shape[0]} rows, but there are {count} labels")
    return {"references": _stored(data, _REFERENCE, path), "dtype": inner.str}


def _stored(data: Any, dtype: np.dtype[Any], path: Path) -> Array:
    """Return the values of an array as they are stored, which the library need not understand."""
    values = np.empty(data.shape, dtype)
    left = len(values)
    for start, piece in _pieces(data, dtype.itemsize, path):
        found = np.frombuffer(piece, dtype)[: max(0, len(values) - start)]
        values[start : start + len(found)] = found
        left -= len(found)
    if left:
        raise ValueError(f"{data.name} lacks some of its values")
    return values


def _pieces(data: Any, each: int, path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the bytes of values as they are stored, each with the number of its first.

    Parameters
    ----------
    each : int
        Bytes of a value.
    """
    created = data.id.get_create_plist()
    filters = [created.get_filter(index)[0] for index in range(created.get_nfilters())]
    if filters not in ([], [_GZIP], [_SHUFFLE], [_SHUFFLE, _GZIP]):
        raise ValueError(f"{data.name} is behind the filters {filters}")
    most = path.stat().st_size
    if data.chunks is None:
        start, size = data.id.get_offset(), data.id.get_storage_size()
        if start is None or size != each * data.shape[0] or size > most:
            raise ValueError(f"{data.name} is not stored as values of {each} bytes")
        with open(path, "rb") as file:
            file.seek(start)
            yield 0, file.read(size)
        return
    size = each * data.chunks[0]
    for index in range(data.id.get_num_chunks()):
        chunk = data.id.get_chunk_info(index)
        if chunk.size > most:
            raise ValueError(f"a piece of {data.name} is said to have {chunk.size:,} bytes")
        # Filters that made a piece longer were left out, which the bits of the mask say.
        left_out, piece = data.id.read_direct_chunk(chunk.chunk_offset)
        used = [kind for place, kind in enumerate(filters) if not left_out >> place & 1]
        if _GZIP in used:
            piece = zlib.decompressobj().decompress(piece, size + 1)
        if len(piece) != size:
            raise ValueError(f"a piece of {data.name} has {len(piece):,} bytes, not {size:,}")
        if _SHUFFLE in used:
            piece = np.frombuffer(piece, np.uint8).reshape(each, -1).T.tobytes()
        yield chunk.chunk_offset[0], piece


def _damaged(path: Path, error: Exception) -> FileFormatError:
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    return FileFormatError(f"{path} is damaged or no file of SHD ({reason}): get it again")
