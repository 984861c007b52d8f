"""Pictures of docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"


def figure(*labels: tuple[str, str]) -> tuple[Figure, list[Any]]:
    """Return a figure with axes side by side, each with a label across and one up."""
    drawn = Figure(figsize=(7.0 if len(labels) == 1 else 5.0 * len(labels), 4.5))
    drawn.set_layout_engine("constrained")
    FigureCanvasAgg(drawn)
    places = list(drawn.subplots(1, len(labels), squeeze=False)[0])
    for axes, (across, up) in zip(places, labels, strict=True):
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.grid(visible=True, which="both", alpha=0.3)
    return drawn, places


def plain(axis: Any) -> None:
    """Write a logarithmic axis' numbers in full: 2,000 rather than a power."""
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.set_minor_formatter(lambda value, _: f"{value:,.0f}" if f"{value:e}"[0] in "235" else "")


def save(drawn: Figure, name: str) -> None:
    """Write a picture; without date and the library's version, equal ones are equal files."""
    FOLDER.mkdir(exist_ok=True)
    drawn.savefig(FOLDER / f"{name}.png", metadata={"Software": None})
