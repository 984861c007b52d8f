"""The network as a graph: a box for each layer, a line for each connection, as SVG.

networkx arranges layers in ranks: each below all that it reads. A line that passes by other ranks,
such as a residual branch, bends around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import networkx as nx
from markupsafe import Markup, escape

from spikeloom.sw.report.run import Json

_WIDTH, _HEIGHT = 210, 44
_ACROSS, _DOWN = 20, 30
#: How far a line bends around the boxes that it passes: by rank, and at most.
_BEND, _MOST_BEND = 14, 110
INPUT = "input"


def graph(network: Json, run: int) -> Markup:
    """Return the drawing of a network.

    Parameters
    ----------
    network : dict
        As ``spikeloom inspect --json`` prints it.
    run : int
        Number of the run on the page.
    """
    places = _places(network)
    right = max(x for x, _ in places.values()) + _WIDTH
    bottom = max(y for _, y in places.values()) + _HEIGHT
    lines = [
        _line(places, layer["name"], way, layer["timesteps"])
        for layer in network["layers"]
        for way in layer["connections"]
    ]
    bends = max((bend for _, bend in lines), default=0)
    entry = network["input"]
    boxes = [_box(*places[INPUT], INPUT, _input_text(entry))]
    for layer in network["layers"]:
        box = _box(*places[layer["name"]], layer["name"], _layer_text(layer))
        label = f"{layer['name']}: {_layer_text(layer)}. Show its figures"
        boxes.append(
            Markup(
                '<a href="#r{}-figures" class="layer" role="button" data-run="{}" data-layer="{}" '
                'aria-label="{}">{}</a>'
            ).format(run, run, layer["name"], label, box)
        )
    return Markup(
        '<svg class="graph" viewBox="-2 -2 {} {}" width="{}" xmlns="http://www.w3.org/2000/svg" '
        'role="group" aria-label="Layers of {}, and their connections">'
        '<defs><marker id="arrow{}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>{}{}</svg>'
    ).format(
        right + bends + 4,
        bottom + 4,
        right + bends + 4,
        network["name"],
        run,
        Markup("").join(line.replace("#arrow", f"#arrow{run}") for line, _ in lines),
        Markup("").join(boxes),
    )


def _places(network: Json) -> dict[str, tuple[int, int]]:
    """Return the left upper corner of each box by name."""
    found: Any = nx.DiGraph()
    found.add_node(INPUT)
    for layer in network["layers"]:
        found.add_node(layer["name"])
        for way in layer["connections"]:
            if way["source"] != layer["name"]:
                found.add_edge(way["source"], layer["name"])
    order = {name: k for k, name in enumerate([INPUT, *(x["name"] for x in network["layers"])])}
    places = {}
    for rank, names in enumerate(nx.topological_generations(found)):
        for column, name in enumerate(sorted(names, key=order.__getitem__)):
            places[name] = (column * (_WIDTH + _ACROSS), rank * (_HEIGHT + _DOWN))
    return places


def _line(
    places: dict[str, tuple[int, int]], name: str, way: Json, timesteps: int
) -> tuple[Markup, int]:
    """Return the line of a connection, and how far it reaches beyond the boxes."""
    (x, y), (left, top) = places[way["source"]], places[name]
    pool = f" behind {way['pool']['kind']}-pool" if way["pool"] else ""
    text = (
        f"{way['source']} to {name}: {way['transport']}{pool}, {way['synapses']['kind']}, weights "
        f"of {way['weight_bits']} bits"
    )
    ranks = (top - y) // (_HEIGHT + _DOWN)
    dashed = Markup(' class="spikes"') if way["transport"] != "count" else Markup("")
    bend = 0
    if ranks == 1:
        path = f"M{x + _WIDTH // 2} {y + _HEIGHT}L{left + _WIDTH // 2} {top}"
    else:
        # The layer's own spikes leave on the right side and come back there.
        bend = min(_BEND * (abs(ranks) + 1), _MOST_BEND)
        begin, end = (x + _WIDTH, y + _HEIGHT // 2), (left + _WIDTH, top + _HEIGHT // 2)
        if ranks == 0:
            begin, end = (begin[0], begin[1] - 9), (end[0], end[1] + 9)
        reach = max(begin[0], end[0]) + bend
        path = f"M{begin[0]} {begin[1]}C{reach} {begin[1]} {reach} {end[1]} {end[0]} {end[1]}"
    line = Markup('<path{} d="{}" marker-end="url(#arrow)"><title>{}</title></path>')
    return line.format(dashed, path, text), bend


def _box(x: int, y: int, name: str, text: str) -> Markup:
    shown = name if len(name) <= 26 else f"{name[:25]}…"
    return Markup(
        '<g transform="translate({} {})"><title>{}: {}</title><rect width="{}" height="{}" rx="5"/>'
        '<text x="{}" y="18" class="name">{}</text><text x="{}" y="35">{}</text></g>'
    ).format(
        x, y, name, text, _WIDTH, _HEIGHT, _WIDTH // 2, shown, _WIDTH // 2,
        escape(text if len(text) <= 36 else f"{text[:35]}…"),
    )  # fmt: skip


def size_text(shape: Sequence[int]) -> str:
    """Return a shape as text."""
    return "\u00d7".join(str(n) for n in shape)


def _input_text(entry: Json) -> str:
    size = size_text(entry["shape"])
    more = [f"{entry['bits']} bits"] if "bits" in entry else []
    more += [f"T = {entry['timesteps']}"] if "timesteps" in entry else []
    return ", ".join([size, *more])


def _layer_text(layer: Json) -> str:
    size = size_text(layer["shape"])
    bits = max(way["weight_bits"] for way in layer["connections"])
    return f"{size}, T = {layer['timesteps']}, {layer['neuron']['kind']}, {bits} bits"
