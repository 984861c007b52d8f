"""Graphs of NIR, from files and in memory."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support import nir

from spikeloom.sw.errors import FileFormatError, UnsupportedError
from spikeloom.sw.importing import read_nir
from spikeloom.sw.importing.graph import IF, Affine, Graph, Passage
from spikeloom.sw.importing.nir_graph import graph_in_memory


def test_a_graph_has_the_nodes_and_edges_of_its_file(tmp_path: Path) -> None:
    tree = nir.chain(nir.affine([[1, 2]], [3]), nir.fire(1), shape=(2,))
    graph = read_nir(nir.write(tmp_path / "net.nir", tree))
    assert graph.edges == (("input", "0"), ("0", "1"), ("1", "output"))
    node = graph.nodes["0"]
    assert isinstance(node, Affine)
    assert (node.weight.tolist(), node.bias.tolist()) == ([[1, 2]], [3])
    assert (graph.sources("1"), graph.targets("1"), graph.of(IF)) == (["0"], ["output"], ["1"])


def test_graphs_within_graphs_are_dissolved(tmp_path: Path) -> None:
    inner = {
        "type": "NIRGraph",
        "nodes": {
            "in": {"type": "Input"},
            "lif": nir.fire(1),
            "rec": nir.affine([[1]]),
            "out": {"type": "Output"},
        },
        "edges": [("in", "lif"), ("lif", "rec"), ("rec", "lif"), ("lif", "out")],
    }
    graph = read_nir(nir.write(tmp_path / "net.nir", nir.chain(nir.affine([[1]]), inner)))
    assert ("0", "1.in") in graph.edges
    assert ("1.out", "output") in graph.edges
    assert ("1.rec", "1.lif") in graph.edges
    assert isinstance(graph.nodes["1.in"], Passage)


def _without(tree: nir.Tree, node: str, field: str) -> nir.Tree:
    del tree["nodes"][node][field]
    return tree


def _with(tree: nir.Tree, node: str, field: str, value: Any) -> nir.Tree:
    tree["nodes"][node][field] = value
    return tree


def _broken() -> list[tuple[nir.Tree, str]]:
    def small() -> nir.Tree:
        return nir.chain(nir.affine(np.eye(2)), nir.fire(2), shape=(2,))

    def topped(key: str, value: Any) -> nir.Tree:
        return {**small(), key: value}

    bare = small()
    del bare["edges"]
    return [
        (_without(small(), "1", "type"), "node '1' has no type, only r, v_reset, v_threshold"),
        (
            nir.chain(nir.affine(np.eye(2)), {}, shape=(2,)),
            "node '1' is empty: the export broke off",
        ),
        (_without(small(), "1", "v_threshold"), "node '1', of type IF, has no 'v_threshold'"),
        (_without(small(), "0", "bias"), "node '0', of type Affine, has no 'bias'"),
        (_with(small(), "0", "weight", np.zeros(3)), "node '0': weight must have 2 axes"),
        (_with(small(), "0", "bias", np.zeros(3)), "node '0': bias must have shape"),
        (_with(small(), "0", "weight", np.full((2, 2), np.nan)), "must hold real numbers, not NaN"),
        (_with(small(), "1", "v_threshold", np.full(2, np.inf)), "must be finite"),
        (_with(small(), "1", "v_threshold", "high"), "must hold real numbers"),
        (_with(small(), "input", "shape", np.array([1 << 40])), "a shape of sizes from 1 to"),
        (topped("edges", [("input", "none")]), "no node 'none'"),
        (topped("edges", np.zeros((2, 3))), "no pairs of names"),
        (topped("nodes", 3), "has no group 'nodes'"),
        (bare, "has no edges: the export broke off"),
    ]


@pytest.mark.parametrize("number", range(len(_broken())))
def test_a_half_written_graph_is_named_with_its_node(number: int, tmp_path: Path) -> None:
    tree, message = _broken()[number]
    with pytest.raises(FileFormatError, match=message) as caught:
        read_nir(nir.write(tmp_path / "net.nir", tree))
    assert str(tmp_path / "net.nir") in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "why"), [("LI", "never fires"), ("Delay", "a delay"), ("Zap", "takes")]
)
def test_a_kind_without_a_place_is_named(kind: str, why: str, tmp_path: Path) -> None:
    tree = nir.chain(nir.affine([[1]]), {"type": kind})
    with pytest.raises(UnsupportedError, match=f"node '1' is of .*{kind}.*{why}"):
        read_nir(nir.write(tmp_path / "net.nir", tree))


class NIRGraph(SimpleNamespace):
    """As nir's own class, whose nodes have their kind's name."""


def _node(name: str, **fields: Any) -> Any:
    return type(name, (SimpleNamespace,), {})(**fields, output_type={"output": None})


def test_a_graph_in_memory_is_read_without_nir() -> None:
    nodes = {
        "input": _node("Input", input_type={"input": np.array([2])}),
        "fc": _node("Affine", weight=np.eye(2), bias=np.zeros(2), metadata={}),
        "output": _node("Output", input_type={"input": None}),
    }
    graph = graph_in_memory(NIRGraph(nodes=nodes, edges=[("input", "fc"), ("fc", "output")]))
    assert list(graph.nodes) == ["input", "fc", "output"]
    assert getattr(graph.nodes["input"], "shape") == (2,)  # noqa: B009  (of any node)
    for other in (3, SimpleNamespace(nodes=3)):
        with pytest.raises(FileFormatError, match="has nodes and edges"):
            graph_in_memory(other)


def test_a_graph_needs_nodes() -> None:
    with pytest.raises(FileFormatError, match="has no nodes"):
        Graph({}, ())
