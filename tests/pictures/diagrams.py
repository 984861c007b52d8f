"""Block diagrams for docs/hardware.md, as boxes at places and arrows between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

#: Colours by what a box does.
STORES, WORKS, OUTSIDE = "#fff3d6", "#dcebfa", "#eeeeee"


@dataclass(frozen=True)
class Box:
    """A box with lines of text around ``at``, of ``size`` across and up."""

    name: str
    text: str
    at: tuple[float, float]
    size: tuple[float, float] = (2.6, 1.3)
    fill: str = WORKS


@dataclass(frozen=True)
class Arrow:
    """An arrow from one box to another, from side to side as on a compass, with a text beside it.

    ``way`` is how it goes: "-" straight, "<->" with two heads, "-|" across and then up or down,
    "|-" the other way round.
    """

    source: str
    target: str
    text: str = ""
    sides: str = "EW"
    way: str = "-"


@dataclass(frozen=True)
class Diagram:
    """Boxes, arrows, and frames around boxes, each with the names of those that it holds."""

    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    frames: Sequence[tuple[str, tuple[str, ...]]] = field(default=())


def accelerator() -> Diagram:
    """Return the design for a board: link and self test around the engines of all layers."""
    boxes = (
        Box("host", "host\n(serial line)", (0, 0), fill=OUTSIDE),
        Box("uart", "link\nUART, frames, CRC", (4.4, 0), (3.6, 1.3)),
        Box("images", "images\ntwo banks", (8.6, 1.6), fill=STORES),
        Box("results", "results\ntwo banks", (8.6, -1.6), fill=STORES),
        Box("selftest", "self test\nimages and logits", (13, -4.6), (3.6, 1.3), STORES),
        Box("first", "engine\nconv1", (13, 1.6)),
        Box("second", "engine\nconv2", (17, 1.6)),
        Box("third", "engine\nconv3", (17, -1.6)),
        Box("serializer", "serializer\none logit a cycle", (13, -1.6), (3.3, 1.3)),
        Box("lights", "LEDs", (17, -4.6), fill=OUTSIDE),
    )
    arrows = (
        Arrow("host", "uart", way="<->"),
        Arrow("uart", "images", sides="NW", way="|-"),
        Arrow("images", "first", "pixels"),
        Arrow("first", "second", "counts"),
        Arrow("second", "third", "counts\nor spikes", sides="SN"),
        Arrow("third", "serializer", "", sides="WE"),
        Arrow("serializer", "results", "logits", sides="WE"),
        Arrow("results", "uart", sides="WS", way="-|"),
        Arrow("serializer", "selftest", "at power-up", sides="SN", way="<->"),
        Arrow("selftest", "lights"),
    )
    return Diagram(boxes, arrows, (("accelerator", ("first", "second", "third", "serializer")),))


def engine() -> Diagram:
    """Return one engine: reader, events, lanes, neurons."""
    boxes = (
        Box("source", "engine\nbefore", (0, 0), (1.9, 1.3), OUTSIDE),
        Box("pool", "pool", (3.3, 0), (1.7, 1.3)),
        Box("rows", "row buffer", (6.4, 0), (2.2, 1.3), STORES),
        Box("scanner", "scanner\nwords of a window", (10.2, 0), (3.6, 1.3)),
        Box("queue", "event generator\nskips zeros, queues", (10.2, -3), (3.8, 1.3)),
        Box("weights", "weights\nM a word", (10.2, -5.4), (2.2, 1.3), STORES),
        Box("lane0", "lane 0: acc += \u00b1(w << shift)", (4.4, -3), (5.4, 0.8)),
        Box("lane1", "lane 1", (4.4, -4.1), (5.4, 0.8)),
        Box("lanes", "\u2026  lane M \u2212 1", (4.4, -5.2), (5.4, 0.8)),
        Box("sums", "sums\nof a window", (4.4, -7.4), (2.6, 1.3), STORES),
        Box("neurons", "neurons\nT timesteps", (8.3, -7.4), (2.6, 1.3)),
        Box("skid", "skid", (11.6, -7.4), (1.5, 1.3), STORES),
        Box("target", "engine\nbehind", (14.6, -7.4), (1.9, 1.3), OUTSIDE),
    )
    arrows = (
        Arrow("source", "pool"),
        Arrow("pool", "rows"),
        Arrow("rows", "scanner"),
        Arrow("scanner", "queue", "words", sides="SN"),
        Arrow("queue", "lane0", "event", sides="WE"),
        Arrow("queue", "weights", "address", sides="SN"),
        Arrow("weights", "lanes", sides="WE"),
        Arrow("lanes", "sums", sides="SN"),
        Arrow("sums", "neurons"),
        Arrow("neurons", "skid"),
        Arrow("skid", "target"),
    )
    inside = tuple(box.name for box in boxes if box.fill != OUTSIDE)
    return Diagram(boxes, arrows, (("engine of one layer", inside),))


def unrolled() -> Diagram:
    """Return an unrolled engine, whose weights are logic."""
    boxes = (
        Box("source", "pixels", (0, 0), (1.9, 1.3), OUTSIDE),
        Box("lines", "lines\nall rows but one", (4, 0), (3, 1.3), STORES),
        Box("window", "window\nin registers", (8.3, 0), (2.6, 1.3), STORES),
        Box("tables", "tables and adders\nP bit planes a cycle", (12.9, 0), (4, 1.3)),
        Box("sums", "acc = (acc << P) + \u2026", (12.9, -2.6), (4, 1.3)),
        Box("neurons", "M neurons", (8.3, -2.6), (2.6, 1.3)),
        Box("target", "engine\nbehind", (4, -2.6), (1.9, 1.3), OUTSIDE),
    )
    arrows = (
        Arrow("source", "lines"),
        Arrow("lines", "window"),
        Arrow("window", "tables"),
        Arrow("tables", "sums", sides="SN"),
        Arrow("sums", "neurons", sides="WE"),
        Arrow("neurons", "target", sides="WE"),
    )
    return Diagram(boxes, arrows)


def diagrams() -> dict[str, Diagram]:
    """Return all of them by their names in docs/hardware."""
    return {"accelerator": accelerator(), "engine": engine(), "unrolled": unrolled()}
