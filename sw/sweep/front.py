"""The Pareto front of a sweep: its networks as files, and a picture."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spikeloom.sw.drawing import label
from spikeloom.sw.files import replacing, write_bytes
from spikeloom.sw.sweep.objectives import OBJECTIVES
from spikeloom.sw.sweep.study import Point
from spikeloom.sw.sweep.trial import PLAN
from spikeloom.sw.training.journal import RECIPE
from spikeloom.sw.training.result import NETWORK, TRAINED

#: Files of a trial that its point of the front has, in the folder ``front/NUMBER``.
READY = (NETWORK, PLAN, TRAINED, RECIPE)
#: Inches of a panel.
_WIDTH, _HEIGHT = 5.5, 4.5
#: A figure whose largest value is this many times its smallest one has a logarithmic axis.
_WIDE = 10


def name_of(number: int) -> str:
    """Return the name of a trial's folder."""
    return f"{number:04}"


def write_networks(front: Sequence[Point], trials: Path, folder: Path) -> None:
    """Copy the networks of the front, with plan and recipe, into folders of their own.

    What is there of trials that are not on the front any more is removed.

    Parameters
    ----------
    front : sequence of Point
    trials, folder : Path
        Folder of all trials, and of the front.

    Raises
    ------
    FileFormatError
        If a file cannot be written.
    """
    wanted = {name_of(point.number) for point in front}
    for path in folder.glob("[0-9]*"):
        if path.name not in wanted and path.is_dir():
            shutil.rmtree(path)
    for name in sorted(wanted):
        for file in READY:
            write_bytes(folder / name / file, (trials / name / file).read_bytes())


def draw(points: Sequence[Point], front: Sequence[Point], names: Sequence[str], path: Path) -> None:
    """Draw the first objective against each of the others, as PNG; the front is marked.

    A single objective is drawn against the number of the trial.

    Parameters
    ----------
    points, front : sequence of Point
        All complete trials, and those of the front.
    names : sequence of str
        The objectives.
    path : Path
        PNG file to write.

    Raises
    ------
    FileFormatError
        If it cannot be written.
    """
    others: Sequence[str | None] = names[1:] or (None,)
    figure = Figure(figsize=(_WIDTH * len(others), _HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, other in zip(figure.subplots(1, len(others), squeeze=False)[0], others, strict=True):

        def place(point: Point, other: str | None = other) -> tuple[float, float]:
            across = point.number if other is None else point.figures[other]
            return across, point.figures[names[0]]

        for some, style, title in (
            (points, {"marker": "o", "color": "0.7", "s": 18}, "trials"),
            (front, {"marker": "s", "color": "C0", "s": 30}, "front"),
        ):
            if some:
                axes.scatter(*zip(*map(place, some), strict=True), label=title, **style)
        axes.set_ylabel(OBJECTIVES[names[0]].title)
        axes.set_xlabel("trial" if other is None else OBJECTIVES[other].title)
        across = [place(point)[0] for point in points]
        if other is not None and across and 0 < min(across) * _WIDE < max(across) < math.inf:
            axes.set_xscale("log")
        axes.grid(visible=True, which="both", alpha=0.3)
        if points:
            axes.legend()
        label(axes, [(str(point.number), place(point)) for point in front])
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
