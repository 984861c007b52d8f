"""Labels of points, of which none covers another."""

from __future__ import annotations

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spikeloom.sw.drawing import label


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_label_that_would_cover_an_earlier_one_is_left_out(scale: str) -> None:
    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    points = [(1.0, 1.0), (1.001, 1.001), (5.0, 5.0), (9.0, 9.0), (9.001, 9.0)]
    axes.plot(*zip(*points, strict=True))
    axes.set_xscale(scale)
    kept = label(axes, [(f"point {k}", point) for k, point in enumerate(points)])
    assert [one.get_text() for one in kept] == ["point 0", "point 2", "point 3"]
    assert list(axes.texts) == kept
    figure.canvas.draw()
    boxes = [one.get_window_extent() for one in kept]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
