"""The integer network: the one contract between software, golden model, hardware and driver."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from spikeloom.sw.errors import ContractError
from spikeloom.sw.names import shortened
from spikeloom.sw.network.connections import Connection, Linear
from spikeloom.sw.network.inputs import INPUT, MAX_TIMESTEPS, Input
from spikeloom.sw.network.neuron import Neuron
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import IntArray, Shape, named, require_int
from spikeloom.sw.network.transports import Transport, source_steps

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
#: Most values of one input, or of one layer at one timestep, so that a file of few bytes does not
#: ask for terabytes.
MAX_VALUES = 1 << 26
#: Most characters of ``about`` as JSON, and most levels of objects and lists in it.
MAX_ABOUT, MAX_DEPTH = 1 << 20, 100


@dataclass(frozen=True, eq=False)
class Layer:
    """A neuron population with its incoming connections.

    Parameters
    ----------
    name : str
        Lower case letters, digits and underscores, a letter first; it becomes a Verilog name.
    timesteps : int
        T, 1 to 4096.
    neuron : Neuron
    connections : tuple of Connection
        At least one.
    """

    name: str
    timesteps: int
    neuron: Neuron
    connections: tuple[Connection, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name) or self.name == INPUT:
            raise ContractError(
                f"a layer's name must match {_NAME.pattern} and not be {INPUT!r}, not {self.name!r}"
            )
        what = f"timesteps of layer {self.name!r}"
        timesteps = require_int(self.timesteps, what, 1, MAX_TIMESTEPS)
        object.__setattr__(self, "timesteps", timesteps)
        if not isinstance(self.neuron, Neuron):
            raise ContractError(
                f"neuron of layer {self.name!r} must be a Neuron, not {self.neuron!r}"
            )
        connections = _members(self.connections, Connection, f"connections of layer {self.name!r}")
        object.__setattr__(self, "connections", connections)
        if not self.connections:
            raise ContractError(f"layer {self.name!r} has no connection")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Layer):
            return NotImplemented
        return (self.name, self.timesteps, self.neuron, self.connections) == (
            other.name,
            other.timesteps,
            other.neuron,
            other.connections,
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    @property
    def recurrent(self) -> bool:
        """Whether it reads its own spikes of the timestep before."""
        return any(self.recurs(connection) for connection in self.connections)

    def recurs(self, connection: Connection) -> bool:
        """Return whether a connection carries the layer's own spikes."""
        return connection.source == self.name

    @property
    def constant(self) -> bool:
        """Whether its current is the same at every timestep: all connections carry counts."""
        return all(connection.constant for connection in self.connections)


@dataclass(frozen=True)
class Ranges:
    """Proven value ranges of one layer, over all its channels.

    Parameters
    ----------
    accumulator : Range
        ``A``, the sum over all connections of weight times source value in one timestep.
    potential : Range
        Membrane potential, before and after firing.
    spike, count : Range
        One timestep's spike value, and its sum over the layer's timesteps.
    """

    accumulator: Range
    potential: Range
    spike: Range
    count: Range


@dataclass(frozen=True, eq=False)
class Network:
    """A spiking network in integers, specified by ``docs/contract.md``.

    Parameters
    ----------
    input : Input
    layers : tuple of Layer
        In order of evaluation; each connection's source is the input, an earlier layer, or the
        layer itself. The last layer, and no other, is of a kind that does not fire.
    name : str
        For people; it does not affect the arithmetic.
    about : mapping of str to JSON values
        Origin of the network (accuracies, recipe); it does not affect the arithmetic.

    Raises
    ------
    ContractError
        If anything breaks the contract; the message names the layer.
    """

    input: Input
    layers: tuple[Layer, ...]
    name: str = "network"
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.input, Input):
            raise ContractError(f"input must be an Input, not {self.input!r}")
        if not isinstance(self.name, str):
            raise ContractError(f"name must be a string, not {self.name!r}")
        object.__setattr__(self, "layers", _members(self.layers, Layer, "layers"))
        object.__setattr__(self, "about", MappingProxyType(_plain_json(self.about)))
        if not self.layers:
            raise ContractError("a network must have at least one layer")
        seen: set[str] = set()
        for layer in self.layers:
            if layer.name in seen:
                raise ContractError(f"two layers have the name {layer.name!r}")
            seen.add(layer.name)
            last = layer is self.layers[-1]
            if layer.neuron.fires == last:
                raise ContractError(
                    f"layer {layer.name!r} of kind {layer.neuron.kind!r} "
                    + (
                        "is the last, which must not fire: use 'logits'"
                        if last
                        else "does not fire, so it must be the last layer"
                    )
                )
        self.shapes  # noqa: B018  # derived on first use; here, so that a bad network never exists
        self.ranges  # noqa: B018

    def __eq__(self, other: object) -> bool:
        """Return whether input and layers are equal; ``name`` and ``about`` are not compared."""
        if not isinstance(other, Network):
            return NotImplemented
        return self.input == other.input and self.layers == other.layers

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def __repr__(self) -> str:
        # The arrays would fill the screen; describe() has them.
        layers = [
            f"{layer.name} ({layer.neuron.kind}, T={layer.timesteps})" for layer in self.layers
        ]
        pixels = self.input.pixels()
        return (
            f"<Network {self.name!r}: {_sizes(self.input.image_shape)} values of {pixels.low} to "
            f"{pixels.high} -> {self.classes} logits\n"
            f"  {len(layers)} layers: {shortened(layers)}>"
        )

    def __getitem__(self, name: str) -> Layer:
        """Return the layer called ``name``."""
        try:
            return self._by_name[name]
        except KeyError:
            raise ContractError(
                f"no layer is called {name!r}; there are {shortened(list(self._by_name))}"
            ) from None

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    @cached_property
    def reading(self) -> dict[str, tuple[Connection, ...]]:
        """Connections that read the input and each layer, by the name of their source."""
        found: dict[str, list[Connection]] = {name: [] for name in (INPUT, *self._by_name)}
        for layer in self.layers:
            for connection in layer.connections:
                found[connection.source].append(connection)
        return {name: tuple(connections) for name, connections in found.items()}

    @property
    def output(self) -> Layer:
        """The last layer, whose potentials are the logits."""
        return self.layers[-1]

    @property
    def classes(self) -> int:
        """Number of logits."""
        return math.prod(self.shapes[self.output.name])

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Shape of the input and of every layer, by name."""
        shapes: dict[str, Shape] = {INPUT: self.input.shape}
        _require_size(self.input.image_shape, "the input")
        for layer in self.layers:
            with named(f"layer {layer.name!r}"):
                outs = set()
                for connection in layer.connections:
                    if layer.recurs(connection):
                        continue
                    if connection.source not in shapes:
                        raise ContractError(
                            f"source {connection.source!r} is neither the input nor an earlier "
                            f"layer ({shortened(list(shapes))}), nor the layer itself"
                        )
                    source = shapes[connection.source]
                    outs.add(connection.synapses.shape(connection.pooled_shape(source)))
                outs |= _recurrent_shapes(layer, outs)
                if len(outs) > 1:
                    raise ContractError(f"its connections give different shapes {sorted(outs)}")
                (shape,) = outs
                if shape[0] != layer.neuron.channels:
                    raise ContractError(
                        f"its neurons have parameters for {layer.neuron.channels} channels, but "
                        f"its connections give {shape[0]}"
                    )
                _require_size(shape, "it")
                shapes[layer.name] = shape
        return shapes

    @cached_property
    def ranges(self) -> dict[str, Ranges]:
        """Proven value ranges of every layer, by name."""
        ranges: dict[str, Ranges] = {}
        for layer in self.layers:
            with named(f"layer {layer.name!r}"):
                accumulator = Range(0, 0)
                for connection in layer.connections:
                    per_channel = connection.synapses.accumulator(self.carried(layer, connection))
                    low = min(r.low for r in per_channel)
                    high = max(r.high for r in per_channel)
                    accumulator = accumulator + Range(low, high)
                accumulator.require_width("the accumulator")
                layer.neuron.check(layer.timesteps, accumulator)
                ranges[layer.name] = Ranges(
                    accumulator,
                    layer.neuron.potential(layer.timesteps, accumulator),
                    layer.neuron.spike(),
                    layer.neuron.count(layer.timesteps),
                )
        return ranges

    def carried(self, layer: Layer, connection: Connection) -> Range:
        """Return the range of the values that a connection of ``layer`` hands to its synapses.

        Raises
        ------
        ContractError
            If source and target do not allow the connection's transport, or their T do not.
        """
        transport = connection.transport
        if transport not in layer.neuron.incoming:
            raise ContractError(
                f"neurons of kind {layer.neuron.kind!r} take no {transport} transport; they take "
                f"{' or '.join(sorted(layer.neuron.incoming))}"
            )
        if connection.source != INPUT:
            neuron = self[connection.source].neuron
            if transport not in neuron.outgoing:
                raise ContractError(
                    f"its source {connection.source!r} of kind {neuron.kind!r} cannot be carried "
                    f"by {transport} transport; use {' or '.join(sorted(neuron.outgoing))}"
                )
        steps = self.steps_of(connection.source)
        if connection.constant:
            return connection.pooled_values(self.total_of(connection.source))
        if steps is None:
            raise ContractError(
                f"a {self.input.kind} input is constant over time: connect it with count transport"
            )
        with named(f"source {connection.source!r}"):
            source_steps(transport, steps, layer.timesteps)
        return connection.pooled_values(self.spike_of(connection.source))

    def steps_of(self, source: str) -> int | None:
        """Return the number of timesteps of a layer or the input; None for a constant input."""
        return self.input.steps if source == INPUT else self[source].timesteps

    def spike_of(self, source: str) -> Range:
        """Return the range of the values of a layer, or of the input, at one timestep."""
        return self.input.values() if source == INPUT else self[source].neuron.spike()

    def total_of(self, source: str) -> Range:
        """Return the range of the counts of a layer, or of the input summed over its time axis."""
        if source == INPUT:
            return self.input.values().times(self.input.steps or 1)
        return self[source].neuron.count(self[source].timesteps)

    def describe(self) -> tuple[dict[str, Any], dict[str, IntArray]]:
        """Return the network as JSON values, and its tensors by the names that a file uses."""
        layers: list[dict[str, Any]] = []
        tensors: dict[str, IntArray] = {}
        for layer in self.layers:
            connections = []
            for index, connection in enumerate(layer.connections):
                connections.append(
                    {
                        "source": connection.source,
                        "transport": connection.transport,
                        "pool": connection.pool.header() if connection.pool else None,
                        "synapses": connection.synapses.header(),
                    }
                )
                prefix = synapses_prefix(layer.name, index)
                tensors |= {prefix + k: v for k, v in connection.synapses.tensors().items()}
            prefix = neuron_prefix(layer.name)
            tensors |= {prefix + k: v for k, v in layer.neuron.tensors().items()}
            layers.append(
                {
                    "name": layer.name,
                    "timesteps": layer.timesteps,
                    "neuron": layer.neuron.header(),
                    "connections": connections,
                }
            )
        header = {
            "name": self.name,
            "about": dict(self.about),
            "input": self.input.header(),
            "layers": layers,
        }
        return header, tensors

    @property
    def digest(self) -> str:
        """SHA-256 over everything that affects the arithmetic, as 64 hexadecimal digits."""
        header, tensors = self.describe()
        sha = hashlib.sha256(
            json.dumps(
                {"input": header["input"], "layers": header["layers"]}, sort_keys=True
            ).encode()
        )
        for key in sorted(tensors):
            sha.update(f"{key}{tensors[key].shape}".encode())
            sha.update(tensors[key].astype("<i8").tobytes())
        return sha.hexdigest()


def _require_size(shape: Shape, what: str) -> None:
    if math.prod(shape) > MAX_VALUES:
        raise ContractError(
            f"{what} has {_sizes(shape)} values, which are more than {MAX_VALUES:,}"
        )


def _sizes(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _recurrent_shapes(layer: Layer, outs: Collection[Shape]) -> set[Shape]:
    """Return the shape that a layer's own spikes give, which has ``outs`` without them."""
    own = [connection for connection in layer.connections if layer.recurs(connection)]
    if not own:
        return set()
    if not outs:
        raise ContractError("it reads nothing but its own spikes: connect it with another source")
    if not layer.neuron.fires:
        raise ContractError(f"neurons of kind {layer.neuron.kind!r} have no spikes to read")
    if len(own) > 1:
        raise ContractError(f"it reads its own spikes {len(own)} times: add the weights up")
    (connection,) = own
    if connection.transport != Transport.SPIKES or connection.pool is not None:
        raise ContractError("its own spikes need spikes transport, without a pool")
    if not isinstance(connection.synapses, Linear) or any(len(shape) != 1 for shape in outs):
        raise ContractError(
            "only a fully connected layer reads its own spikes, and by linear synapses"
        )
    return {connection.synapses.shape(shape) for shape in outs}


def synapses_prefix(layer: str, index: int) -> str:
    """Return the prefix of the names of a connection's weights in a file."""
    return f"layers.{layer}.connections.{index}."


def neuron_prefix(layer: str) -> str:
    """Return the prefix of the names of a layer's neuron parameters in a file."""
    return f"layers.{layer}.neuron."


def _members(value: Any, kind: type, what: str) -> tuple[Any, ...]:
    """Return ``value`` as a tuple, or raise `ContractError` unless it is a sequence of ``kind``."""
    if not isinstance(value, (tuple, list)):
        raise ContractError(f"{what} must be a tuple of {kind.__name__}, not {value!r}")
    for index, member in enumerate(value):
        if not isinstance(member, kind):
            raise ContractError(f"{what}[{index}] must be a {kind.__name__}, not {member!r}")
    return tuple(value)


def _plain_json(about: Any) -> dict[str, Any]:
    """Return a copy of ``about`` in plain JSON values, which a file returns unchanged."""
    if not isinstance(about, Mapping) or not all(isinstance(key, str) for key in about):
        raise ContractError(f"about must be a mapping from strings to JSON values, not {about!r}")
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(about), allow_nan=False, sort_keys=True))
    except (TypeError, ValueError, RecursionError) as error:
        raise ContractError(
            f"about must hold JSON values only (no NaN, arrays or objects): {error}"
        ) from None
    if len(json.dumps(copy)) > MAX_ABOUT or _depth(copy) > MAX_DEPTH:
        raise ContractError(
            f"about must have at most {MAX_ABOUT:,} characters as JSON, and at most {MAX_DEPTH} "
            f"levels"
        )
    return copy


def _depth(value: Any) -> int:
    """Return the number of levels of objects and lists."""
    levels, inner = 0, [value]
    while inner := [x for x in inner if isinstance(x, dict | list)]:
        levels += 1
        inner = [y for x in inner for y in (x.values() if isinstance(x, dict) else x)]
    return levels
