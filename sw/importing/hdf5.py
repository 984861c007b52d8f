"""Reading HDF5 without trust: every value is bounded before it is read.

HDF5 can describe more than it holds (arrays without storage, chunks that expand a thousandfold,
links in circles and to other files, texts that are referred to a million times). So links are
followed only inside the file, arrays need storage of their own, and all that is decoded comes out
of one budget, which the file's size gives. The library itself crashes on some damaged files, so it
reads in a process of its own.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeloom.sw.errors import FileFormatError, SpikeloomError
from spikeloom.sw.files import read_bytes
from spikeloom.sw.guarded import guarded

if TYPE_CHECKING:
    import h5py

#: Bytes that may be decoded from each byte of the file, and those that every file may have.
EXPANSION, FLOOR = 64, 64 << 20
#: Groups within groups, members of all groups, rows of the table of edges, letters of a text.
MAX_DEPTH, MAX_MEMBERS, MAX_ROWS, MAX_TEXT = 24, 10_000, 20_000, 1 << 20
#: Beginning of a store of texts.
_STORE = b"GCOL\x01\x00\x00\x00"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: Filters by which a byte becomes at most a thousand.
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}


def read_tree(path: str | Path) -> dict[str, Any]:
    """Return the groups of an HDF5 file as dicts, and its values as arrays and texts.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, no HDF5, or holds more than its size allows for.
    """
    tree: dict[str, Any] = guarded(decoded, path)
    return tree


def decoded(path: str | Path) -> dict[str, Any]:
    """Return what :func:`read_tree` returns, read in this process, which may crash.

    Raises
    ------
    FileFormatError
        As :func:`read_tree` raises it.
    """
    content = read_bytes(path, "NIR file")
    if _SIGNATURE not in (content[:8], content[512:520], content[1024:1032], content[2048:2056]):
        raise FileFormatError(
            f"{path} is no NIR file: it is not HDF5, which begins with {_SIGNATURE!r}"
        )
    _require_texts(content, path)
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return _Walk(str(path), content, h5py).group(file, "", ())
    except SpikeloomError:
        raise
    # The library raises whatever its place of failure suggests: OSError, KeyError, RuntimeError...
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise FileFormatError(
            f"{path} is damaged or was not written to its end ({reason}): export it again"
        ) from None


def _require_texts(content: bytes, path: str | Path) -> None:
    """Refuse stores of texts whose entries do not lead to the store's end.

    The library follows the entries' sizes without looking back: it would do so for ever where one
    is 0 or beyond all numbers. (HDF5's format, III.E: a global heap begins with "GCOL" and version
    1; each object has a number, 16 bytes ahead of its data, and a size; number 0 is free space.)
    """
    place = content.find(_STORE)
    while place >= 0:
        end = place + int.from_bytes(content[place + 8 : place + 16], "little")
        here = place + 16
        while here + 16 <= end <= len(content):
            number = int.from_bytes(content[here : here + 2], "little")
            size = int.from_bytes(content[here + 8 : here + 16], "little")
            if number == 0:
                here = here + size if size >= 16 else len(content) + 1
                break
            here += 16 + -(-size // 8) * 8
        if not place + 16 < end <= len(content) or here > end:
            raise FileFormatError(
                f"{path} is damaged: its texts at byte {place:,} have no end: export it again"
            )
        place = content.find(_STORE, place + 1)


class _Walk:
    def __init__(self, path: str, content: bytes, library: Any) -> None:
        self.path = path
        self.content = content
        self.left = max(FLOOR, EXPANSION * len(content))
        self.members = 0
        self.h5py = library

    def fail(self, where: str, reason: str) -> FileFormatError:
        name = where if len(where) <= 80 else f"{where[:77]}..."
        return FileFormatError(f"{self.path}: {name or '/'} {reason}: export the graph again")

    def spend(self, count: int, where: str) -> None:
        self.left -= count
        if self.left < 0:
            raise self.fail(where, "makes the content too large for the size of the file")

    def group(self, group: h5py.Group, where: str, above: tuple[int, ...]) -> dict[str, Any]:
        address = self.h5py.h5o.get_info(group.id).addr
        if address in above:
            raise self.fail(where, "contains itself")
        if len(above) >= MAX_DEPTH:
            raise self.fail(where, f"lies in more than {MAX_DEPTH} groups")
        found: dict[str, Any] = {}
        for name in group:
            self.members += 1
            if self.members > MAX_MEMBERS:
                raise self.fail(where, f"takes the number of members above {MAX_MEMBERS:,}")
            inner = f"{where}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, self.h5py.HardLink):
                raise self.fail(inner, "is a link to another place, which NIR does not have")
            member = group[name]
            if isinstance(member, self.h5py.Group):
                found[name] = self.group(member, inner, (*above, address))
            elif isinstance(member, self.h5py.Dataset):
                found[name] = self.dataset(member, inner)
            else:
                raise self.fail(inner, "is neither a group nor an array")
        return found

    def dataset(self, data: h5py.Dataset, where: str) -> Any:
        if data.external or data.is_virtual:
            raise self.fail(where, "keeps its values in another file")
        if data.shape is None:
            return None
        if self.h5py.check_string_dtype(data.dtype) is not None:
            return self.texts(data, where)
        if data.dtype.kind not in "biuf" or data.dtype.itemsize > 8:
            raise self.fail(where, f"holds values of the type {data.dtype}, not numbers")
        if len(data.shape) > 8:
            raise self.fail(where, f"has {len(data.shape)} axes")
        count = 1
        for size in data.shape:
            count *= int(size)
        self.spend(count * data.dtype.itemsize, where)
        if count == 0:
            return np.zeros(data.shape, data.dtype)
        self.require_storage(data, count * data.dtype.itemsize, where)
        return data[()]

    def require_storage(self, data: h5py.Dataset, size: int, where: str) -> None:
        """Refuse arrays that are larger than what is stored of them."""
        stored = data.id.get_storage_size()
        filters = data.id.get_create_plist()
        codes = [filters.get_filter(i)[0] for i in range(filters.get_nfilters())]
        strange = [code for code in codes if code not in _FILTERS]
        if strange or codes.count(1) + codes.count(32000) > 1:
            raise self.fail(where, f"is compressed by filters {codes}, not by gzip or lzf alone")
        if not codes and stored < size:
            raise self.fail(where, f"has {size:,} bytes, of which only {stored:,} are in the file")
        if data.chunks is not None:
            whole = 1
            chunk = data.dtype.itemsize
            for length, part in zip(data.shape, data.chunks, strict=True):
                whole *= -(-length // part)
                chunk *= int(part)
            self.spend(chunk, where)  # A chunk may be larger than its array.
            if data.id.get_num_chunks() < whole:
                raise self.fail(where, "lacks some of its values")

    def texts(self, data: h5py.Dataset, where: str) -> Any:
        """Return a text, or an array of texts, of which each is read and bounded alone."""
        self.require_lengths(data, where)
        if data.shape == ():
            return self.text(data[()], where)
        if len(data.shape) > 2 or data.shape[0] > MAX_ROWS or data.size > 2 * MAX_ROWS:
            raise self.fail(where, f"is an array of texts of shape {data.shape}")
        self.spend(data.size * 64, where)
        found = np.empty(data.shape, object)
        for index in np.ndindex(data.shape):
            found[index] = self.text(data[index], where)
        return found

    def require_lengths(self, data: h5py.Dataset, where: str) -> None:
        """Refuse texts that say they are long.

        The library makes room for as many letters as a reference says, up to four gigabytes, before
        it looks for them. (HDF5's format, IV.B: a reference begins with the length, in 4 bytes.)
        """
        if self.h5py.check_string_dtype(data.dtype).length is not None:
            self.spend(data.dtype.itemsize * max(1, data.size), where)
            return
        for raw, count in self.references(data, where):
            each = len(raw) // max(1, count)
            for place in range(0, each * count, max(4, each)):
                length = int.from_bytes(raw[place : place + 4], "little")
                if length > min(MAX_TEXT, len(self.content)):
                    raise self.fail(where, f"is a text of {length:,} bytes")

    def references(self, data: h5py.Dataset, where: str) -> Iterator[tuple[bytes, int]]:
        """Yield the bytes of references to texts, and their number, as they are stored."""
        start, size = data.id.get_offset(), data.id.get_storage_size()
        if data.chunks is None:
            if size and start is None:
                raise self.fail(where, "is a text in the header of its object")
            yield self.content[start or 0 : (start or 0) + size], data.size
            return
        filters = data.id.get_create_plist()
        codes = [filters.get_filter(i)[0] for i in range(filters.get_nfilters())]
        if codes not in ([], [1]):
            raise self.fail(where, f"is a text behind the filters {codes}")
        count = math.prod(data.chunks)
        if count > 4 * MAX_ROWS or data.id.get_num_chunks() > MAX_ROWS:
            raise self.fail(where, f"has texts in chunks of {count:,}")
        for index in range(data.id.get_num_chunks()):
            mask, raw = data.id.read_direct_chunk(data.id.get_chunk_info(index).chunk_offset)
            packed = bool(codes) and mask == 0
            yield zlib.decompressobj().decompress(raw, 32 * count) if packed else raw, count

    def text(self, value: Any, where: str) -> str:
        content = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
        if len(content) > MAX_TEXT:
            raise self.fail(where, f"is a text of {len(content):,} bytes")
        self.spend(len(content), where)
        return content.decode("utf-8", "replace")
