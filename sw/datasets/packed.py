"""Files in a folder, and members of a zip archive, that are read when they are asked for."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.files import read_bytes, require_file

#: Bytes that one file of a data set has at most, unpacked; recordings have a few million.
LARGEST = 1 << 28
#: Bytes of a member's header ahead of its name: "PK\x03\x04", ..., lengths of name and extra field.
_HEADER = struct.Struct("<4s22sHH")


@dataclass(frozen=True)
class File:
    """A file in a folder.

    Parameters
    ----------
    path : Path
    """

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """The file's name, without folders."""
        return self.path.name

    def read(self) -> bytes:
        """Return the content.

        Raises
        ------
        FileFormatError
            If it is missing, damaged, or larger than :data:`LARGEST`.
        """
        return read_bytes(self.path, "data file", LARGEST)


@dataclass(frozen=True)
class Member(File):
    """A member of a zip archive, found by its place in the archive.

    The archive is opened anew for each reading, so that no open file is shared between processes,
    and its directory, which can list tens of thousands of members, is not read again.

    Parameters
    ----------
    path : Path
        The archive.
    member : str
        Name in the archive, with folders.
    start : int
        Byte at which the member's header begins.
    packed, size : int
        Bytes as they are stored, and unpacked.
    method : int
        0 if they are stored as they are, 8 if they are deflated.
    checksum : int
        CRC-32 of the content.
    """

    member: str
    start: int
    packed: int
    size: int
    method: int
    checksum: int

    def __str__(self) -> str:
        return f"{self.member} in {self.path}"

    @property
    def name(self) -> str:
        return PurePosixPath(self.member).name

    @property
    def folder(self) -> str:
        """Name of the folder in the archive that the member lies in; empty if it lies in none."""
        return PurePosixPath(self.member).parent.name

    def read(self) -> bytes:
        if self.size > LARGEST:
            raise FileFormatError(
                f"{self} has {self.size:,} bytes, which no file of a data set has: check the path"
            )
        try:
            content = self._unpacked(self._stored())
        except (OSError, ValueError, OverflowError, zlib.error, struct.error) as error:
            raise FileFormatError(f"{self} is damaged ({error}): get the archive again") from None
        return content

    def _stored(self) -> bytes:
        require_file(self.path, "data file")
        with open(self.path, "rb") as file:
            file.seek(self.start)
            mark, _, name, extra = _HEADER.unpack(file.read(_HEADER.size))
            if mark != b"PK\x03\x04":
                raise ValueError("there is no member where the directory says so")
            file.seek(name + extra, 1)
            if self.packed > os.fstat(file.fileno()).st_size:
                raise ValueError(f"its {self.packed:,} bytes are more than the archive's")
            return file.read(self.packed)

    def _unpacked(self, stored: bytes) -> bytes:
        if self.method == zipfile.ZIP_DEFLATED:
            unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
            # One more than there should be: 0 would stand for any number.
            stored = unpacker.decompress(stored, self.size + 1)
        elif self.method != zipfile.ZIP_STORED:
            raise ValueError(f"it is packed by the method {self.method}, not deflated")
        if len(stored) != self.size or zlib.crc32(stored) != self.checksum:
            raise ValueError("its content differs from its checksum")
        return stored


def members(path: Path, suffix: str) -> Iterator[Member]:
    """Yield the files in a zip archive whose names end in ``suffix``, in the archive's order.

    Raises
    ------
    FileFormatError
        If it is missing or damaged, or members are encrypted or have strange names.
    """
    try:
        require_file(path, "data file")
        with zipfile.ZipFile(path) as archive:
            listed = archive.infolist()
    except (
        zipfile.BadZipFile,
        OSError,
        NotImplementedError,
        ValueError,
        OverflowError,
        struct.error,
    ) as error:
        reason = str(error) or type(error).__name__
        raise FileFormatError(
            f"{path} is damaged or no zip archive ({reason}): get it again"
        ) from None
    for info in listed:
        if info.filename.endswith(suffix) and not info.is_dir():
            if not info.filename.isprintable():
                raise FileFormatError(
                    f"{path} has a member called {info.filename!r}, which no file of a data set is "
                    f"called: get it again"
                )
            if info.flag_bits & 1:
                raise FileFormatError(f"{info.filename} in {path} is encrypted: get it again")
            yield Member(
                path,
                info.filename,
                info.header_offset,
                info.compress_size,
                info.file_size,
                info.compress_type,
                info.CRC,
            )
