"""Pareto fronts of docs/benchmarks.md: plans of which none is both slower and larger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import page, pictures
from benchmarks.accelerators import lanes, measure
from spikeloom.hw.prediction import activity
from spikeloom.hw.search import Budget, Found, Search
from spikeloom.sw.network import Network

#: Points of a front, and the most look-up tables of one: each is synthesised.
POINTS, LUTS = 5, 6000
#: Images that plans are searched for with.
_SEARCHED = 2


def spread(found: Sequence[Found], points: int) -> list[Found]:
    """Return the first plan, the last, and some between, which lie at equal distances in a picture.

    A distance is the sum of those along both axes, which are logarithmic and equally long.
    """
    if len(found) <= points:
        return list(found)
    places = np.zeros(len(found))
    for values in ([one.cycles for one in found], [one.amounts.luts for one in found]):
        logs = np.log(values)
        places += (logs - logs[0]) / (logs[-1] - logs[0])
    goals = np.linspace(places[0], places[-1], points)
    chosen = {int(np.abs(places - goal).argmin()) for goal in goals}
    return [found[k] for k in sorted(chosen)]


def fronts(nets: Sequence[tuple[Network, Any]]) -> str:
    """Draw the fronts of networks, given with their images, and return the table."""
    drawn, (axes,) = pictures.figure(("LUT-eq, by Yosys", "clock cycles per image"))
    rows = []
    for net, images in nets:
        search = Search(net, Budget.of_numbers(LUTS, None), activity(net, images[:_SEARCHED]))
        sent = activity(net, images)
        points = []
        for found in spread(search.front(2 * POINTS), POINTS):
            measured = measure(found.plan, sent)
            print(f"{net.name}, {lanes(found.plan)}: {', '.join(measured.cells())}", flush=True)
            points.append((measured.resources.luts, measured.cycles))
            estimate = f"{found.amounts.luts:,.0f}"
            rows.append([net.name, lanes(found.plan), estimate, *measured.cells()])
        axes.loglog(*zip(*points, strict=True), "o-", label=net.name)
    for axis in (axes.xaxis, axes.yaxis):
        pictures.plain(axis)
    axes.legend()
    pictures.save(drawn, "pareto")
    head = ("network", "lanes M x E by layer", "#LUT-eq, estimate", "#LUT-eq")
    return page.table((*head, "#flip-flops", "#block RAMs", "#cycles/image"), rows)
