"""Arrays: npy, npz, and anything behind gzip."""

from __future__ import annotations

import ast
import gzip
import io
import struct
import warnings
import zipfile
from random import Random
from typing import Any

from fuzz import bytewise
from fuzz.formats.base import Format

_SIZES = (0, 1, 2, 3, 9, 10, 1000, 1 << 20, 1 << 40, (1 << 63) - 1, 1 << 64, -1, True, 1.5, "3")
_TYPES = (
    *("|u1", "|i1", "<i2", ">i4", "<i8", "<u8", "<f4", "<f8", "|b1", "|O", "|S3", "<U2", "<c8"),
    *("<M8[s]", "|V4", "V0", "<f16", "x", "", 3, None, [("x", "<i4"), ("t", "<i8")], "<f2", "|S0"),
)


class Npy(Format):
    """One array: a header, which is a Python literal, and data."""

    def inside(self, data: bytes, chance: Random) -> bytes | None:
        version, (length,) = data[6], struct.unpack_from("<H", data, 8)
        if data[:6] != b"\x93NUMPY" or version != 1:
            return None
        text, values = data[10 : 10 + length], data[10 + length :]
        if chance.getrandbits(3) == 0:
            text = bytewise.damaged(text, chance, 10_000)
        elif chance.getrandbits(2) == 0:
            values = bytewise.damaged(values, chance, 1 << 20)
        else:
            header = ast.literal_eval(text.decode())
            values = _changed(header, values, chance)
            text = repr(header).encode()
        text += b" " * (-(len(text) + 11) % 64) + b"\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) & 0xFFFF) + text + values


def _changed(header: dict[str, Any], values: bytes, chance: Random) -> bytes:
    """Change a header, and return data that fit it, more often than not."""
    match chance.randrange(6):
        case 0:
            header["descr"] = chance.choice(_TYPES)
        case 1:
            header["fortran_order"] = chance.choice((True, False, 1, None, "C"))
        case 2:
            header[chance.choice(("x", "shape", "descr", ""))] = header.pop(
                chance.choice(list(header))
            )
        case _:
            shape = list(header["shape"])
            if shape and chance.getrandbits(1):
                shape[chance.randrange(len(shape))] = chance.choice(_SIZES)
            else:
                shape.insert(chance.randint(0, len(shape)), chance.choice(_SIZES))
            if chance.getrandbits(3) == 0:
                shape = shape * chance.choice((0, 2, 20))
            header["shape"] = chance.choice((tuple, tuple, tuple, list))(shape)
    size = 1
    for length in header.get("shape", ()):
        size *= length if isinstance(length, int) and 0 <= length < 1 << 16 else 1
    kind = header.get("descr")
    size *= int(kind[2:]) if isinstance(kind, str) and kind[2:].isdigit() else 1
    if chance.getrandbits(2) and size < 1 << 16:
        values = (values * (size // max(1, len(values)) + 1))[:size]
    return values


class Npz(Format):
    """Several arrays in a zip archive."""

    understood = 0.6
    inner = Npy()

    def inside(self, data: bytes, chance: Random) -> bytes | None:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
        place = chance.randrange(len(members))
        name, content = members[place]
        match chance.randrange(8):
            case 0:
                del members[place]
            case 1:
                members.insert(chance.randint(0, len(members)), members[place])
            case 2:
                members[place] = (
                    chance.choice(("images.npy", "", "../x", "labels", "x" * 99)),
                    content,
                )
            case 3:
                members[place] = (name, members[chance.randrange(len(members))][1])
            case 4:
                members[place] = (name, bytes(chance.choice((1000, 100_000))))
            case _:
                members[place] = (name, self.inner.damaged(content, chance, 1 << 20))
        file = io.BytesIO()
        methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
            warnings.simplefilter("ignore")  # of names that stand twice
            for name, content in members:
                method = methods[min(chance.getrandbits(4), chance.choice((0, 1, 1, 2, 3)))]
                archive.writestr(zipfile.ZipInfo(name), content, method)
        return file.getvalue()


class Gzip(Format):
    """Another format behind gzip, or without it."""

    def __init__(self, inner: Format) -> None:
        self.inner = inner

    def inside(self, data: bytes, chance: Random) -> bytes | None:
        packed = data[:2] == b"\x1f\x8b"
        changed = self.inner.damaged(gzip.decompress(data) if packed else data, chance, 1 << 20)
        if packed != (chance.getrandbits(4) == 0):
            changed = gzip.compress(changed, 1, mtime=0)
        return changed + changed * (chance.getrandbits(5) == 0)
