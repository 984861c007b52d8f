"""Options that choose a board and its device, shared by several commands."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from spikeloom.sw.cli.completion import completing
from spikeloom.sw.network import Network

_Command = TypeVar("_Command", bound=Callable[..., Any])

#: Forms that ``--board`` takes, for the help of each command that has it.
BOARD = (
    "`spikeloom boards` lists the names. A board of your own is a table, mine.toml, or an Amaranth "
    "platform, FILE.py:NAME or MODULE:NAME. A Python file that is named here or in a table is run."
)


def board_option(says: str, **settings: Any) -> Callable[[_Command], _Command]:
    """Return a decorator that adds ``--board``.

    Parameters
    ----------
    says : str
        Begin of the option's help: what the command does with the board.
    **settings
        Of the option: its default, or whether it is required.
    """
    return click.option(
        "--board",
        metavar="BOARD",
        help=f"{says} {BOARD}",
        shell_complete=completing(_boards),
        **settings,
    )


def clock_option(says: str) -> Callable[[_Command], _Command]:
    """Return a decorator that adds ``--clock``, in MHz, with a help of its own."""
    return click.option(
        "--clock", type=click.FloatRange(0, min_open=True), metavar="MHZ", help=says
    )


def _boards() -> list[str]:
    from spikeloom.hw.boards import Board

    return Board.names()


@dataclass(frozen=True)
class DeviceOptions:
    """Values of the options that :func:`device_options` adds.

    Parameters
    ----------
    counters : bool
        Whether every layer has counters.
    records : str or None
        Names of layers with commas between, or ``"all"``.
    clock : float or None
        MHz of the design; None: the oscillator's.
    baud : int or None
        Rate of the serial line; None: the board's.
    """

    counters: bool
    records: str | None
    clock: float | None
    baud: int | None

    def layers(self, network: Network) -> list[str]:
        """Return the names of the layers that ``--records`` lists, each once."""
        if self.records is None:
            return []
        if self.records == "all":
            return [layer.name for layer in network.layers]
        return list(dict.fromkeys(name.strip() for name in self.records.split(",")))


def device_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--counters``, ``--records``, ``--clock`` and ``--baud``; give them as ``device``."""

    @click.option(
        "--counters/--no-counters",
        default=True,
        show_default=True,
        help="Whether every layer counts its cycles, events and waits, for the host to read.",
    )
    @click.option(
        "--records",
        metavar="LAYERS",
        help="Layers whose counts the host can read, for the last image: names with commas "
        "between, or all. Each takes memory.",
    )
    @clock_option("Of the design, made from the oscillator's.  [default: the oscillator's]")
    @click.option(
        "--baud",
        type=click.IntRange(1),
        metavar="RATE",
        help="Of the serial line to the host.  [default: the board's, as `spikeloom boards` lists]",
    )
    @functools.wraps(function)
    def chosen(
        *arguments: Any,
        counters: bool,
        records: str | None,
        clock: float | None,
        baud: int | None,
        **options: Any,
    ) -> Any:
        device = DeviceOptions(counters, records, clock, baud)
        return function(*arguments, device=device, **options)

    return chosen
