"""Layer: a neuron population with its incoming connections, which may carry its own spikes."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network.connections import Connection, Linear
from spikeloom.sw.network.inputs import INPUT, MAX_TIMESTEPS
from spikeloom.sw.network.neuron import Neuron
from spikeloom.sw.network.record import Shape, require_int, require_members
from spikeloom.sw.network.transports import Transport

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


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
        connections = require_members(
            self.connections, Connection, f"connections of layer {self.name!r}"
        )
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


def recurrent_shapes(layer: Layer, outs: Collection[Shape]) -> set[Shape]:
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
