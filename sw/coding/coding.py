"""Coding: neurons, timesteps and transports of every layer and connection.

:func:`coding` turns a user's options into a :class:`Coding`, or refuses them. Conversion and
:class:`~spikeloom.sw.spiking.SpikingNetwork` both read the result, and so agree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from spikeloom.sw.coding.folding import FoldedLayer, pool_of
from spikeloom.sw.coding.options import Options, coded_input, one_of
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.graph import Pooling
from spikeloom.sw.network import INPUT, Input, Logits, Neuron, Transport
from spikeloom.sw.network.inputs import MAX_TIMESTEPS
from spikeloom.sw.network.leaks import MAX_LEAK
from spikeloom.sw.network.neurons import MAX_SPIKE
from spikeloom.sw.quantized import Activation
from spikeloom.sw.quantized.choices import per_layer

#: Transports that a user can choose; an alignment adds the others.
TRANSPORT_CHOICES = (Transport.COUNT, Transport.SPIKES)
#: The alignment that carries counts everywhere, also between layers of equal timesteps.
AVERAGED = "aver+aver"
#: For each alignment of Table 4 of the mixed-timestep paper, the transport from fewer timesteps to
#: more, and from more to fewer.
ALIGNMENTS: Mapping[str, tuple[Transport, Transport]] = {
    "repl+aver": (Transport.REPLICATE, Transport.COUNT),
    "repl+trunc": (Transport.REPLICATE, Transport.TRUNCATE),
    "aver+trunc": (Transport.COUNT, Transport.TRUNCATE),
    AVERAGED: (Transport.COUNT, Transport.COUNT),
}
#: Most spikes of one timestep, for kinds of neurons that can fire several, unless the user chooses.
DEFAULT_LARGEST = 4

#: Options that only some kinds of neurons have, and the field of the contract that each decides.
_FIELDS = {"largest": "largest", "tau": "leak"}


@dataclass(frozen=True)
class LayerCoding:
    """The coding of one layer.

    Parameters
    ----------
    neuron : str
        Kind of its neurons.
    timesteps : int
        T.
    transports : tuple of Transport
        Of its connections, in order, as in the contract.
    counted : bool
        Whether all its readers read its counts, and never see the order of its spikes.
    largest : int
        Most quanta of one timestep; 1 except for burst neurons.
    leak : int or None
        k of a leak by 2^-k.
    amplitudes : (int, int)
        Spike values of a positive and of a negative quantum.
    """

    neuron: str
    timesteps: int
    transports: tuple[Transport, ...]
    counted: bool
    largest: int = 1
    leak: int | None = None
    amplitudes: tuple[int, int] = (1, 1)

    @property
    def constant(self) -> bool:
        """Whether its current is the same at every timestep."""
        return all(transport == Transport.COUNT for transport in self.transports)

    @property
    def units(self) -> int:
        """Spike value of λ in one timestep."""
        return self.largest * self.amplitudes[0]


@dataclass(frozen=True)
class Coding:
    """Coding of a network's values as spikes in time.

    Parameters
    ----------
    input : Input
    input_scale : Fraction
        Real value of one count of the input.
    layers : mapping of layer name to LayerCoding
        In order, the output layer last.
    """

    input: Input
    input_scale: Fraction
    layers: Mapping[str, LayerCoding]

    def unit(self, source: str, transport: str, thresholds: Mapping[str, Fraction]) -> Fraction:
        """Return the real value of a spike of 1, or a count of 1, that a connection carries.

        A layer stands for its mean over time, so a spike is worth T times a count of one.

        Parameters
        ----------
        source : str
            Layer, or ``"input"``.
        transport : str
        thresholds : mapping of layer name to Fraction
            λ of each.
        """
        if source == INPUT:
            steps, whole = self.input.steps or 1, self.input_scale * (self.input.steps or 1)
        else:
            layer = self.layers[source]
            steps, whole = layer.timesteps, thresholds[source] / layer.units
        return whole / steps if transport == Transport.COUNT else whole


def coding(layers: Sequence[FoldedLayer], meta: Mapping[str, Any], options: Options) -> Coding:
    """Return the coding that a user's options ask for.

    Parameters
    ----------
    layers : sequence of FoldedLayer
        From :func:`~spikeloom.sw.coding.fold`.
    meta : mapping
        Facts about the input that the prepared model keeps: ``input_shape``, ``input_bits``,
        ``input_scale``.
    options : Options

    Raises
    ------
    ConfigError
        If an option is missing, unknown or out of range, or if two contradict each other.
    UnsupportedError
        If the hardware has no way to do what the options ask for.
    """
    unknown = sorted(set(options) - Options.__optional_keys__)
    if unknown:
        raise TypeError(f"no option is called {', '.join(map(repr, unknown))}")
    input, scale = coded_input(meta, options)
    return Coding(input, scale, _Coder(layers, input, options).layers())


class _Coder:
    def __init__(self, layers: Sequence[FoldedLayer], input: Input, options: Options) -> None:
        wanted = options.get("transport", Transport.COUNT)
        self.transport = one_of("transport", wanted, TRANSPORT_CHOICES)
        alignment = options.get("alignment")
        if alignment is not None:
            one_of("alignment", alignment, tuple(ALIGNMENTS))
            if self.transport == Transport.COUNT:
                raise ConfigError(
                    f"alignment {alignment!r} is for spikes, and count transport averages over "
                    f"time whatever the timesteps: leave alignment out, or use transport 'spikes'"
                )
        self.alignment = alignment
        self.all = layers
        self.hidden: dict[str, Activation] = {
            layer.name: layer.activation for layer in layers if layer.activation is not None
        }
        self.names = list(self.hidden)
        self.output = layers[-1]
        self.options = options
        kinds = options.get("neuron")
        # None where the user leaves the choice, which depends on the transports.
        self.kinds: dict[str, str | None] = dict.fromkeys(self.names)
        if kinds is not None:
            self.kinds |= self._per_layer("neuron", kinds, cast(dict[str, Any], self.kinds))
        for name, kind in self.kinds.items():
            self._check_kind(name, kind)
        self.largest = self._largest()
        self.leaks = self._leaks()
        self.steps: dict[str, int | None] = {INPUT: input.steps, **self._timesteps()}
        self.steps[self.output.name] = self._output_steps()

    def layers(self) -> dict[str, LayerCoding]:
        transports = {
            layer.name: tuple(self._transport(layer, s.tap.source) for s in layer.synapses)
            for layer in self.all
        }
        for layer in self.all:
            for synapses, transport in zip(layer.synapses, transports[layer.name], strict=True):
                _check_pool(layer.name, synapses.tap.source, synapses.tap.pool, transport)
        outgoing: dict[str, set[Transport]] = {name: set() for name in self.names}
        for layer in self.all:
            for synapses, transport in zip(layer.synapses, transports[layer.name], strict=True):
                if synapses.tap.source != INPUT:
                    outgoing[synapses.tap.source].add(transport)
        coded = {}
        for layer in self.all:
            name, carried = layer.name, transports[layer.name]
            steps = self.steps[name]
            assert steps is not None
            if layer.activation is None:
                constant = all(transport == Transport.COUNT for transport in carried)
                # The logits of a constant current need one step.
                coded[name] = LayerCoding(Logits.kind, 1 if constant else steps, carried, True)
                continue
            touching = outgoing[name] | set(carried)
            choice = Transport.COUNT if touching == {Transport.COUNT} else Transport.SPIKES
            kind = self.kinds[name] or layer.activation.default_neuron[choice]
            for transport in (*carried, *sorted(outgoing[name])):
                neuron = Neuron.kinds[kind]
                if transport not in neuron.incoming | neuron.outgoing:
                    raise ConfigError(
                        f"{kind!r} neurons take no {transport} transport, which layer {name!r} has "
                        f"at its in- or output: leave neuron out, or use transport 'count'"
                    )
            coded[name] = LayerCoding(
                neuron=kind,
                timesteps=steps,
                transports=carried,
                counted=outgoing[name] == {Transport.COUNT},
                largest=self.largest.get(name, 1),
                leak=self.leaks.get(name),
                amplitudes=_amplitudes(layer),
            )
        return coded

    def _per_layer(self, what: str, choice: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
        # The rules for names are the same everywhere, whatever the values.
        return cast(dict[str, Any], per_layer(choice, self.names, what, defaults))

    def _check_kind(self, name: str, kind: str | None) -> None:
        fit = self.hidden[name].neurons
        if kind is None or kind in fit:
            return
        known = sorted(Neuron.firing())
        if kind not in known:
            raise ConfigError(f"neuron must be {' or '.join(known)}, not {kind!r}")
        raise ConfigError(
            f"{kind!r} neurons cannot stand for the {type(self.hidden[name]).__name__} of layer "
            f"{name!r}: use {' or '.join(fit)}, or another activation in the model"
        )

    def _having(self, option: str) -> list[str]:
        """Return the layers whose kind of neurons has an option."""
        return [name for name, kind in self.kinds.items() if kind in kinds_having(option)]

    def _largest(self) -> dict[str, int]:
        choice = self.options.get("largest")
        if choice is None:
            return dict.fromkeys(self._having("largest"), DEFAULT_LARGEST)
        chosen = self._chosen("largest", choice, dict.fromkeys(self.names, DEFAULT_LARGEST))
        for name, value in chosen.items():
            _check_integer("largest", name, value, MAX_SPIKE)
        return chosen

    def _leaks(self) -> dict[str, int]:
        choice = self.options.get("tau")
        if choice is None:
            return {}
        chosen = self._chosen("tau", choice, dict.fromkeys(self.names))
        return {name: _leak(name, tau) for name, tau in chosen.items() if tau is not None}

    def _chosen(self, what: str, choice: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of an option for the layers that have it; no others may be named."""
        having, kinds = self._having(what), kinds_having(what)
        if not having:
            raise ConfigError(
                f"{what} is for {' and '.join(kinds)} neurons, and there are none: "
                f"neuron={kinds[0]!r}"
            )
        chosen = self._per_layer(what, choice, defaults)
        if isinstance(choice, Mapping):
            for name in sorted(choice.keys() & set(self.names) - set(having)):
                raise ConfigError(
                    f"{what} names layer {name!r}, whose neurons are not of kind "
                    f"{' or '.join(map(repr, kinds))}: leave it out"
                )
        return {name: chosen[name] for name in having}

    def _timesteps(self) -> dict[str, int]:
        """Return T of every layer that fires."""
        trained = {
            name: -(-activation.levels // self.largest.get(name, 1))
            for name, activation in self.hidden.items()
        }
        choice = self.options.get("timesteps")
        if isinstance(choice, Mapping) and self.alignment is not None:
            choice = {name: steps for name, steps in choice.items() if name != self.output.name}
        chosen = trained if choice is None else self._per_layer("timesteps", choice, trained)
        for name, steps in chosen.items():
            _check_integer("timesteps", name, steps, MAX_TIMESTEPS)
        return chosen

    def _output_steps(self) -> int:
        name, choice = self.output.name, self.options.get("timesteps")
        if isinstance(choice, Mapping) and self.alignment is not None and name in choice:
            _check_integer("timesteps", name, choice[name], MAX_TIMESTEPS)
            return choice[name]
        steps = {self.steps[synapses.tap.source] for synapses in self.output.synapses}
        # As many timesteps as the longest source has, so that none is cut short.
        return max((t for t in steps if t is not None), default=1)

    def _transport(self, layer: FoldedLayer, source: str) -> Transport:
        """Return the transport of the connection from ``source`` to ``layer``."""
        there, here = self.steps[source], self.steps[layer.name]
        assert here is not None
        if there is None or self.transport == Transport.COUNT:
            return Transport.COUNT
        if there == here and self.alignment != AVERAGED:
            return Transport.SPIKES
        if self.alignment is None:
            known = {name: steps for name, steps in self.steps.items() if steps is not None}
            raise ConfigError(
                f"spikes without an alignment need equal timesteps in all layers, not {known} "
                f"({source!r} has {there} and layer {layer.name!r} {here}): give one number of "
                f"timesteps, an alignment ({', '.join(ALIGNMENTS)}), or use transport 'count'"
            )
        return ALIGNMENTS[self.alignment][there > here]


def kinds_having(option: str) -> list[str]:
    """Return the kinds of neurons that have ``largest`` or ``tau``: a field that it decides."""
    field = _FIELDS[option]
    return [kind for kind, neuron in Neuron.firing().items() if field in neuron.decided]


def _check_pool(layer: str, source: str, pooling: Pooling | None, transport: str) -> None:
    pooled = pool_of(pooling)
    if pooled is not None and transport not in pooled.transports:
        raise UnsupportedError(
            f"layer {layer!r} reads {source!r} through a {pooled.kind}-pool, which is not exact on "
            f"spikes: use count transport, or average pools in the model"
        )


def _amplitudes(layer: FoldedLayer) -> tuple[int, int]:
    if layer.activation is None:
        return (1, 1)
    try:
        return layer.activation.amplitudes
    except ConfigError as error:
        raise ConfigError(f"layer {layer.name!r}: {error}") from None


def _leak(name: str, tau: Any) -> int:
    """Return k of tau = 2^k."""
    if isinstance(tau, bool) or not isinstance(tau, (int, float)) or not math.isfinite(tau):
        raise ConfigError(f"tau of layer {name!r} must be a number, not {tau!r}")
    if not 2 <= tau <= 1 << MAX_LEAK:
        raise ConfigError(
            f"tau of layer {name!r} must be from 2 to 2^{MAX_LEAK}, not {tau}: leave tau out for "
            f"neurons without a leak"
        )
    mantissa, exponent = math.frexp(tau)
    if mantissa != 0.5:
        raise ConfigError(
            f"tau of layer {name!r} must be a power of two, not {tau}, since the leak is a shift: "
            f"use {1 << (exponent - 1)} or {1 << exponent}"
        )
    return exponent - 1


def _check_integer(what: str, layer: str, value: Any, highest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
        raise ConfigError(
            f"{what} of layer {layer!r} must be an integer from 1 to {highest}, not {value!r}"
        )
