"""Reading and writing files: whole, or not at all."""

from __future__ import annotations

import errno
import logging
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from spikeloom.sw.errors import FileFormatError

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)

#: Numbers of errors that say that nothing more can be written.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``, which is renamed to ``path`` when the block ends well.

    An interrupted or failing block leaves ``path`` as it was. If ``path`` is a symbolic link, the
    file that it leads to is replaced, not the link.

    Raises
    ------
    FileFormatError
        If the folder or the file cannot be made or written to, or ``path`` is something else than a
        file, such as a pipe or a device.
    """
    target = Path(path)
    try:
        if target.is_symlink():
            target = target.resolve()
        kind = _other_kind(target) if target.exists() else None
        if kind is not None:
            raise FileFormatError(f"cannot write {path}: it is {kind}, not a file")
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise FileFormatError(f"cannot write {target}: {error.strerror or error}") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
        _LOG.info("wrote %s, %d bytes", target, target.stat().st_size)
    except OSError as error:
        raise FileFormatError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_bytes(path: str | Path, what: str, largest: int | None = None) -> bytes:
    """Return the content of ``path``.

    Parameters
    ----------
    path : path
    what : str
        The kind of file, for messages: ``"network file"``.
    largest : int, optional
        Bytes that such a file has at most; no more are read.

    Raises
    ------
    FileFormatError
        If it is missing, no file, cannot be read, or is too large; the message calls it ``what``.
    """
    try:
        require_file(path, what)
        with open(path, "rb") as file:
            content = file.read() if largest is None else file.read(largest + 1)
        _LOG.info("read %s %s, %d bytes", what, path, len(content))
    except FileNotFoundError:
        raise FileFormatError(f"{what} {path} does not exist: check the path") from None
    except OSError as error:
        raise FileFormatError(f"{what} {path} cannot be read: {error.strerror or error}") from None
    if largest is not None and len(content) > largest:
        raise FileFormatError(
            f"{what} {path} has more than {largest:,} bytes, which no {what} has: check the path"
        )
    return content


def require_file(path: str | Path, what: str) -> None:
    """Raise `FileFormatError` if something is a pipe, a device or a socket.

    These may never end, or never begin.

    Parameters
    ----------
    path : path
        Of something that exists.
    what : str
        The kind of file, for the message.
    """
    kind = _other_kind(path)
    if kind is not None:
        raise FileFormatError(f"{what} {path} is {kind}, not a file: check the path")


#: Things that have a path and can be opened, but are no file, by the bits of their mode.
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def _other_kind(path: str | Path) -> str | None:
    """Return the name of something that is no file, behind symbolic links; None of a file."""
    return _KINDS.get(stat.S_IFMT(os.stat(path).st_mode))


def require_version(
    header: Mapping[str, Any], path: str | Path, what: str, kind: str, newest: int
) -> None:
    """Require that a file is of the right kind, and of a version that can be read.

    Parameters
    ----------
    header : mapping
        The file's metadata: ``format``, which must be ``kind``, and ``version``, from 1 to
        ``newest``.
    path : path
        The file's, for messages.
    what : str
        Name of the kind in messages: ``"network file"``.

    Raises
    ------
    FileFormatError
        If the file is of another kind, or its version is missing or newer.
    """
    if header.get("format") != kind:
        raise FileFormatError(
            f"{path} is no {what}: its format is {header.get('format')!r}, not {kind!r}"
        )
    version = header.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise FileFormatError(f"{path} has the version {version!r}, which must be an integer >= 1")
    if version > newest:
        raise FileFormatError(
            f"{path} is a {what} of version {version}; this Spikeloom reads up to {newest}: "
            f"update Spikeloom"
        )


def require_field(entry: Mapping[str, Any], key: str, kind: type[_T], where: str, cure: str) -> _T:
    """Return a field of a JSON object in a file, which must be of the right type.

    Parameters
    ----------
    entry : mapping
    key : str
    kind : type
        A tuple counts as a list, a bool not as an int.
    where, cure : str
        Name of the object and remedy, for messages.

    Raises
    ------
    FileFormatError
        If the field is missing or of another type.
    """
    value = entry.get(key)
    if isinstance(value, tuple) and kind is list:
        value = list(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise FileFormatError(
            f"{where}: {key!r} must be of type {kind.__name__}, not {value!r}: {cure}"
        )
    return value


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
