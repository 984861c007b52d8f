"""Files whose content was compared with a published hash: each is hashed once, until it changes.

The notes lie in the user's folder for caches (:func:`spikeloom.sw.folders.cache_folder`). Without a
folder that can be written to, files are hashed each time.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from spikeloom.sw.documents import parse_json
from spikeloom.sw.errors import SpikeloomError
from spikeloom.sw.files import read_bytes, write_text
from spikeloom.sw.folders import cache_folder

#: Most files that are remembered; the oldest are forgotten first.
MOST = 1000
#: Bytes of the file with the notes, at most: a larger one is not ours.
_LARGEST = 1 << 21


def recall(path: Path, digest: str) -> bool:
    """Return whether a file was found to have the content with this digest, and has not changed.

    Parameters
    ----------
    path : Path
        The file; may be an archive, if ``digest`` is of something in it.
    digest : str
        SHA-256 of the content.
    """
    return _notes().get(_key(path, digest)) == _state(path)


def remember(path: Path, digest: str) -> None:
    """Note that a file has the content with this digest; see :func:`recall`."""
    key = _key(path, digest)
    notes = {old: state for old, state in _notes().items() if old != key}
    notes[key] = _state(path)
    with suppress(SpikeloomError, OSError, RuntimeError):
        write_text(notes_file(), json.dumps(dict(list(notes.items())[-MOST:]), indent=0))


def notes_file(folder: Path | None = None) -> Path:
    """Return the path of the file with the notes, which may not exist.

    Parameters
    ----------
    folder : Path, optional
        Another folder than the user's for caches.

    Raises
    ------
    RuntimeError
        If the user has no home.
    """
    return (cache_folder() if folder is None else folder) / "published.json"


def _key(path: Path, digest: str) -> str:
    return f"{digest} {path.resolve()}"


def _state(path: Path) -> str:
    """Return the file's size and the time of its last change, in nanoseconds."""
    about = path.stat()
    return f"{about.st_size} {about.st_mtime_ns}"


def _notes() -> dict[str, str]:
    """Return the notes; none, if the file is missing or damaged."""
    try:
        notes = parse_json(read_bytes(notes_file(), "cache", _LARGEST))
    except (SpikeloomError, OSError, ValueError, RuntimeError):  # RuntimeError: there is no home
        return {}
    return notes if isinstance(notes, dict) else {}
