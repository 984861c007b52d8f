"""Locks on folders: one command at a time writes into each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spikeloom.sw.errors import FileFormatError


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
            import fcntl
        except ImportError:  # on Windows, where folders have no locks
            yield
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileFormatError(
                f"another {work} is at work in {folder}: take another folder, or wait"
            ) from None
        yield
    finally:
        os.close(handle)
