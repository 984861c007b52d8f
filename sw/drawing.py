"""Labels of points in pictures, of which none covers another."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.text import Annotation

__all__ = ["label"]


def label(axes: Axes, labels: Sequence[tuple[str, tuple[float, float]]]) -> list[Annotation]:
    """Write texts beside points, but leave out those that would cover an earlier one.

    Call it last: whether texts meet depends on everything else in the figure.

    Parameters
    ----------
    axes : Axes
        Of a figure that has a canvas.
    labels : sequence of (str, (float, float))
        Texts and points, the most important first.

    Returns
    -------
    list of Annotation
        Those that are left.
    """
    made = [
        axes.annotate(text, point, (4, 4), textcoords="offset points", fontsize=7)
        for text, point in labels
    ]
    axes.figure.canvas.draw()
    kept: list[Annotation] = []
    for one in made:
        box = one.get_window_extent()
        if any(box.overlaps(other.get_window_extent()) for other in kept):
            one.remove()
        else:
            kept.append(one)
    return kept
