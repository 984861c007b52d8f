"""Options that name a file to write: two of one command never name the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from spikeloom.sw.errors import ConfigError

#: Where a command's context keeps the outputs that were named so far.
_NAMED = f"{__name__}.named"


class Output(click.Path):
    """Type of an option that names a file, or a folder, that the command writes.

    Parameters
    ----------
    folder : bool
        Whether it may be a folder that is there already.
    """

    def __init__(self, folder: bool = False) -> None:
        super().__init__(path_type=Path, dir_okay=folder)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path.

        Raises
        ------
        ConfigError
            If another option of the command leads to the same file.
        """
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if param is None or ctx is None:
            return path
        named: dict[str, str] = ctx.meta.setdefault(_NAMED, {})
        option = param.opts[0]
        for place in (os.path.realpath(path), os.path.abspath(path)):
            if named.setdefault(place, option) != option:
                raise ConfigError(
                    f"{named[place]} and {option} are the same file, {path}: give each its own"
                )
        return path
