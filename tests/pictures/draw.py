"""Drawing of block diagrams and waveforms as SVG, by schemdraw, without a window or a font."""

from __future__ import annotations

from typing import Any

import schemdraw
from schemdraw import elements, flow
from schemdraw.backends import svg
from schemdraw.logic import TimingDiagram

from pictures.diagrams import Arrow, Box, Diagram
from pictures.waves import WaveJson

#: Units around the boxes of a frame, and text sizes in points.
_MARGIN, _SIZE, _SMALL = 0.55, 12, 10


def of_waveform(waveform: WaveJson) -> str:
    """Return a waveform as SVG."""
    with _drawing() as drawing:
        drawing.add(TimingDiagram(waveform, namecolor="black", datafontsize=9, gridcolor="#cccccc"))
    return _text(drawing)


def of_diagram(diagram: Diagram) -> str:
    """Return a block diagram as SVG."""
    boxes = {box.name: box for box in diagram.boxes}
    with _drawing() as drawing:
        for name, inside in diagram.frames:
            _frame(drawing, name, [boxes[x] for x in inside])
        for box in diagram.boxes:
            drawing.add(
                flow.Box(w=box.size[0], h=box.size[1], fontsize=_SIZE)
                .at((box.at[0] - box.size[0] / 2, box.at[1]))
                .theta(0)
                .anchor("W")
                .fill(box.fill)
                .label(box.text)
            )
        for arrow in diagram.arrows:
            _arrow(drawing, arrow, boxes)
    return _text(drawing)


def _drawing() -> Any:
    # Names of clipping paths are counted over all drawings of a process.
    svg.Figure.total_clips = 0
    schemdraw.svgconfig.text = "text"
    drawing = schemdraw.Drawing(canvas="svg", show=False)
    drawing.config(bgcolor="white", font="sans-serif", lw=1.2, margin=0.3)
    return drawing


def _frame(drawing: Any, name: str, boxes: list[Box]) -> None:
    left = min(box.at[0] - box.size[0] / 2 for box in boxes) - _MARGIN
    right = max(box.at[0] + box.size[0] / 2 for box in boxes) + _MARGIN
    low = min(box.at[1] - box.size[1] / 2 for box in boxes) - _MARGIN
    high = max(box.at[1] + box.size[1] / 2 for box in boxes) + _MARGIN
    drawing.add(
        elements.Rect(corner1=(left, low), corner2=(right, high), ls="--", lw=1, color="#666666")
        .at((0, 0))
        .theta(0)
    )
    drawing.add(
        elements.Label(fontsize=_SIZE)
        .at((left + 0.1, high + 0.1))
        .label(name, halign="left", valign="bottom", loc="center")
    )


def _side(box: Box, side: str) -> tuple[float, float]:
    across, up = {"N": (0, 1), "S": (0, -1), "E": (1, 0), "W": (-1, 0)}[side]
    return box.at[0] + across * box.size[0] / 2, box.at[1] + up * box.size[1] / 2


def _arrow(drawing: Any, arrow: Arrow, boxes: dict[str, Box]) -> None:
    start = _side(boxes[arrow.source], arrow.sides[0])
    end = _side(boxes[arrow.target], arrow.sides[1])
    # A straight arrow between boxes whose middles differ leaves where the smaller one is.
    if arrow.sides in ("EW", "WE"):
        start = (start[0], end[1])
    if arrow.sides in ("NS", "SN"):
        start = (end[0], start[1])
    both = arrow.way == "<->"
    way = arrow.way if arrow.way in ("-|", "|-") else "-"
    drawing.add(elements.Wire(way, arrow="<->" if both else "->").at(start).to(end))
    if arrow.text:
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        upright = start[0] == end[0]
        place = (middle[0] + 0.12, middle[1]) if upright else (middle[0], middle[1] + 0.1)
        drawing.add(
            elements.Label(fontsize=_SMALL)
            .at(place)
            .label(
                arrow.text,
                loc="center",
                halign="left" if upright else "center",
                valign="center" if upright else "bottom",
            )
        )


def _text(drawing: Any) -> str:
    content: bytes = drawing.get_imagedata("svg")
    return content.decode("utf-8").rstrip("\n") + "\n"
