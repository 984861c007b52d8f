"""Comparison of the resources that a design takes with those that an FPGA has."""

from __future__ import annotations

import re
from pathlib import Path

from spikeloom.hw.boards import Board, Resources
from spikeloom.hw.build.family import Family
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Network

#: Resources in the order and under the names of reports.
FIELDS = {
    "luts": "look-up tables",
    "flipflops": "flip-flops",
    "block_ram": "block RAMs",
    "dsp": "multiplier blocks",
}
#: Line of nextpnr's log with the used and available number of a resource.
_USED = re.compile(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%$", re.M)


class TooLargeError(ConfigError):
    """A board has no room for a design.

    Attributes
    ----------
    luts : int
        Look-up tables that the design takes; 0 if that is not known.
    """

    def __init__(self, network: Network, board: Board, short: list[str], luts: int = 0) -> None:
        super().__init__(
            f"{network.name!r} does not fit on {board.title}: it takes {', '.join(short)}. Take a "
            f"smaller network, weights of fewer bits, fewer lanes, or a larger board"
        )
        self.luts = luts


def compared(found: Resources, available: Resources) -> dict[str, dict[str, int]]:
    """Return used and available resources, by field, as a manifest has them."""
    return {
        name: {"used": getattr(found, name), "available": getattr(available, name)}
        for name in FIELDS
    }


def short_of(resources: dict[str, dict[str, int]]) -> list[str]:
    """Return a phrase for each resource that a design takes too much of."""
    return [
        f"{entry['used']:,} {FIELDS[name]} of {entry['available']:,}"
        for name, entry in resources.items()
        if entry["used"] > entry["available"]
    ]


def overfull(log: Path, family: Family) -> list[str]:
    """Return a phrase for each resource that nextpnr's log says to be used beyond its number.

    nextpnr packs a design before it places it, and only a packed design's resources are exact.
    """
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    words = {name: FIELDS[field] for field, names in family.utilisation.items() for name in names}
    return [
        f"{int(used):,} {words.get(name, name)} of {int(available):,}"
        for name, used, available in _USED.findall(text)
        if int(used) > int(available)
    ]
