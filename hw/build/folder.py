"""The folder of a build, kept for one build at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.files import FULL
from spikeloom.sw.locks import locked

#: Folder beside the manifest with all files that the tools read and wrote.
WORK = "work"


@contextmanager
def claimed(folder: Path, mark: str) -> Iterator[Path]:
    """Give an empty folder in ``folder`` for the tools' files, and keep other builds out.

    Parameters
    ----------
    folder : Path
        Made, if it is not there.
    mark : str
        Name of a file that every build writes: only a folder that has it is emptied.

    Raises
    ------
    FileFormatError
        If it cannot be written to, another build is at work there, or it holds something that no
        build has left. If the disk is full during the block, what was written is removed.
    """
    work = folder / WORK
    with locked(folder, "build"):
        try:
            # Files of others are not deleted.
            if work.exists() and not (work / mark).is_file() and any(work.iterdir()):
                raise FileFormatError(
                    f"{work} is there already, and no build's: take another folder"
                )
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(exist_ok=True)
        except OSError as error:
            raise FileFormatError(f"cannot write {work}: {error.strerror or error}") from None
        try:
            yield work
        except OSError as error:
            if error.errno not in FULL:
                raise
            shutil.rmtree(work, ignore_errors=True)
            raise FileFormatError(f"cannot write {work}: {error.strerror}") from None
