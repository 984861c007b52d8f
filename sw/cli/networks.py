"""The argument NETWORK: a network file, or the name of a network that comes with Spikeloom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.completion import completing
from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.names import meant

#: Trained networks that come with Spikeloom, by the names of docs/results.md.
FOLDER = Path(__file__).parents[1] / "pretrained"
SUFFIX = ".safetensors"
#: Where a command's context keeps the argument.
_GIVEN = f"{__name__}.given"

_Command = TypeVar("_Command", bound=Callable[..., Any])


def committed() -> list[str]:
    """Return the names of the networks that come with Spikeloom."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def networks_in_help(function: _Command) -> _Command:
    """Replace ``{network}`` in a command's docstring by the networks that can be named."""
    text = (
        f"a network file, or the name of a trained network that we bring: {', '.join(committed())}"
    )
    function.__doc__ = (function.__doc__ or "").replace("{network}", text)
    return function


def network_argument(function: _Command) -> _Command:
    """Add the argument NETWORK, which is read from its file, and describe it in the docstring."""
    function = networks_in_help(function)
    return click.argument(
        "network",
        metavar="NETWORK",
        callback=_read,
        shell_complete=completing(committed),
    )(function)


def given_network() -> str:
    """Return the argument NETWORK of the command at work, as it was given."""
    return str(click.get_current_context().meta[_GIVEN])


def _read(context: click.Context, _: click.Parameter, value: str) -> contract.Network:
    context.meta[_GIVEN] = value
    return open_network(value)


def open_network(value: str) -> contract.Network:
    """Read the network that ``value`` names.

    Raises
    ------
    FileFormatError
        If there is no such file and no such name, or the file holds no network.
    """
    if not Path(value).exists():
        if value in committed():
            return contract.load(FOLDER / f"{value}{SUFFIX}")
        if Path(value).suffix != SUFFIX:
            rest = f"check the path, or take one of ours: {', '.join(committed())}"
            raise FileFormatError(
                f"network {value} does not exist: {meant(value, committed(), rest)}"
            )
    return contract.load(value)
