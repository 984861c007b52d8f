"""A picture of the plans of which none is both slower and larger than another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spikeloom.sw.drawing import label
from spikeloom.sw.files import replacing

#: Inches.
_SIZE = (7.0, 5.0)


def draw(front: Sequence[Mapping[str, Any]], chosen: Mapping[str, Any], path: Path) -> None:
    """Draw cycles per image against look-up tables, both logarithmic, as PNG.

    Parameters
    ----------
    front : sequence of mapping
        Plans with ``luts``, ``cycles`` and ``block_ram``.
    chosen : mapping
        The plan that is marked.
    path : path
        PNG file to write.

    Raises
    ------
    FileFormatError
        If it cannot be written.
    """
    figure = Figure(figsize=_SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot([p["luts"] for p in front], [p["cycles"] for p in front], "o-", markersize=4)
    axes.plot([chosen["luts"]], [chosen["cycles"]], "s", markersize=8, label="this plan")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("look-up tables, estimated")
    axes.set_ylabel("clock cycles per image")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    label(axes, [(f"{p['block_ram']} RAMs", (p["luts"], p["cycles"])) for p in front])
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
