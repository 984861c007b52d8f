"""A picture of the layers' health, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spikeloom.sw.diagnostics.health import LayerHealth
from spikeloom.sw.diagnostics.history import Phase
from spikeloom.sw.files import replacing

#: Title of each plot, whether its axis is logarithmic, and the measure that it shows.
PLOTS: tuple[tuple[str, bool, Callable[[LayerHealth], float | None]], ...] = (
    ("threshold λ", True, lambda layer: layer.threshold),
    ("spikes over T", False, lambda layer: layer.rate),
    ("share of driving inputs clipped", False, lambda layer: layer.clipped),
)
#: Inches.
WIDTH, HEIGHT = 15.0, 4.5


def draw(phases: Sequence[Phase], path: str | Path) -> None:
    """Draw λ, the rate of spikes and the clipped share of each layer over all epochs, as PNG.

    No window is opened. Measures that were not taken are left out.

    Parameters
    ----------
    phases : sequence of Phase
        Drawn one after another, with a line between them.
    path : path
        PNG file to write.

    Raises
    ------
    FileFormatError
        If it cannot be written.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    epochs = [epoch for phase in phases for epoch in phase.epochs]
    names = list(dict.fromkeys(layer.name for epoch in epochs for layer in epoch))
    colours = colormaps["viridis"].resampled(max(2, len(names)))
    for axes, (title, logarithmic, value) in zip(
        figure.subplots(1, len(PLOTS)), PLOTS, strict=True
    ):
        for index, name in enumerate(names):
            _curve(axes, epochs, name, value, colours(index))
        end = 0
        for phase in phases[:-1]:
            end += len(phase.epochs)
            axes.axvline(end - 0.5, color="grey", linewidth=0.8)
        if logarithmic:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(title)
        axes.set_xlabel("epoch")
    handles, labels = figure.axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize="small")
    with replacing(path) as temporary:
        canvas.print_png(str(temporary))  # type: ignore[no-untyped-call]


def _curve(
    axes: Axes,
    epochs: Sequence[Sequence[LayerHealth]],
    name: str,
    value: Callable[[LayerHealth], float | None],
    colour: tuple[float, float, float, float],
) -> None:
    points = [
        (index, shown)
        for index, epoch in enumerate(epochs)
        for layer in epoch
        if layer.name == name and (shown := value(layer)) is not None
    ]
    axes.plot(
        [x for x, _ in points],
        [y for _, y in points],
        color=colour,
        marker="o",
        markersize=3,
        linewidth=1.2,
        label=name,
    )
