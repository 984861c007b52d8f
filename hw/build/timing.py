"""Timing of a routed design: its highest clock, and its longest path in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from spikeloom.sw.errors import ToolError

#: Steps of a path that a message names.
_MOST = 8


class TooSlowError(ToolError):
    """A design cannot run at its board's clock.

    Attributes
    ----------
    reached : float
        The highest clock that it can run at, in MHz.
    placement : bool
        Whether the cells of the longest path alone would be fast enough, so that a smaller design,
        with shorter wires, may be.
    """

    def __init__(self, message: str, reached: float, placement: bool) -> None:
        super().__init__(message)
        self.reached, self.placement = reached, placement


def fmax(report: Mapping[str, Any]) -> float:
    """Return the highest frequency in MHz at which all clocks of a nextpnr report may run."""
    return min(float(clock["achieved"]) for clock in report["fmax"].values())


def require_closed(report: Mapping[str, Any], clock: float, board: str) -> float:
    """Return the highest frequency in MHz of a nextpnr report, if it is not below ``clock``.

    Parameters
    ----------
    report : mapping
    clock : float
        MHz of the design.
    board : str
        The board's title, for messages.

    Raises
    ------
    TooSlowError
        If it is below ``clock``; the message tells the critical path.
    """
    reached = fmax(report)
    if reached < clock:
        raise TooSlowError(
            f"the design reaches {reached:.1f} MHz, but {board} runs at {clock:g} MHz: take fewer "
            f"lanes or events (--lanes, --events), or try more placements (--placements). "
            f"{critical_path(report)}",
            reached,
            _cells(report) * clock < 1000,
        )
    return reached


def critical_path(report: Mapping[str, Any]) -> str:
    """Return the longest path from register to register in words."""
    path = _longest(report)
    if not path:
        return "The report names no critical path."
    delay = sum(step["delay"] for step in path)
    wires = sum(step["delay"] for step in path if step["type"] == "routing")
    logic = [step for step in path if step["type"] == "logic"]
    places: list[str] = []
    for step in path:
        place = _place(step["to"]["cell"])
        if not places or places[-1] != place:
            places.append(place)
    if len(places) > _MOST:
        places = [*places[: _MOST // 2], f"({len(places) - _MOST} more)", *places[-_MOST // 2 :]]
    return (
        f"The longest path takes {delay:.1f} ns, {wires:.1f} ns of it in wires, through "
        f"{len(logic)} cells: from {_place(path[0]['from']['cell'])} by way of "
        f"{', '.join(places[:-1]) or 'nothing'} to {places[-1]}"
    )


def _longest(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the steps of the longest path from register to register; none if there is none."""
    paths = [path["path"] for path in report.get("critical_paths", []) if _inside(path)]
    return max(paths, key=lambda path: sum(step["delay"] for step in path), default=[])


def _cells(report: Mapping[str, Any]) -> float:
    """Return how many ns the cells of the longest path take, without its wires."""
    return sum(step["delay"] for step in _longest(report) if step["type"] != "routing")


def _inside(path: Mapping[str, Any]) -> bool:
    return "<async>" not in f"{path.get('from')} {path.get('to')}"


def _place(cell: str) -> str:
    """Return ``layer_fc.pes.bank0`` for a cell's name: the signal or memory that it belongs to."""
    # Tools add the names of ports and cells, in capitals, and numbers of bits and blocks.
    return re.split(r"_[A-Z]|\.\d|[$\[]", cell)[0] or cell
