"""The graph: a box for each layer, below all that it reads, and a line for each connection."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

from support.networks.examples import every_kind

from spikeloom.sw.cli.inspect import summarize
from spikeloom.sw.report.graph import graph

SVG = "{http://www.w3.org/2000/svg}"


def test_boxes_and_lines() -> None:
    network = every_kind()
    summary = json.loads(json.dumps(summarize(network)))
    root = ElementTree.fromstring(str(graph(summary, 0)))
    names = [layer.name for layer in network.layers]
    assert [x.attrib["data-layer"] for x in root.iter(f"{SVG}a")] == names
    tops = {"input": 0}
    for box in root.iter(f"{SVG}a"):
        (place,) = [x.attrib["transform"] for x in box.iter(f"{SVG}g")]
        tops[box.attrib["data-layer"]] = int(re.findall(r"\d+", place)[1])
    lines = [x for x in root.iter(f"{SVG}path") if x.find(f"{SVG}title") is not None]
    ways = [(c.source, layer.name) for layer in network.layers for c in layer.connections]
    assert len(lines) == len(ways)
    for source, name in ways:
        assert tops[source] < tops[name]
    dashed = [x for x in lines if x.attrib.get("class") == "spikes"]
    spikes = [c for layer in network.layers for c in layer.connections if c.transport != "count"]
    assert len(dashed) == len(spikes)
    # A line that passes by other ranks bends; all others are straight.
    assert any("C" in x.attrib["d"] for x in lines)
    assert any("L" in x.attrib["d"] for x in lines)


def test_names_cannot_break_out() -> None:
    summary = json.loads(json.dumps(summarize(every_kind())))
    hostile = '"><script>alert(1)</script>'
    summary["name"] = hostile
    summary["layers"][-1]["name"] = hostile
    root = ElementTree.fromstring(str(graph(summary, 0)))
    assert not list(root.iter(f"{SVG}script"))
    assert [x.attrib["data-layer"] for x in root.iter(f"{SVG}a")][-1] == hostile
