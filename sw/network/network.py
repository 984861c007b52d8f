"""The integer network: the one contract between software, golden model, hardware and driver."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from spikeloom.sw.errors import ContractError
from spikeloom.sw.names import shortened
from spikeloom.sw.network.about import plain_json
from spikeloom.sw.network.connections import Connection
from spikeloom.sw.network.inputs import INPUT, Input
from spikeloom.sw.network.layer import Layer, neuron_prefix, recurrent_shapes, synapses_prefix
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import IntArray, Shape, named, require_members
from spikeloom.sw.network.transports import source_steps

#: Most values of one input, or of one layer at one timestep, so that a file of few bytes does not
#: ask for terabytes.
MAX_VALUES = 1 << 26


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
        object.__setattr__(self, "layers", require_members(self.layers, Layer, "layers"))
        object.__setattr__(self, "about", MappingProxyType(plain_json(self.about)))
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
        _require_size(self.input.carried_shape, "the input")
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
                outs |= recurrent_shapes(layer, outs)
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
