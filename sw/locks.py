"""Locks on folders: one command at a time writes into each, and work is left by dead ones only."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spikeloom.sw.errors import FileFormatError

#: File in a folder of work that is to be looked at, and so is not collected.
_KEPT = ".kept"


@contextmanager
def workplace(
    root: Path, prefix: str, kept_after: type[BaseException] | tuple[()] = ()
) -> Iterator[Path]:
    """Give a new folder for a work, and remove it afterwards, unless it was renamed.

    Folders of the same prefix, whose processes were killed before they could remove them, are
    removed first.

    Parameters
    ----------
    root : Path
        Folder to make it in, which exists.
    prefix : str
        Beginning of its name.
    kept_after : type of exception, optional
        An exception after which the folder remains.

    Yields
    ------
    Path

    Raises
    ------
    FileFormatError
        If it cannot be made.
    """
    try:
        for path in root.glob(f"{prefix}*"):
            handle = None if (path / _KEPT).exists() else _claim(path)
            if handle is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(handle)
        work, handle = _made(root, prefix)
    except OSError as error:
        raise FileFormatError(f"cannot write {root}: {error.strerror or error}") from None
    kept = False
    try:
        yield work
    except kept_after:
        kept = True
        (work / _KEPT).touch()
        raise
    finally:
        if not kept:
            shutil.rmtree(work, ignore_errors=True)
        os.close(handle)


def _made(root: Path, prefix: str) -> tuple[Path, int]:
    """Return a new folder, and a handle that holds its lock."""
    while True:
        work = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
        handle = _claim(work)
        if handle is not None:
            # Somebody who collects may have come between, and the folder be another, or gone.
            if work.is_dir() and os.path.samestat(os.fstat(handle), work.stat()):
                return work, handle
            os.close(handle)


def in_use(folder: Path) -> bool:
    """Return whether a process that is alive works in a folder of :func:`workplace`."""
    handle = _claim(folder)
    if handle is None:
        return folder.exists()
    os.close(handle)
    return False


def _claim(path: Path) -> int | None:
    """Return a handle that holds the lock of a folder; None if another process holds it."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    if _taken(handle):
        return handle
    os.close(handle)
    return None


def _taken(handle: int) -> bool:
    """Take the lock of a folder; return False if another process holds it."""
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(folder: Path, work: str) -> Iterator[None]:
    """Hold a lock on a folder, which is made if it is not there.

    The lock belongs to the process and ends with it, however that ends: nothing is left behind.

    Parameters
    ----------
    folder : Path
    work : str
        Name of the work that holds the lock, for the message to another process: ``"build"``.

    Raises
    ------
    FileFormatError
        If the folder cannot be made, or another process holds a lock on it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise FileFormatError(f"cannot write {folder}: {error.strerror or error}") from None
    try:
        try:
            free = _taken(handle)
        except ImportError:  # on Windows, where folders have no locks
            free = True
        if not free:
            raise FileFormatError(
                f"another {work} is at work in {folder}: take another folder, or wait"
            )
        yield
    finally:
        os.close(handle)
