"""Network files: one ``.safetensors`` with integer tensors and versioned JSON metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize
from safetensors import numpy as safetensors_numpy

from spikeloom.sw.documents import parse_json
from spikeloom.sw.errors import ContractError, FileFormatError
from spikeloom.sw.files import read_bytes, replacing, require_version
from spikeloom.sw.names import shortened
from spikeloom.sw.network.connections import Connection, Synapses
from spikeloom.sw.network.inputs import Input
from spikeloom.sw.network.layer import Layer, neuron_prefix, synapses_prefix
from spikeloom.sw.network.network import Network
from spikeloom.sw.network.neuron import Neuron
from spikeloom.sw.network.pools import Pool
from spikeloom.sw.network.record import IntArray, named
from spikeloom.sw.sealed import require_intact, sealed, split

#: Key of the JSON text in the safetensors metadata.
METADATA_KEY = "spikeloom"
FORMAT = "spikeloom-network"
#: Types of tensors that a network file may hold, by safetensors' names; little-endian.
_DTYPES = {f"{k.upper()}{8 * n}": np.dtype(f"<{k}{n}") for k in "iu" for n in (1, 2, 4, 8)}

#: Newest version that this code reads.
VERSION = 2


def rebuild(header: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> Network:
    """Return the network that :meth:`~spikeloom.sw.network.Network.describe` described.

    Raises
    ------
    ContractError
        If something is missing, surplus, of the wrong type, or breaks the contract.
    """
    # By prefix: the time to read a file grows with the number of its layers, not with its square.
    unused: dict[str, dict[str, npt.NDArray[Any]]] = {}
    for key, value in tensors.items():
        prefix, dot, name = key.rpartition(".")
        unused.setdefault(prefix + dot, {})[name] = value

    def take(prefix: str) -> dict[str, npt.NDArray[Any]]:
        return unused.pop(prefix, {})

    _refuse_unknown(header, "format version name about input layers", "the network")
    layers: list[Layer] = []
    seen: set[str] = set()
    for position, entry in enumerate(_list(header, "layers", "the network")):
        what = f"layer {position}"
        name = _get(entry, "name", str, what)
        if name in seen:
            raise ContractError(f"two layers have the name {name!r}")
        seen.add(name)
        what = f"layer {name!r}"
        _refuse_unknown(entry, "name timesteps neuron connections", what)
        connections = []
        for index, item in enumerate(_list(entry, "connections", what)):
            where = f"connection {index} of {what}"
            source = _get(item, "source", str, where)
            _refuse_unknown(item, "source transport pool synapses", where)
            pool = item.get("pool")
            prefix = synapses_prefix(name, index)
            transport = _get(item, "transport", str, where)
            what_synapses = f"the synapses of {where}"
            synapses = Synapses.build(item.get("synapses"), take(prefix), what_synapses)
            pooled = None if pool is None else Pool.build(pool, {}, f"the pool of {where}")
            with named(where):
                connections.append(Connection(source, transport, synapses, pooled))
        neuron = Neuron.build(
            entry.get("neuron"), take(neuron_prefix(name)), f"the neuron of {what}"
        )
        layers.append(Layer(name, entry.get("timesteps"), neuron, tuple(connections)))
    if left := sorted(prefix + name for prefix, names in unused.items() for name in names):
        raise ContractError(f"tensors that no layer uses: {shortened(left)}")
    return Network(
        input=Input.build(header.get("input"), {}, "the input"),
        layers=tuple(layers),
        name=_get(header, "name", str, "the network"),
        about=_get(header, "about", Mapping, "the network"),
    )


def save(network: Network, path: str | Path) -> None:
    """Write ``network`` to ``path``, whole or not at all; equal networks give equal bytes.

    Raises
    ------
    FileFormatError
        If the folder cannot be written to.
    """
    described, tensors = network.describe()
    header = {"format": FORMAT, "version": _version(network), **described}
    narrow = {key: np.ascontiguousarray(narrowed(value)) for key, value in tensors.items()}
    metadata = {METADATA_KEY: json.dumps(header, sort_keys=True)}
    content = sealed(safetensors_numpy.save, narrow, metadata)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _version(network: Network) -> int:
    """Return the lowest version that has all that the network uses, so that older readers can."""
    pixels = network.input
    pools = (connection.pool for layer in network.layers for connection in layer.connections)
    overlapping = any(not pool.tiled for pool in pools if pool is not None)
    return 2 if overlapping or any(pixels.zeros) or pixels.pixels().low < 0 else 1


def load(path: str | Path) -> Network:
    """Read and validate the network in ``path``.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, no network, or of a newer version.
    ContractError
        If the network in it breaks the contract.
    """
    content = read_bytes(path, "network file")
    header = read_metadata(content, path, METADATA_KEY)
    require_version(header, path, "network file", FORMAT, VERSION)
    try:
        return rebuild(header, _integers(content, path))
    except ContractError as error:
        raise ContractError(f"{path}: {error}") from None


def read_metadata(content: bytes, path: str | Path, key: str) -> dict[str, Any]:
    """Return the JSON object under ``key`` in the metadata of a safetensors file's ``content``.

    Raises
    ------
    FileFormatError
        If the content is damaged, is another than its seal says, or has no such metadata.
    """
    try:
        deserialize(content)  # type: ignore[no-untyped-call]  # safetensors has no types for it
        header, data = split(content)
        described = parse_json(header)
        text = described.get("__metadata__", {}).get(key)
    except (SafetensorError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())  # it may quote the file, whose words have any letter
        raise FileFormatError(
            f"{path} is damaged or no safetensors file ({reason}): write it again"
        ) from None
    if text is None:
        raise FileFormatError(
            f"{path} is a safetensors file, but not one of Spikeloom's: its metadata has no {key!r}"
        )
    require_intact(described, data, path)
    try:
        found = parse_json(text)
    except ValueError as error:
        raise FileFormatError(f"{path} has damaged metadata ({error})") from None
    if not isinstance(found, dict):
        raise FileFormatError(f"{path} has metadata that is no JSON object")
    return found


def _integers(content: bytes, path: str | Path) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of a safetensors file's ``content``, which must hold integers only."""
    tensors = {}
    for name, tensor in deserialize(content):  # type: ignore[no-untyped-call]
        if tensor["dtype"] not in _DTYPES:
            raise FileFormatError(
                f"{path} has the tensor {name!r} of type {tensor['dtype']}; a network holds "
                f"integers only ({', '.join(_DTYPES)})"
            )
        values = np.frombuffer(tensor["data"], _DTYPES[tensor["dtype"]])
        tensors[name] = values.reshape(tensor["shape"])
    return tensors


def _refuse_unknown(entry: Mapping[str, Any], known: str, what: str) -> None:
    """Refuse fields that this version does not know; in a later one they may have a meaning."""
    if surplus := sorted(entry.keys() - set(known.split())):
        raise ContractError(f"{what} has the unknown field {surplus[0]!r}")


def narrowed(values: IntArray) -> npt.NDArray[Any]:
    """Return ``values`` in the narrowest signed type that holds them all."""
    for dtype in (np.int8, np.int16, np.int32):
        limits = np.iinfo(dtype)
        if limits.min <= values.min() and values.max() <= limits.max:
            return values.astype(dtype)
    return values


def _get(entry: Any, key: str, kind: type, what: str) -> Any:
    if not isinstance(entry, Mapping) or not isinstance(entry.get(key), kind):
        found = entry.get(key) if isinstance(entry, Mapping) else entry
        raise ContractError(f"{what} needs a {key!r} of type {kind.__name__}, not {found!r}")
    return entry[key]


def _list(entry: Any, key: str, what: str) -> list[Any]:
    found: list[Any] = _get(entry, key, list, what)
    return found
