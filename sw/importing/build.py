"""From populations in real numbers to a network in integers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from torch import Tensor

from spikeloom.sw.errors import ContractError, UnsupportedError
from spikeloom.sw.importing.fields import Reals
from spikeloom.sw.importing.leaks import decay_of, shifts_for
from spikeloom.sw.importing.model import Model, Population
from spikeloom.sw.importing.rules import Rule
from spikeloom.sw.importing.weights import quantized
from spikeloom.sw.network import (
    INPUT,
    Burst,
    Connection,
    Cuba,
    If,
    Input,
    Layer,
    Logits,
    Network,
    Neuron,
    Range,
)
from spikeloom.sw.network.neurons import MAX_SPIKE
from spikeloom.sw.network.parameters import MAX_FRACTION_BITS
from spikeloom.sw.network.record import IntArray

#: The rounding of leaks and biases stays below this part of a threshold.
FINENESS = 512


@dataclass(frozen=True)
class Fit:
    """How the integers of one layer stand for its rule.

    Parameters
    ----------
    rule : str
        In words.
    kind : str
        Of the contract's neuron.
    decay, leak, shifts
        Real decay, the one that the shifts give, and the shifts; likewise of the current.
    fraction_bits : int
    weight_error : float
        Root of the mean square of a weight's error, relative to that of the weights.
    """

    rule: str
    kind: str
    fraction_bits: int
    weight_error: float
    decay: float = 1.0
    realised: float = 1.0
    shifts: tuple[int, ...] = ()
    current_decay: float | None = None
    current_realised: float | None = None
    current_shifts: tuple[int, ...] = ()

    @property
    def residual(self) -> float:
        """Difference between the decay that the shifts give and the real one."""
        return self.realised - self.decay


def build(
    model: Model,
    source: Input,
    timesteps: int,
    *,
    bits: int,
    fraction_bits: int | None,
    largest: int | None,
    values: Mapping[str, Tensor] | None,
    about: Mapping[str, Any],
    name: str,
) -> tuple[Network, dict[str, Fit]]:
    """Return the network of a model, and how its integers stand for it.

    Parameters
    ----------
    model : Model
    source : Input
        The network's input.
    timesteps : int
    bits : int
        Of the weights.
    fraction_bits : int, optional
        F of all layers that fire; by default the fewest with which rounding stays small.
    largest : int, optional
        Most spikes of one timestep, of neurons that can fire several times; by default twice what
        the sample images show, or without them all that currents can reach.
    values : mapping of str to Tensor, optional
        Of each source, for sample images, which units are fitted to.

    Raises
    ------
    UnsupportedError, ContractError
        If the integers do not fit the contract.
    """
    layers: list[Layer] = []
    fits: dict[str, Fit] = {}
    for population in model.populations:
        units, weights = quantized(population, values, bits)
        connections = tuple(
            Connection(
                way.source,
                _transport(way.source, source, population),
                way.synapses(weight),
                way.sum_pool(),
            )
            for way, weight in zip(population.ways, weights, strict=True)
        )
        error = _weight_error(population, units, weights)
        if population.rule is None:
            layers.append(_readout(population, units, connections, timesteps))
            read = layers[-1].neuron
            assert isinstance(read, Logits)
            fits[population.name] = Fit("adds up", read.kind, read.fraction_bits, error)
            continue
        neuron, fit = _neuron(population, units, timesteps, fraction_bits, error, largest)
        if isinstance(neuron, Burst) and largest is None:
            reached = _reached(neuron, connections, source, layers, timesteps)
            seen = None if values is None else int(values[population.name].max())
            most = reached if seen is None else min(reached, (1 << (2 * seen).bit_length()) - 1)
            neuron = replace(neuron, largest=max(1, min(most, MAX_SPIKE)))
        layers.append(Layer(population.name, timesteps, neuron, connections))
        fits[population.name] = fit
    return Network(source, tuple(layers), name, about), fits


def _reached(
    neuron: Burst,
    connections: tuple[Connection, ...],
    source: Input,
    layers: list[Layer],
    timesteps: int,
) -> int:
    """Return the most spikes that a potential can be worth, by the contract's proven ranges."""
    spikes = {layer.name: layer.neuron.spike() for layer in layers} | {INPUT: source.values()}
    total = Range(0, 0)
    for connection in connections:
        if connection.source not in spikes:  # its own spikes
            return MAX_SPIKE
        ranges = connection.synapses.accumulator(
            connection.pooled_values(spikes[connection.source])
        )
        total += Range(min(r.low for r in ranges), max(r.high for r in ranges))
    return neuron.potential(timesteps, total).high // int(neuron.threshold.min())


def _transport(origin: str, source: Input, population: Population) -> str:
    if origin == INPUT:
        return "spikes" if source.steps is not None and population.rule is not None else "count"
    return "count" if population.rule is None else "spikes"


def _readout(
    population: Population, units: Reals, connections: tuple[Connection, ...], timesteps: int
) -> Layer:
    """Return the layer of the logits: its currents are sums over time, taken in one timestep."""
    biases = [
        Fraction(b) * timesteps / Fraction(u) for b, u in zip(population.bias, units, strict=True)
    ]
    # A pixel is constant over time: its sum is that of all timesteps.
    if any(c.source == INPUT and c.constant for c in connections):
        raise UnsupportedError(
            f"node {population.node!r} reads the input without any neurons between: there is no "
            f"spiking network to import"
        )
    bits = 0 if not any(biases) else 8
    bias = _stored([round(b * (1 << bits)) for b in biases], population)
    return Layer(population.name, 1, Logits(bias=bias, fraction_bits=bits), connections)


def _neuron(
    population: Population,
    units: Reals,
    timesteps: int,
    fraction_bits: int | None,
    error: float,
    largest: int | None,
) -> tuple[Neuron, Fit]:
    rule = population.rule
    assert rule is not None
    shifts = shifts_for(rule.decay)
    behind = () if rule.current_decay is None else shifts_for(rule.current_decay)
    worth = [Fraction(u) * Fraction(g) for u, g in zip(units, rule.gain, strict=True)]
    bits = fraction_bits
    if bits is None:
        bits = _fraction_bits(rule, worth, shifts, behind, timesteps)
    scale = [Fraction(1 << bits) / w for w in worth]

    def integers(values: Reals) -> IntArray:
        numbers = [round(Fraction(v) * s) for v, s in zip(values, scale, strict=True)]
        return _stored(numbers, population)

    thresholds = [Fraction(v) * s for v, s in zip(rule.threshold, scale, strict=True)]
    if rule.several:
        edge = [max(1, round(t)) for t in thresholds]
    elif rule.strict:
        edge = [math.floor(t) + 1 for t in thresholds]
    else:
        edge = [math.ceil(t) for t in thresholds]
    given = population.bias * rule.gain
    offset, start = rule.offset, rule.start
    if rule.current_decay is not None and offset.any():
        # The bias is the current's. Potentials are counted from where they rest instead.
        raise UnsupportedError(
            f"node {population.node!r} rests at a potential other than its reset's behind a "
            f"synaptic current: use v_leak = v_reset = 0"
        )
    common: dict[str, Any] = {
        "threshold": _stored(edge, population),
        "initial": integers(start),
        "bias": integers(given + offset),
        "fraction_bits": bits,
    }
    if shifts:
        common["leak"] = shifts
    kind: type[Neuron]
    if rule.several:
        common["largest"] = min(MAX_SPIKE, largest or MAX_SPIKE)
        kind = Burst
    else:
        kind = If
        if rule.current_decay is not None:
            kind, common["current_leak"] = Cuba, behind
        if rule.value is not None:
            common["reset_value"] = integers(np.full(len(units), rule.value))
        else:
            amount = np.maximum(integers(rule.immediate_amount()), 1)
            if not np.array_equal(amount, common["threshold"]):
                common["reset_amount"] = amount
    fit = Fit(
        rule.text(),
        kind.kind,
        bits,
        error,
        rule.decay,
        decay_of(shifts),
        shifts,
        rule.current_decay,
        None if rule.current_decay is None else decay_of(behind),
        behind,
    )
    try:
        return kind(**common), fit
    except ContractError as problem:
        raise ContractError(
            f"layer {population.name!r} (node {population.node!r}): {problem}"
        ) from None


def _stored(numbers: list[int], population: Population) -> IntArray:
    """Return integers as an array, if 64 bits hold them."""
    most = max(number.bit_length() for number in numbers)
    if most > 63:
        raise UnsupportedError(
            f"node {population.node!r}: its threshold or bias would be an integer of {most} bits, "
            f"which is beyond all ranges: they are out of proportion to its weights"
        )
    return np.array(numbers, np.int64)


def _fraction_bits(
    rule: Rule,
    worth: list[Fraction],
    shifts: tuple[int, ...],
    behind: tuple[int, ...],
    timesteps: int,
) -> int:
    """Return the fewest fraction bits with which rounding stays below a part of the threshold.

    Each shift rounds by up to 1, each bias by 1/2, in every timestep; what was rounded leaks, too.
    """

    def lasting(decay: float) -> float:
        return min(float(timesteps), 1 / (1 - decay) if decay < 1 else math.inf)

    rounding = (len(shifts) + 0.5) * lasting(rule.decay)
    if rule.current_decay is not None:
        rounding += (len(behind) + 0.5) * lasting(rule.current_decay) * lasting(rule.decay)
    least = min(Fraction(t) / w for t, w in zip(rule.threshold, worth, strict=True))
    for bits in range(MAX_FRACTION_BITS):
        if float(least) * (1 << bits) >= FINENESS * rounding:
            return bits
    return MAX_FRACTION_BITS


def _weight_error(population: Population, units: Reals, weights: list[IntArray]) -> float:
    wrong = power = 0.0
    for way, integers in zip(population.ways, weights, strict=True):
        real = way.weights
        shaped = units.reshape(-1, *[1] * (real.ndim - 1))
        wrong += float(((integers * shaped - real) ** 2).sum())
        power += float((real**2).sum())
    return math.sqrt(wrong / power) if power else 0.0
