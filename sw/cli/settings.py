"""A user's own defaults of options, from a file and from environment variables.

An option on the command line wins, then its variable, then the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from spikeloom.sw import tables
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.folders import CACHE_VARIABLE, config_folder
from spikeloom.sw.names import meant

#: Environment variable that names another file; an empty one stands for no file.
VARIABLE = "SPIKELOOM_CONFIG"
_NAME = "config.toml"


@dataclass(frozen=True)
class Settings:
    """The keys of the file, each the default of the option of its name in all commands.

    Parameters
    ----------
    data_root : str, optional
        Folder with the original files of data sets.
    build_dir : str, optional
        Folder that keeps built simulators.
    cache_dir : str, optional
        Folder for whatever else is kept to save time: notes on data sets that were checked.
    jobs : int, optional
        Simulators that run at the same time, at least 1.
    threads : int, optional
        Threads of torch, at least 1.
    seed : int, optional
        At least 0.

    Raises
    ------
    ConfigError
        If a number is too small, or a folder has no name.
    """

    data_root: str | None = None
    build_dir: str | None = None
    cache_dir: str | None = None
    jobs: int | None = None
    threads: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("jobs", 1), ("threads", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name} must be at least {least}, not {value}")
        for name in ("data_root", "build_dir", "cache_dir"):
            value = getattr(self, name)
            if value is not None and (not value or "\0" in value):
                raise ConfigError(f"{name} must be the path of a folder, not {value!r}")

    @cached_property
    def options(self) -> dict[str, Any]:
        """Values by the name of their option; ``~`` in a path stands for the user's home."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: os.path.expanduser(value) if isinstance(value, str) else value
            for name, value in found.items()
            if value is not None
        }


#: Names of options that have an environment variable, too: ``SPIKELOOM_SEED`` is for ``--seed``.
NAMES = tuple(field.name for field in fields(Settings))


def settings_file() -> Path | None:
    """Return the path of the user's file, None if there is to be none; it may not exist."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        return Path(given) if given else None
    try:
        path = config_folder() / _NAME
    except RuntimeError:  # the user has no home
        return None
    return path if path.exists() else None


def load_settings(path: Path) -> Settings:
    """Return the settings of a file.

    Raises
    ------
    FileFormatError
        If it cannot be read, or is no TOML.
    ConfigError
        If it has an unknown key, or a value is of another type or out of range.
    """
    content: Mapping[str, Any] = tables.load(path, "config file")
    for key in content:
        if key not in NAMES:
            hint = meant(key, NAMES, f"the keys are {', '.join(NAMES)}")
            raise ConfigError(f"{path} has the unknown key {key!r}: {hint}")
    return tables.read(Settings, content, str(path))


def apply_settings(name: str, command: click.Command, ctx: click.Context) -> None:
    """Give the options of a command of the group's context ``ctx`` the user's defaults.

    Raises
    ------
    FileFormatError, ConfigError
        As :func:`load_settings`.
    """
    path = settings_file()
    chosen = {} if path is None else load_settings(path).options
    for param in command.params:
        if isinstance(param, click.Option) and param.name in NAMES:
            param.envvar = f"SPIKELOOM_{param.name.upper()}"
    ctx.default_map = {name: chosen}
    # Commands without the option have a cache, too, and so have the processes that they start.
    folder = chosen.get("cache_dir")
    if folder is not None and not os.environ.get(CACHE_VARIABLE):
        os.environ[CACHE_VARIABLE] = folder
        ctx.call_on_close(lambda: os.environ.pop(CACHE_VARIABLE, None))


def was_given(name: str) -> bool:
    """Return whether an option of this command is on the command line, and no default."""
    ctx = click.get_current_context()
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
