"""Conversion of a prepared, trained model to an integer network."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Unpack, cast

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from spikeloom.sw.coding import Coding, FoldedLayer, Options, coding, fold
from spikeloom.sw.coding.folding import lowered_synapses, pool_of
from spikeloom.sw.coding.units import shared_units, thresholds_of
from spikeloom.sw.conversion.absorption import Absorber
from spikeloom.sw.conversion.agreement import agreement
from spikeloom.sw.conversion.logits import absorb_logits
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.network import (
    INPUT,
    Connection,
    Layer,
    Network,
    Range,
    Synapses,
)
from spikeloom.sw.quantized.prepared import META
from spikeloom.sw.spiking import SpikingNetwork, SpikingNeuron
from spikeloom.sw.spiking.population import Population
from spikeloom.sw.tasks import VALUES
from spikeloom.sw.tasks.task import ABOUT as TASK


def convert(
    prepared: nn.Module,
    *,
    fraction_bits: int | None = None,
    name: str | None = None,
    about: Mapping[str, Any] | None = None,
    check: npt.ArrayLike | Tensor | None = None,
    original: nn.Module | None = None,
    **options: Unpack[Options],
) -> Network:
    """Return the integer network that computes the same as ``prepared``.

    In count transport at the timesteps of the training, it has exactly the same counts in every
    layer and the same label for every image as the quantized ANN, with any kind of neuron that has
    no leak.

    Parameters
    ----------
    prepared : nn.Module
        From :func:`~spikeloom.sw.quantized.prepare`, trained; or a
        :class:`~spikeloom.sw.spiking.SpikingNetwork`, which has a coding already. Left as it is.
    fraction_bits : int, optional
        F of the neurons; by default the fewest that are exact (see
        :class:`~spikeloom.sw.conversion.absorption.FittedAbsorber`).
    name : str, optional
    about : mapping, optional
        JSON values for the network's ``about``: accuracies, recipe and the like.
    check : array or tensor, shape (N, *input_shape), optional
        Some images: integers as the network takes them, or real numbers as the model takes them.
        The float model, the prepared model and the network are run on them, and the network's
        ``about`` holds under "agreement" on how many images they agree; see :func:`agreement`.
    original : nn.Module, optional
        The float model for ``check``; by default the one that was prepared, as it is now.
    **options
        The coding: :class:`~spikeloom.sw.coding.Options`.

    Warns
    -----
    UserWarning
        If no threshold was ever set.

    Raises
    ------
    UnsupportedError
        If the model is not prepared, or its layers cannot be had in this transport.
    ConfigError
        If an option is missing or out of range.
    ContractError
        If registers would be wider than the contract allows; the message names the layer.
    DataError
        If the images to check with, or those that set the thresholds, do not fit the pixels.
    ConversionError
        If the network should agree with the prepared model on ``check``, and does not.
    """
    model = prepared.prepared if isinstance(prepared, SpikingNetwork) else prepared
    neurons: Mapping[str, nn.Module] = {}
    layers = fold(model)
    meta: dict[str, Any] = getattr(model, "meta", {})[META]
    if not meta.get("initialised"):
        _warn_of_first_thresholds(layers)
    if not isinstance(prepared, SpikingNetwork):
        chosen = coding(layers, meta, options)
    elif options:
        raise ConfigError(
            f"a spiking network has its coding already: give {', '.join(options)} to spiking(), or "
            f"convert the prepared model"
        )
    else:
        chosen, neurons = prepared.coding, dict(prepared.neurons.items())
    converter = _Converter(chosen, layers, fraction_bits, neurons, meta.get("task"))
    network = Network(
        input=chosen.input,
        layers=tuple(converter.layers()),
        name=name or type(model).__name__,
        about={**meta.get("about", {}), **(about or {}), **converter.about()},
    )
    if check is None:
        return network
    found = agreement(
        network,
        model,
        check,
        original or meta.get("original"),
        float(chosen.input_scale),
        exact=fraction_bits is None,
    )
    return replace(network, about={**network.about, "agreement": found.as_dict()})


def _warn_of_first_thresholds(layers: Sequence[FoldedLayer]) -> None:
    activations = [layer.activation for layer in layers if layer.activation is not None]
    if activations and all(activation.threshold == 1.0 for activation in activations):
        warnings.warn(
            "every threshold λ is still 1, as prepare() leaves it: call initialise(prepared, "
            "images) with some hundreds of training images before training or conversion",
            stacklevel=3,
        )


class _Converter:
    """Converts layer after layer; each needs the value ranges of those before it."""

    def __init__(
        self,
        chosen: Coding,
        layers: Sequence[FoldedLayer],
        fraction_bits: int | None,
        neurons: Mapping[str, nn.Module],
        task: str | None,
    ) -> None:
        self.task = task
        #: Real value of one step of the integer logits, once they are converted.
        self.step = Fraction(0)
        self.coding = chosen
        self.folded = layers
        self.fraction_bits = fraction_bits
        self.neurons = neurons
        self.thresholds = thresholds_of(layers)
        self.done: dict[str, Layer] = {}

    def layers(self) -> list[Layer]:
        for folded in self.folded:
            self.done[folded.name] = self._layer(folded)
        return list(self.done.values())

    def about(self) -> dict[str, Any]:
        """Return the task as the network's ``about`` states it: nothing if the largest decides."""
        if self.task is None:
            return {}
        factor = {"factor": float(self.step)} if self.task == VALUES else {}
        return {TASK: {"kind": self.task, **factor}}

    def _layer(self, folded: FoldedLayer) -> Layer:
        chosen = self.coding.layers[folded.name]
        shared = shared_units(folded, self.coding, self.thresholds)
        connections = tuple(
            Connection(s.tap.source, transport, lowered_synapses(s, weight), pool_of(s.tap.pool))
            for s, transport, weight in zip(
                folded.synapses, chosen.transports, shared.weights, strict=True
            )
        )
        steps = chosen.timesteps
        if folded.activation is None:
            biases = [Fraction(bias) for bias in folded.bias.tolist()]
            reach = self._reach(connections)
            logits = absorb_logits(folded.name, steps, shared.units[0], biases, reach, self.task)
            # Over several timesteps, the value is the mean.
            self.step = shared.units[0] / (steps << logits.fraction_bits)
            return Layer(folded.name, steps, logits, connections)
        message = f"layer {folded.name!r}: {chosen.neuron!r} neurons cannot be converted; use"
        absorber = Absorber.member(chosen.neuron, UnsupportedError, message)()
        population = Population.of(
            folded,
            chosen,
            shared.units,
            self._reach(connections),
            cast(SpikingNeuron | None, self.neurons.get(folded.name)),
        )
        idle = absorber.idle(population)
        if any(idle):
            # Weights that make no difference cost events and bits, and are set to 0. A = 0 was
            # within the range before, so the channel still fires as it did.
            connections = tuple(
                replace(c, synapses=_silenced(c.synapses, idle)) for c in connections
            )
            population = replace(population, reach=self._reach(connections))
        neuron = absorber.absorb(population, self.fraction_bits)
        return Layer(folded.name, steps, neuron, connections)

    def _reach(self, connections: Sequence[Connection]) -> list[Range]:
        """Return the range of A at one timestep, per channel."""
        parts = [
            connection.synapses.accumulator(connection.pooled_values(self._carried(connection)))
            for connection in connections
        ]
        return [sum(ranges, Range(0, 0)) for ranges in zip(*parts, strict=True)]

    def _carried(self, connection: Connection) -> Range:
        """Return the range of the values that a connection carries at one timestep."""
        if connection.source == INPUT:
            values = self.coding.input.values()
            return values.times(self.coding.input.steps or 1) if connection.constant else values
        source = self.done[connection.source]
        return (
            source.neuron.count(source.timesteps) if connection.constant else source.neuron.spike()
        )


def _silenced(synapses: Synapses, channels: list[bool]) -> Synapses:
    """Return the synapses with all weights of ``channels`` 0."""
    weight = np.array(synapses.weight)
    weight[np.array(channels)] = 0
    return replace(synapses, weight=weight)  # type: ignore[type-var]  # every kind is a dataclass
