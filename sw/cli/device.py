"""Options that choose a board's device, shared by ``build`` and ``board``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from spikeloom.sw.network import Network


@dataclass(frozen=True)
class DeviceOptions:
    """What the options say.

    Parameters
    ----------
    counters : bool
    records : str or None
    clock : float or None
        MHz.
    baud : int or None
    """

    counters: bool
    records: str | None
    clock: float | None
    baud: int | None

    def layers(self, network: Network) -> list[str]:
        """Return the layers that ``--records`` names, each once."""
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
    @click.option(
        "--clock",
        type=click.FloatRange(0, min_open=True),
        metavar="MHZ",
        help="Of the design, made from the oscillator's.  [default: the oscillator's]",
    )
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
