"""Charts, drawn by Bokeh in the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    FactorRange,
    HoverTool,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.plotting import figure

#: Colours that are told apart with every kind of colour vision (Okabe and Ito), and in grey.
COLOURS = ("#0072b2", "#e69f00", "#bbbbbb", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#666666")
#: Patterns of the second and third kind of bars, which are seen in print.
_HATCHES = (" ", "/", ".", "x", "-", "|", "+", " ")
_ROW, _FRAME, _LEGEND, _HEIGHT, _TALL = 20, 70, 44, 240, 360


def bars(title: str, names: Sequence[str], series: Mapping[str, Sequence[float]], unit: str) -> Any:
    """Return a chart of horizontal bars, one for each name, in stacked parts.

    Parameters
    ----------
    title : str
    names : sequence of str
        From top to bottom.
    series : mapping of str to sequence of float
        Lengths of each part by name.
    unit : str
    """
    rows = FactorRange(factors=list(reversed(names)))
    plot = _plot(title, _FRAME + _ROW * len(names), unit, "", y_range=rows)
    begins = [0.0] * len(names)
    for number, (part, values) in enumerate(series.items()):
        ends = [begin + value for begin, value in zip(begins, values, strict=True)]
        data = {"name": list(names), "begin": begins, "end": ends, "value": list(values)}
        plot.hbar(
            y="name",
            left="begin",
            right="end",
            height=0.75,
            source=ColumnDataSource({**data, "part": [part] * len(names)}),
            fill_color=COLOURS[number % len(COLOURS)],
            line_color="white",
            hatch_pattern=_HATCHES[number % len(_HATCHES)],
            hatch_alpha=0.35,
            **({"legend_label": part} if len(series) > 1 else {}),
        )
        begins = ends
    plot.x_range.start = 0
    plot.add_tools(HoverTool(tooltips=[("", "@name: @part"), (unit, "@value{0,0.[0000]}")]))
    _legend(plot)
    return plot


def steps(title: str, names: Sequence[str], values: Sequence[float], unit: str) -> Any:
    """Return a chart of values that follow one another, joined by a line, each with its text."""
    low, high = min(values), max(values)
    margin = max((high - low) / 2, 0.002)
    span = Range1d(start=low - margin, end=high + margin)
    plot = _plot(title, _HEIGHT, "", unit, x_range=FactorRange(factors=list(names)), y_range=span)
    texts = [f"{value:.2%}".replace("%", " %") for value in values]
    source = ColumnDataSource({"name": list(names), "value": list(values), "text": texts})
    plot.line(x="name", y="value", source=source, color=COLOURS[0], line_width=2)
    plot.scatter(x="name", y="value", source=source, color=COLOURS[0], size=10)
    plot.text(
        x="name", y="value", text="text", source=source, y_offset=-8, text_align="center",
        text_font_size="13px",
    )  # fmt: skip
    plot.yaxis.formatter = NumeralTickFormatter(format="0.0%")
    plot.add_tools(HoverTool(tooltips=[("", "@name"), (unit, "@text")]))
    return plot


def points(
    title: str, x: Sequence[float], y: Sequence[float], across: str, up: str, joined: bool
) -> Any:
    """Return a chart of points."""
    plot = _plot(title, _HEIGHT, across, up)
    source = ColumnDataSource({"x": list(x), "y": list(y)})
    if joined:
        plot.line(x="x", y="y", source=source, color=COLOURS[0], line_width=2)
    plot.scatter(x="x", y="y", source=source, color=COLOURS[0], size=7, alpha=0.7)
    plot.add_tools(HoverTool(tooltips=[(across, "@x{0.[00]}"), (up, "@y{0.[0000]}")]))
    return plot


def front(
    title: str,
    names: Sequence[str],
    places: Sequence[tuple[float, float]],
    best: Sequence[bool],
    across: str,
    up: str,
) -> Any:
    """Return a chart of trials by two figures, where those of the Pareto front are marked.

    Parameters
    ----------
    title : str
    names : sequence of str
        Of the trials; those of the front are written beside their marks.
    places : sequence of (float, float)
        Figures of each trial: across and up.
    best : sequence of bool
        Whether each trial is of the front.
    across, up : str
        Titles of the figures. The axis is logarithmic where the largest figure across is more than
        ten times the smallest.
    """
    figures = [x for x, _ in places]
    wide = bool(figures) and 0 < 10 * min(figures) < max(figures)
    plot = _plot(title, _TALL, across, up, x_axis_type="log" if wide else "linear")
    for some, label, marker, colour, size in (
        (False, "trials", "circle", COLOURS[7], 6),
        (True, "front", "square", COLOURS[0], 10),
    ):
        data = [(n, *place) for n, place, x in zip(names, places, best, strict=True) if x == some]
        columns = list(zip(*data, strict=True)) or [(), (), ()]
        source = ColumnDataSource(dict(zip(("name", "x", "y"), map(list, columns), strict=True)))
        plot.scatter(
            x="x", y="y", source=source, marker=marker, size=size, color=colour, alpha=0.7,
            legend_label=label,
        )  # fmt: skip
        if some:
            plot.text(
                x="x", y="y", text="name", source=source, x_offset=8, text_baseline="middle",
                text_font_size="12px",
            )  # fmt: skip
    plot.x_range.range_padding = 0.15
    about = [("", "trial @name"), (across, "@x{0,0.[0000]}"), (up, "@y{0,0.[0000]}")]
    plot.add_tools(HoverTool(tooltips=about))
    _legend(plot)
    return plot


def spans(
    title: str, names: Sequence[str], kinds: Mapping[str, Mapping[str, Sequence[Sequence[int]]]]
) -> Any:
    """Return a chart of spans of clock cycles in rows.

    Parameters
    ----------
    title : str
    names : sequence of str
        Of the rows, from top to bottom.
    kinds : mapping of str to mapping of str to spans
        Spans of each row by its name, by kind; later kinds lie over earlier ones.
    """
    rows = FactorRange(factors=list(reversed(names)))
    plot = _plot(title, _FRAME + _ROW * len(names), "clock cycles", "", y_range=rows)
    for number, (kind, by_name) in enumerate(kinds.items()):
        found = [(name, *span) for name in names for span in by_name[name]]
        columns = list(zip(*found, strict=True)) or [(), (), ()]
        data: dict[str, list[Any]] = dict(
            zip(("name", "begin", "end"), map(list, columns), strict=True)
        )
        data["kind"] = [kind] * len(found)
        plot.hbar(
            y="name",
            left="begin",
            right="end",
            height=0.7,
            source=ColumnDataSource(data),
            fill_color=COLOURS[number],
            line_color=None,
            legend_label=kind,
        )
    about = [("", "@name: @kind"), ("clock cycles", "@begin{0,0} to @end{0,0}")]
    plot.add_tools(HoverTool(tooltips=about))
    _legend(plot)
    return plot


def raster(title: str, names: Sequence[str], spikes: Sequence[Sequence[int]]) -> Any:
    """Return a chart of spikes: a mark for each neuron and timestep that has one.

    Parameters
    ----------
    title : str
    names : sequence of str
        Of the neurons.
    spikes : sequence of sequence of int
        Spikes of each neuron by timestep.
    """
    rows = FactorRange(factors=list(reversed(names)))
    plot = _plot(title, _FRAME + _ROW * len(names), "timestep", "", y_range=rows)
    plot.x_range = Range1d(start=0.5, end=len(spikes[0]) + 0.5)
    found = [
        (name, t, value)
        for name, row in zip(names, spikes, strict=True)
        for t, value in enumerate(row, 1)
        if value
    ]
    data = {
        "name": [name for name, _, _ in found],
        "t": [t for _, t, _ in found],
        "value": [value for _, _, value in found],
        "colour": [COLOURS[0] if value > 0 else COLOURS[5] for _, _, value in found],
    }
    plot.scatter(
        x="t", y="name", size=11, marker="square", color="colour", source=ColumnDataSource(data)
    )
    plot.add_tools(HoverTool(tooltips=[("", "@name, timestep @t"), ("spike", "@value")]))
    return plot


def curves(title: str, names: Sequence[str], values: Sequence[Sequence[int]], up: str) -> Any:
    """Return a chart of values by timestep, a line for each name."""
    plot = _plot(title, _HEIGHT, "timestep", up)
    for number, (name, row) in enumerate(zip(names, values, strict=True)):
        data = {"t": list(range(1, len(row) + 1)), "v": list(row), "name": [name] * len(row)}
        source, colour = ColumnDataSource(data), COLOURS[number % len(COLOURS)]
        dash = ("solid", "dashed", "dotted")[number % 3]
        plot.line(x="t", y="v", source=source, color=colour, line_width=2, line_dash=dash)
        plot.scatter(x="t", y="v", source=source, color=colour, size=5)
    plot.x_range = Range1d(start=0.5, end=max(map(len, values)) + 0.5)
    plot.add_tools(HoverTool(tooltips=[("", "@name, timestep @t"), (up, "@v{0,0}")]))
    return plot


def _plot(title: str, height: int, across: str, up: str, **options: Any) -> Any:
    plot: Any = figure(
        title=title,
        height=height,
        sizing_mode="stretch_width",
        tools="pan,xwheel_zoom,box_zoom,reset",
        active_scroll=None,
        x_axis_label=across or None,
        y_axis_label=up or None,
        **options,
    )
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    plot.title.text_font_size = "14px"
    if not isinstance(plot.x_range, FactorRange):
        plot.xaxis.formatter = NumeralTickFormatter(format="0,0.[0000]")
    if across == "timestep":
        plot.xaxis.ticker = BasicTicker(min_interval=1, num_minor_ticks=0)
    if isinstance(plot.y_range, FactorRange):
        plot.ygrid.grid_line_color = None
    else:
        plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[0000]")
    return plot


def _legend(plot: Any) -> None:
    if plot.legend:
        plot.height += _LEGEND  # so that the rows keep theirs
        plot.legend.orientation = "horizontal"
        plot.add_layout(plot.legend[0], "above")
        plot.legend[0].border_line_color = None
        plot.legend[0].padding = 2
