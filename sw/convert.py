"""From a prepared, trained model to the integer network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from torch import nn

from spikeloom.sw.absorption import Absorber, Population, absorb_logits
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.folding import FoldedLayer, FoldedSynapses, fold
from spikeloom.sw.graph.nodes import Pooling
from spikeloom.sw.network import (
    INPUT,
    TRANSPORTS,
    Connection,
    Conv2d,
    DirectInput,
    Layer,
    Linear,
    MaxPool,
    Network,
    Neuron,
    Pool,
    Range,
    SumPool,
    Synapses,
)
from spikeloom.sw.network.network import MAX_TIMESTEPS
from spikeloom.sw.prepare import META, LayerChoice, per_layer

#: Neurons of layers that fire, by transport, unless the user chooses.
DEFAULT_NEURON = {"count": "ladder", "spikes": "if"}

_POOLS: dict[str, type[SumPool] | type[MaxPool]] = {"sum": SumPool, "max": MaxPool}


def convert(
    prepared: nn.Module,
    *,
    input_shape: tuple[int, ...] | None = None,
    input_bits: int | None = None,
    input_scale: float | None = None,
    transport: str = "count",
    neuron: str | None = None,
    timesteps: LayerChoice | None = None,
    fraction_bits: int | None = None,
    name: str | None = None,
    about: Mapping[str, Any] | None = None,
) -> Network:
    """Return the integer network that computes what ``prepared`` computes.

    In count transport at the timesteps of the training, it has the same counts in every layer and
    the same label for every image as the quantized ANN: exactly, with either kind of neuron.

    Parameters
    ----------
    prepared : nn.Module
        From :func:`~spikeloom.sw.prepare.prepare`, trained; left as it is.
    input_shape : tuple of int, optional
        Shape of one image; by default the one that the model was prepared for.
    input_bits : int, optional
        Bits of a pixel; by default those of the data that :func:`~spikeloom.sw.training.train`
        saw.
    input_scale : float, optional
        Real value of one pixel step, as the model saw it: 1/255 for 8-bit pixels scaled to
        [0, 1]. Default as for ``input_bits``.
    transport : {"count", "spikes"}
        What connections between layers carry. Spikes need equal timesteps in all layers, and no
        max-pools; their order within the timesteps costs some accuracy.
    neuron : {"ladder", "if"}, optional
        Default: "ladder" for counts, "if" for spikes.
    timesteps : int or mapping of layer name to int, optional
        Other timesteps than in training; labels then differ from the quantized ANN's.
    fraction_bits : int, optional
        F of "if" neurons; by default the fewest with exact counts.
    name : str, optional
    about : mapping, optional
        JSON values for the network's ``about``: accuracies, recipe and the like.

    Raises
    ------
    UnsupportedError
        If the model is not prepared, or needs something that the transport does not offer.
    ConfigError
        If an option is missing or out of range.
    ContractError
        If registers would be wider than the contract allows; the message names the layer.
    """
    layers = fold(prepared)
    meta: dict[str, Any] = getattr(prepared, "meta", {})[META]
    shape = input_shape if input_shape is not None else meta["input_shape"]
    bits = _given(input_bits, meta, "input_bits")
    scale = _given(input_scale, meta, "input_scale")
    if not 0 < scale < float("inf"):
        raise ConfigError(f"input_scale must be positive and finite, not {scale}")
    if transport not in TRANSPORTS:
        raise ConfigError(f"transport must be {' or '.join(TRANSPORTS)}, not {transport!r}")
    kind = neuron or DEFAULT_NEURON[transport]
    if kind not in Absorber.kinds:
        raise ConfigError(f"neuron must be {' or '.join(sorted(Absorber.kinds))}, not {kind!r}")
    if transport not in Neuron.kinds[kind].incoming:
        raise ConfigError(f"{kind!r} neurons take no {transport} transport: leave neuron out")
    converter = _Converter(
        input=DirectInput(tuple(shape), bits),
        input_scale=Fraction(scale),
        transport=transport,
        absorber=Absorber.kinds[kind](),
        fraction_bits=fraction_bits,
        timesteps=_timesteps(layers, timesteps, transport),
        thresholds={
            layer.name: Fraction(layer.threshold) for layer in layers if layer.threshold is not None
        },
    )
    return Network(
        input=converter.input,
        layers=tuple(converter.layer(layer) for layer in layers),
        name=name or type(prepared).__name__,
        about={**meta.get("about", {}), **(about or {})},
    )


@dataclass(frozen=True, eq=False)
class _Converter:
    """What the conversion of one layer needs to know about the others."""

    input: DirectInput
    input_scale: Fraction
    transport: str
    absorber: Absorber
    fraction_bits: int | None
    timesteps: dict[str, int]
    thresholds: dict[str, Fraction]

    def layer(self, folded: FoldedLayer) -> Layer:
        (synapses,) = folded.synapses  # residual connections will bring a second one
        connection = self._connection(folded, synapses)
        reach = self._reach(connection)
        steps = self.timesteps[folded.name]
        units = [
            Fraction(scale) * self._source_unit(connection) / _area(synapses.tap.pool)
            for scale in synapses.scale.tolist()
        ]
        biases = [Fraction(bias) for bias in folded.bias.tolist()]
        if folded.threshold is None:
            neuron: Neuron = absorb_logits(folded.name, steps, units[0], biases, reach)
            return Layer(folded.name, steps, neuron, (connection,))
        population = Population(
            name=folded.name,
            timesteps=steps,
            threshold=self.thresholds[folded.name],
            units=units,
            biases=biases,
            reach=reach,
            constant=connection.transport == "count",
        )
        idle = [count is not None for count in population.constant_counts()]
        if any(idle):
            # Weights that can make no difference cost events and bits: they go. A = 0 was within
            # the range before, so the count that it stands for stays.
            connection = replace(connection, synapses=_silenced(connection.synapses, idle))
            population = replace(population, reach=self._reach(connection))
        neuron = self.absorber.absorb(population, self.fraction_bits)
        return Layer(folded.name, steps, neuron, (connection,))

    def _connection(self, folded: FoldedLayer, synapses: FoldedSynapses) -> Connection:
        tap = synapses.tap
        transport = "count" if tap.source == INPUT else self.transport
        pool = _pool(tap.pool)
        if pool is not None and transport not in pool.transports:
            raise UnsupportedError(
                f"layer {folded.name!r} reads {tap.source!r} through a {pool.kind}-pool, which is "
                f"not exact on spikes: use count transport, or average pools in the model"
            )
        return Connection(tap.source, transport, _synapses(synapses), pool)

    def _reach(self, connection: Connection) -> list[Range]:
        """Return the range of A per channel."""
        if connection.source == INPUT:
            carried = self.input.values()
        else:
            steps = self.timesteps[connection.source]
            carried = Range(0, 1 if connection.transport == "spikes" else steps)
        return connection.synapses.accumulator(connection.pooled_values(carried))

    def _source_unit(self, connection: Connection) -> Fraction:
        """Return the real value of one unit of what a connection carries."""
        if connection.source == INPUT:
            return self.input_scale
        threshold = self.thresholds[connection.source]
        if connection.transport == "spikes":
            return threshold
        return threshold / self.timesteps[connection.source]


def _given(value: Any, meta: dict[str, Any], what: str) -> Any:
    if value is None:
        value = meta.get(what)
    if value is None:
        raise ConfigError(
            f"{what} is not known, since the model was not trained by spikeloom's train(): give "
            f"{what}"
        )
    return value


def _timesteps(
    layers: list[FoldedLayer], choice: LayerChoice | None, transport: str
) -> dict[str, int]:
    """Return T of every layer, the output layer included."""
    hidden = [layer for layer in layers if layer.levels is not None]
    trained = {layer.name: layer.levels or 0 for layer in hidden}
    chosen = trained if choice is None else per_layer(choice, list(trained), "timesteps", trained)
    for layer, steps in chosen.items():
        if not isinstance(steps, int) or not 1 <= steps <= MAX_TIMESTEPS:
            raise ConfigError(
                f"timesteps of layer {layer!r} must be an integer from 1 to {MAX_TIMESTEPS}, not "
                f"{steps!r}"
            )
    if transport == "spikes" and len(set(chosen.values())) > 1:
        raise ConfigError(
            f"spike transport needs equal timesteps in all layers, not {chosen}: give one number, "
            f"or use count transport"
        )
    # The logits of a constant current need one step; spikes are summed over all of theirs.
    last = layers[-1].synapses[0].tap.source
    steps = chosen[last] if transport == "spikes" and last != INPUT else 1
    return chosen | {layers[-1].name: steps}


def _pool(pooling: Pooling | None) -> Pool | None:
    return None if pooling is None else _POOLS[pooling.kind](pooling.size)


def _area(pooling: Pooling | None) -> int:
    return 1 if pooling is None else pooling.area


def _synapses(folded: FoldedSynapses) -> Synapses:
    if folded.weight.ndim == 2:
        return Linear(folded.weight)
    return Conv2d(folded.weight, folded.stride, folded.padding)


def _silenced(synapses: Synapses, channels: list[bool]) -> Synapses:
    """Return the synapses with all weights of ``channels`` 0."""
    weight = np.array(synapses.weight)
    weight[np.array(channels)] = 0
    return replace(synapses, weight=weight)  # type: ignore[type-var]  # every kind is a dataclass
