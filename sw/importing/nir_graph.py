"""NIR's graphs, from a file or in memory, as graphs of ours.

NIR is the Neuromorphic Intermediate Representation (Pedersen et al., Nature Communications 2024): a
format in which toolkits for spiking networks exchange graphs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.importing.graph import Graph, Node, Passage
from spikeloom.sw.importing.hdf5 import read_tree

#: Graphs within graphs, and nodes of all of them.
MAX_DEPTH, MAX_NODES = 8, 4096
#: Fields of NIR's nodes in memory that are no parameters.
_NO_FIELDS = {"output_type"}


def read_nir(path: str | Path) -> Graph:
    """Read the graph in a ``.nir`` file.

    Parameters
    ----------
    path : path

    Returns
    -------
    Graph
        Graphs within graphs are dissolved: their nodes are named ``outer.inner``.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, no NIR, or only half written; the message names the node.
    UnsupportedError
        If it has a kind of node that Spikeloom does not take.
    """
    tree = read_tree(path)
    root = tree.get("node")
    if not isinstance(root, dict):
        raise FileFormatError(f"{path} is an HDF5 file, but no NIR: it has no group 'node'")
    return _graph(root, str(path))


def graph_in_memory(graph: Any) -> Graph:
    """Return a ``nir.NIRGraph`` in memory as a graph of ours; nothing of nir is imported.

    Raises
    ------
    FileFormatError, UnsupportedError
        As :func:`read_nir`; FileFormatError also if it is no such graph.
    """
    if not isinstance(getattr(graph, "nodes", None), Mapping) or not hasattr(graph, "edges"):
        raise FileFormatError(
            f"a graph of NIR has nodes and edges, which {type(graph).__name__} has not: give a "
            f"nir.NIRGraph, or the path of a .nir file"
        )
    return _graph(_tree_of(graph, 0), "the graph")


def _tree_of(node: Any, depth: int) -> dict[str, Any]:
    """Return a node of NIR's in memory as its file would hold it."""
    if depth > MAX_DEPTH:
        raise FileFormatError(f"the graph has graphs within graphs, {MAX_DEPTH} deep")
    kind = type(node).__name__
    if kind == "NIRGraph":
        nodes = {str(name): _tree_of(inner, depth + 1) for name, inner in node.nodes.items()}
        metadata = getattr(node, "metadata", None)
        return {
            "type": kind,
            "nodes": nodes,
            "edges": [tuple(edge) for edge in node.edges],
            "metadata": metadata if isinstance(metadata, Mapping) else {},
        }
    fields = {name: value for name, value in vars(node).items() if name not in _NO_FIELDS}
    # Tensors become arrays, wherever they lie.
    found = {
        name: value.detach().cpu().numpy() if hasattr(value, "detach") else value
        for name, value in fields.items()
        if value is not None
    }
    if kind in ("Input", "Output"):
        found["shape"] = found.pop("input_type", None)
    return {**found, "type": kind}


def _graph(root: Mapping[str, Any], name: str) -> Graph:
    nodes: dict[str, Node] = {}
    edges: list[tuple[str, str]] = []
    _collect(root, "", name, nodes, edges, 0)
    metadata = root.get("metadata")
    return Graph(
        nodes,
        tuple(dict.fromkeys(edges)),
        name,
        dict(metadata) if isinstance(metadata, Mapping) else {},
    )


def _collect(
    root: Mapping[str, Any],
    prefix: str,
    name: str,
    nodes: dict[str, Node],
    edges: list[tuple[str, str]],
    depth: int,
) -> None:
    """Add the nodes and edges of a graph, and of the graphs in it, to ``nodes`` and ``edges``."""
    where = f"{name}: the graph {prefix.rstrip('.')!r}" if prefix else name
    if depth > MAX_DEPTH:
        raise FileFormatError(f"{where} lies in more than {MAX_DEPTH} graphs")
    members = root.get("nodes")
    if not isinstance(members, Mapping):
        raise FileFormatError(f"{where} has no group 'nodes': export it again")
    inner: dict[str, dict[str, list[str]]] = {}
    for key, value in members.items():
        here = f"{prefix}{key}"
        label = f"{name}: node {key!r}" if len(here) <= 80 else f"{name}: node {here[:77]!r}..."
        if not isinstance(value, Mapping):
            raise FileFormatError(f"{label} is an array, not a node: export it again")
        kind = value.get("type")
        if isinstance(kind, bytes):
            kind = kind.decode("utf-8", "replace")
        if kind is None:
            present = f"has no type, only {', '.join(value)}" if value else "is empty"
            raise FileFormatError(
                f"{label} {present}: the export broke off at it; export it again "
                f"or read the module itself (docs/import.md)"
            )
        if kind == "NIRGraph":
            _collect(value, f"{here}.", name, nodes, edges, depth + 1)
            inner[key] = {
                "in": _ends(value, f"{here}.", "Input"),
                "out": _ends(value, f"{here}.", "Output"),
            }
            continue
        if prefix and kind in ("Input", "Output"):
            nodes[here] = Passage()
        else:
            nodes[here] = Node.build(kind, value, label)
        if len(nodes) > MAX_NODES:
            raise FileFormatError(f"{where} has more than {MAX_NODES:,} nodes")
    for source, target in _edges(root, where):
        for end in (source, target):
            if end not in members:
                raise FileFormatError(
                    f"{where} has the edge {source!r} -> {target!r}, but no node {end!r}: export "
                    f"it again"
                )
        starts = inner[source]["out"] if source in inner else [f"{prefix}{source}"]
        stops = inner[target]["in"] if target in inner else [f"{prefix}{target}"]
        edges += [(a, b) for a in starts for b in stops]


def _ends(graph: Mapping[str, Any], prefix: str, kind: str) -> list[str]:
    members = graph.get("nodes")
    assert isinstance(members, Mapping), "it was collected"
    names = (kind, kind.encode())
    return [f"{prefix}{key}" for key, value in members.items() if value.get("type") in names]


def _edges(root: Mapping[str, Any], where: str) -> list[tuple[str, str]]:
    table = root.get("edges")
    if table is None:
        raise FileFormatError(
            f"{where} has no edges: the export broke off; export it again or read the module "
            f"itself (docs/import.md)"
        )
    rows = list(table) if isinstance(table, (list, tuple, np.ndarray)) else None
    if rows is None or any(isinstance(row, str) or np.shape(row) != (2,) for row in rows):
        raise FileFormatError(f"{where} has edges that are no pairs of names: export it again")
    return [(_text(a), _text(b)) for a, b in rows]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
