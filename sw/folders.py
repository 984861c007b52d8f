"""The user's own folders: where the XDG base directory specification has them, or chosen ones."""

from __future__ import annotations

import os
from pathlib import Path

#: Environment variable that names another folder for what can be made anew; an empty one does not.
CACHE_VARIABLE = "SPIKELOOM_CACHE_DIR"
_NAME = "spikeloom"


def cache_folder() -> Path:
    """Return the folder for what can be made anew; it may not exist.

    It is ``$SPIKELOOM_CACHE_DIR``, else ``$XDG_CACHE_HOME/spikeloom``, else ``~/.cache/spikeloom``.

    Raises
    ------
    RuntimeError
        If the user has no home.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else _folder("XDG_CACHE_HOME", "~/.cache")


def config_folder() -> Path:
    """Return the folder for the user's choices; it may not exist.

    It is ``$XDG_CONFIG_HOME/spikeloom``, or ``~/.config/spikeloom``.

    Raises
    ------
    RuntimeError
        If the user has no home.
    """
    return _folder("XDG_CONFIG_HOME", "~/.config")


def _folder(variable: str, usual: str) -> Path:
    given = os.environ.get(variable, "")
    # The specification has relative paths ignored.
    return (Path(given) if os.path.isabs(given) else Path(usual).expanduser()) / _NAME
