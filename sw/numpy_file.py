"""Arrays in ``.npy`` and ``.npz`` files that anybody may have written.

numpy's own reader trusts the header: a shape of terabytes is allocated before a byte is read, and
some damaged headers end in errors of the interpreter. Here a header is checked against the bytes
that follow it, and nothing is ever unpickled.
"""

from __future__ import annotations

import io
import math
import sys
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

Array = npt.NDArray[Any]

#: Bytes that compressed content may have when it is unpacked: so many times its own size, and so
#: many in any case. Images and events are packed to a twentieth at most; zeros, as a bomb is made
#: of, to a thousandth.
_RATIO, _ALWAYS = 200, 1 << 26
#: Methods by which numpy packs members of an archive. Others may ask for memory that has nothing to
#: do with the size of the content.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
#: Largest header, in bytes; it is a line of text with a shape and a type.
_HEADER = 10_000


def arrays(content: bytes) -> dict[str, Array]:
    """Return the arrays in the content of a ``.npz`` file by name, that of a ``.npy`` file as "".

    Parameters
    ----------
    content : bytes

    Raises
    ------
    ValueError
        If the content is damaged, of another kind, holds Python objects, or is far larger when it
        is unpacked.
    """
    if content[:2] == b"PK":
        return _unpacked(content)
    file = io.BytesIO(content)
    dtype, shape, fortran = _header(file)
    data = memoryview(content)[file.tell() :]
    size = math.prod(shape) * dtype.itemsize
    if len(data) != size:
        raise ValueError(f"its header needs {size:,} bytes of data, and {len(data):,} follow")
    flat = np.frombuffer(data, dtype, math.prod(shape)) if size else np.zeros(0, dtype)
    _check_texts(flat)
    # A copy, since torch wants to be able to write.
    return {"": _shaped(flat, shape, fortran).copy()}


def mapped(path: Path) -> Array:
    """Return the array in a ``.npy`` file without reading it.

    Raises
    ------
    ValueError
        As :func:`arrays` raises it.
    OSError
        If the file cannot be read.
    """
    with open(path, "rb") as file:
        dtype, shape, fortran = _header(file)
        start = file.tell()
    size, there = math.prod(shape) * dtype.itemsize, path.stat().st_size - start
    if size != there:
        raise ValueError(f"its header needs {size:,} bytes of data, and {there:,} follow")
    if not size:
        return np.zeros(shape, dtype)
    _check_texts(np.memmap(path, dtype, "r", start, math.prod(shape)))
    return np.memmap(path, dtype, "r", start, shape, "F" if fortran else "C")


def inflated(content: bytes) -> bytes:
    """Return the content of a gzip file, unpacked.

    Raises
    ------
    ValueError
        If it is damaged, cut short, or far larger when it is unpacked.
    """
    most = _most(len(content))
    parts, left = [], content
    try:
        while left:
            # Files of several members, one behind another, are one content.
            unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            parts.append(unpacker.decompress(left, most + 1))
            most -= len(parts[-1])
            if most < 0:
                raise ValueError("it unpacks to hundreds of times its size")
            if not unpacker.eof:
                raise ValueError("it is cut short")
            left = unpacker.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise ValueError(str(error)) from None
    return b"".join(parts)


def _most(size: int) -> int:
    return max(_ALWAYS, _RATIO * size)


def _unpacked(content: bytes) -> dict[str, Array]:
    """Return the arrays in a zip archive."""
    found = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > _most(len(content)):
                raise ValueError("it unpacks to hundreds of times its size")
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in found:
                    raise ValueError(f"it holds two arrays called {name!r}")
                if member.compress_type not in _METHODS:
                    raise ValueError(
                        f"{name!r} is packed by compression method {member.compress_type}, but "
                        f"numpy's are {zipfile.ZIP_STORED} and {zipfile.ZIP_DEFLATED}"
                    )
                if member.flag_bits & 1:
                    raise ValueError(f"{name!r} is encrypted")
                data = archive.read(member)
                if data[:2] == b"PK":
                    raise ValueError(f"{name!r} is an archive itself")
                found[name] = arrays(data)[""]
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        KeyError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        # A method that is not known, encryption, a wrong sum, a member that is cut short.
        raise ValueError(str(error) or type(error).__name__) from None
    return found


def _header(file: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """Return type, shape and order of an array; ``file`` is left where its data begin."""
    try:
        version = npy.read_magic(file)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read is None:
            raise ValueError(f"format {version} is unknown")
        shape, fortran, dtype = read(file, max_header_size=_HEADER)
    except Exception as error:  # the header is a Python literal: parsing it can fail in any way
        raise ValueError(f"its header cannot be read: {error!r}") from None
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never unpickled")
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in shape):
        raise ValueError(f"its shape is {shape}")
    return dtype, shape, bool(fortran)


def _check_texts(flat: Array) -> None:
    """Raise ValueError if texts hold characters that do not exist, of which Python makes none."""
    if flat.dtype.kind != "U" or not flat.dtype.itemsize:
        return
    characters = flat.view(np.dtype(np.uint32).newbyteorder(flat.dtype.byteorder))
    if characters.max(initial=0) > sys.maxunicode:
        raise ValueError("it holds texts with characters that do not exist")


def _shaped(flat: Array, shape: tuple[int, ...], fortran: bool) -> Array:
    return flat.reshape(shape, order="F" if fortran else "C")
