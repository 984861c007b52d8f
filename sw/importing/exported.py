"""Networks as graphs of NIR, and back to the identical network.

The graph's own nodes say what NIR can say: integer weights, thresholds and biases in units of the
accumulator, so that other tools can read it. The metadata says the rest: transports, timesteps, F,
initial potentials and resets. A network is rebuilt from both, and its digest is compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikeloom.sw.documents import parse_json
from spikeloom.sw.errors import ContractError, FileFormatError, SpikeloomError
from spikeloom.sw.files import replacing
from spikeloom.sw.importing.graph import Graph
from spikeloom.sw.importing.leaks import decay_of
from spikeloom.sw.network import INPUT, Layer, Network, Synapses
from spikeloom.sw.network.file import rebuild
from spikeloom.sw.network.layer import neuron_prefix, synapses_prefix

#: Key of the graph's metadata, and version of its content.
KEY, VERSION = "spikeloom", 1
#: Version of NIR that is written into files.
NIR_VERSION = "1.0.8"
_Tree = dict[str, Any]
_DECIMALS = np.float64


def to_nir(network: Network) -> _Tree:
    """Return a network as a graph of NIR, in nested dicts as a NIR file holds it.

    Neurons are IF, LIF or CubaLIF nodes with r such that a current of 1 adds 1, in timesteps of
    1 s. Their node's metadata say what NIR cannot: ``reset``, ``comparison``, ``v0`` and ``scale``
    (2^F).
    Other readers see no difference between counts and spikes, or between kinds of pools; the
    metadata of the graph keeps it.

    Parameters
    ----------
    network : Network
    """
    nodes: dict[str, _Tree] = {"input": {"type": "Input", "shape": np.array(network.input.shape)}}
    edges: list[tuple[str, str]] = []
    for layer in network.layers:
        # What never fires is no node: its currents are the output's.
        target = layer.name if layer.neuron.fires else "output"
        if layer.neuron.fires:
            nodes[layer.name] = _neuron_node(network, layer)
        biased = False
        for index, connection in enumerate(layer.connections):
            last = connection.source
            if connection.pool is not None:
                pool = f"{layer.name}.{index}.pool"
                nodes[pool] = {
                    "type": "SumPool2d",
                    "kernel_size": np.array(connection.pool.size),
                    "stride": np.array(connection.pool.stride),
                    "padding": np.array(connection.pool.padding),
                    "metadata": {"pool": connection.pool.kind},
                }
                edges.append((last, pool))
                last = pool
            source = (
                network.shapes[connection.source]
                if connection.source != INPUT
                else network.input.shape
            )
            seen = connection.pooled_shape(source)
            if connection.synapses.kind == "linear" and len(seen) == 3:
                flat = f"{layer.name}.{index}.flatten"
                nodes[flat] = {
                    "type": "Flatten",
                    "start_dim": np.int64(0),
                    "end_dim": np.int64(-1),
                    "input_type": np.array(seen),
                }
                edges.append((last, flat))
                last = flat
            name = f"{layer.name}.{index}"
            bias = np.zeros(layer.neuron.channels) if biased else _bias(layer)
            nodes[name] = _synapses_node(connection.synapses, seen, bias)
            biased = biased or nodes[name]["type"] != "Scale"
            if not layer.neuron.fires and index == 0:
                nodes[name]["metadata"] = _metadata(layer)
            edges += [(last, name), (name, target)]
    nodes["output"] = {"type": "Output", "shape": np.array(network.shapes[network.output.name])}
    described, _ = network.describe()
    return {
        "type": "NIRGraph",
        "nodes": nodes,
        "edges": edges,
        "metadata": {
            KEY: json.dumps(
                {"version": VERSION, "digest": network.digest, **described}, sort_keys=True
            )
        },
    }


def _bias(layer: Layer) -> npt.NDArray[Any]:
    neuron: Any = layer.neuron
    if not hasattr(neuron, "bias"):
        return np.zeros(neuron.channels)
    return np.asarray(neuron.bias / (1 << neuron.fraction_bits), _DECIMALS)


def _synapses_node(synapses: Synapses, source: tuple[int, ...], bias: npt.NDArray[Any]) -> _Tree:
    weight = synapses.weight.astype(_DECIMALS)
    described: Any = synapses
    if synapses.kind == "linear":
        return {"type": "Affine", "weight": weight, "bias": bias}
    if synapses.kind == "conv2d":
        return {
            "type": "Conv2d",
            "input_shape": np.array(source[1:]),
            "weight": weight,
            "stride": np.array(described.stride),
            "padding": np.array(described.padding),
            "dilation": np.array((1, 1)),
            "groups": np.int64(described.groups),
            "bias": bias,
        }
    if synapses.kind == "identity":
        factors = weight.reshape(-1, *[1] * (len(source) - 1))
        return {"type": "Scale", "scale": np.broadcast_to(factors, source).copy()}
    raise ContractError(f"synapses of kind {synapses.kind!r} have no node in NIR")


def _neuron_node(network: Network, layer: Layer) -> _Tree:
    """Return a node that computes about what the neurons do, with all else in its metadata."""
    shape = network.shapes[layer.name]
    neuron: Any = layer.neuron
    scale = 1 << getattr(neuron, "fraction_bits", 0)

    def full(values: Any) -> npt.NDArray[Any]:
        channels = np.broadcast_to(np.asarray(values, _DECIMALS), (shape[0],)) / scale
        return np.broadcast_to(channels.reshape(-1, *[1] * (len(shape) - 1)), shape).copy()

    tensors = neuron.tensors()
    # A ladder stands for IF neurons under a constant current, which its last level is.
    threshold = tensors["threshold"] if "threshold" in tensors else tensors["levels"][:, -1]
    common = {
        "v_threshold": full(np.maximum(threshold, 1)),
        "v_reset": full(tensors.get("reset_value", 0)),
        "metadata": _metadata(layer),
    }
    decay = decay_of(tuple(getattr(neuron, "shifts", ())))
    if neuron.kind == "cuba":
        current = decay_of(tuple(neuron.current_shifts))
        taus = {"tau_mem": _tau(decay), "tau_syn": _tau(current)}
        return {
            "type": "CubaLIF",
            **{name: full(tau * scale) for name, tau in taus.items()},
            "r": full(taus["tau_mem"] * scale),
            "w_in": full(taus["tau_syn"] * scale),
            "v_leak": full(0),
            **common,
        }
    if decay == 1:
        return {"type": "IF", "r": full(scale), **common}
    return {
        "type": "LIF",
        "tau": full(_tau(decay) * scale),
        "r": full(_tau(decay) * scale),
        "v_leak": full(0),
        **common,
    }


def _metadata(layer: Layer) -> _Tree:
    """Return what NIR has no field for."""
    neuron: Any = layer.neuron
    tensors = neuron.tensors()
    scale = 1 << getattr(neuron, "fraction_bits", 0)
    found: _Tree = {
        "kind": neuron.kind,
        "comparison": ">=",
        "reset": "hard" if "reset_value" in tensors else "subtract",
        "scale": np.int64(scale),
        "timesteps": np.int64(layer.timesteps),
        **tensors,
    }
    if "initial" in tensors:
        found["v0"] = tensors["initial"] / scale
    return found


def _tau(decay: float) -> float:
    """Return the time constant in timesteps; of a value that does not leak, a very long one."""
    return 2.0**40 if decay >= 1 else 1 / (1 - decay)


def write_nir(network: Network, path: str | Path) -> None:
    """Write a network as a ``.nir`` file, whole or not at all; equal networks give equal graphs.

    Raises
    ------
    FileFormatError
        If the folder cannot be written to.
    """
    import h5py

    tree = to_nir(network)
    texts = h5py.string_dtype()

    def write(group: Any, content: Mapping[str, Any]) -> None:
        for name, value in content.items():
            if isinstance(value, Mapping):
                write(group.create_group(name), value)
            elif isinstance(value, str):
                group.create_dataset(name, data=value, dtype=texts)
            elif name == "edges":
                group.create_dataset(name, data=np.array(value, object), dtype=texts)
            elif np.ndim(value):
                group.create_dataset(name, data=value, compression="gzip", track_times=False)
            else:
                group.create_dataset(name, data=value, track_times=False)

    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.create_dataset("version", data=NIR_VERSION, dtype=texts)
        write(file.create_group("node"), tree)


def is_exported(graph: Graph) -> bool:
    """Return whether Spikeloom exported a graph."""
    return KEY in graph.metadata


def network_of(graph: Graph) -> Network:
    """Return the network that a graph was exported from.

    Raises
    ------
    FileFormatError
        If the graph was changed since, so that it is another network's.
    """
    cure = "export it again, or remove the metadata and import it with origin nir"
    text = graph.metadata[KEY]
    try:
        header = parse_json(text if isinstance(text, str) else bytes(text).decode())
        version, digest = header.pop("version"), header.pop("digest")
        if version != VERSION:
            raise FileFormatError(
                f"{graph.name} was exported by version {version!r}: update Spikeloom"
            )
        network = rebuild(header, _tensors(graph, header))
    except (SpikeloomError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(
            f"{graph.name} was exported by Spikeloom and changed since ({error}): {cure}"
        ) from None
    if network.digest != digest:
        raise FileFormatError(
            f"{graph.name} was exported by Spikeloom and its weights were changed since: {cure}"
        )
    return network


def _tensors(graph: Graph, header: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Return the integer tensors that the nodes and their metadata hold."""
    found: dict[str, npt.NDArray[Any]] = {}
    for layer in header["layers"]:
        name = layer["name"]
        for index, connection in enumerate(layer["connections"]):
            node: Any = graph.nodes[f"{name}.{index}"]
            if connection["synapses"]["kind"] == "identity":
                weight = node.scale.reshape(len(node.scale), -1)[:, 0]
            else:
                weight = node.weight
            integers = np.rint(weight)
            if not np.array_equal(integers, weight):
                raise FileFormatError(f"weights of node {name}.{index} are no integers")
            found[f"{synapses_prefix(name, index)}weight"] = integers.astype(np.int64)
        holder = graph.nodes[name if name in graph.nodes else f"{name}.0"]
        for field, values in holder.metadata.items():
            if field in _FIELDS:
                found[f"{neuron_prefix(name)}{field}"] = np.asarray(values)
    return found


#: Tensors of neurons, as their node's metadata names them.
_FIELDS = frozenset(
    ("threshold", "negative_threshold", "initial", "bias", "levels", "reset_amount", "reset_value")
)
