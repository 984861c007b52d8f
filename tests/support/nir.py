"""Small graphs of NIR, as toolkits write them, and their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Tree = dict[str, Any]


def affine(weight: Any, bias: Any = None) -> Tree:
    weight = np.asarray(weight, np.float32)
    rest = np.zeros(len(weight)) if bias is None else np.asarray(bias)
    return {"type": "Affine", "weight": weight, "bias": rest.astype(np.float32)}


def conv(weight: Any, bias: Any = None, **others: Any) -> Tree:
    weight = np.asarray(weight, np.float32)
    return {
        "type": "Conv2d",
        "weight": weight,
        "bias": np.zeros(len(weight)) if bias is None else np.asarray(bias, np.float32),
        "stride": np.array([1, 1]),
        "padding": np.array([0, 0]),
        "dilation": np.array([1, 1]),
        "groups": np.int64(1),
        **others,
    }


def pool(kind: str, size: int) -> Tree:
    pair = np.array([size, size])
    return {"type": kind, "kernel_size": pair, "stride": pair, "padding": np.array([0, 0])}


def fire(shape: Any, r: float = 1.0, threshold: float = 1.0, reset: float = 0.0) -> Tree:
    return {
        "type": "IF",
        "r": np.full(shape, r),
        "v_threshold": np.full(shape, threshold),
        "v_reset": np.full(shape, reset),
    }


def leaky(shape: Any, tau: float, r: float, threshold: float = 1.0, rest: float = 0.0) -> Tree:
    return {
        **fire(shape, r, threshold, rest),
        "type": "LIF",
        "tau": np.full(shape, tau),
        "v_leak": np.full(shape, rest),
    }


def snntorch_leaky(shape: Any, beta: float, threshold: float = 1.0) -> Tree:
    tau = np.inf if beta == 1 else 1e-4 / (1 - beta)
    return leaky(shape, tau, tau / 1e-4, threshold)


def synaptic(shape: Any, steps: float, steps_of_current: float, threshold: float = 1.0) -> Tree:
    """Return snnTorch's Synaptic, with time constants in timesteps."""
    return {
        **fire(shape, steps, threshold),
        "type": "CubaLIF",
        "tau_mem": np.full(shape, steps * 1e-4),
        "tau_syn": np.full(shape, steps_of_current * 1e-4),
        "w_in": np.full(shape, steps_of_current),
        "v_leak": np.zeros(shape),
    }


def chain(
    *nodes: Tree, shape: Sequence[int] | None = None, first: str = "input", **others: Tree
) -> Tree:
    """Return a graph of nodes one behind the other, named by their position.

    Parameters
    ----------
    *nodes : dict
    shape : sequence of int, optional
        Of the input.
    first : str
        Name of the input: SpikingJelly's is ``input_1``.
    **others : dict
        Nodes without edges.
    """
    start: Tree = {"type": "Input"}
    if shape is not None:
        start["shape"] = np.array(shape)
    names = [first, *(str(i) for i in range(len(nodes))), "output"]
    inner = {str(i): node for i, node in enumerate(nodes)}
    return {
        "type": "NIRGraph",
        "nodes": {first: start, **inner, **others, "output": {"type": "Output"}},
        "edges": list(zip(names, names[1:], strict=False)),
    }


def write(path: Path, tree: Mapping[str, Any], compression: str | None = "gzip") -> Path:
    """Write a graph as a NIR file."""
    texts = h5py.string_dtype()

    def fill(group: h5py.Group, content: Mapping[str, Any]) -> None:
        for name, value in content.items():
            if isinstance(value, Mapping):
                fill(group.create_group(name), value)
            elif isinstance(value, str):
                group.create_dataset(name, data=value, dtype=texts)
            elif name == "edges" and isinstance(value, list):
                group.create_dataset(name, data=np.array(value, object), dtype=texts)
            elif np.ndim(value):
                group.create_dataset(name, data=value, compression=compression)
            else:
                group.create_dataset(name, data=value)

    with h5py.File(path, "w") as file:
        file.create_dataset("version", data="1.0.8", dtype=texts)
        fill(file.create_group("node"), tree)
    return path
