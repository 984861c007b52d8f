"""Neurons whose spikes have a sign and two amplitudes: ``signed``."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, Mux, Signal

from spikeloom.hw.neurons.folded import FoldedUnit
from spikeloom.hw.neurons.spec import NeuronSpec
from spikeloom.hw.neurons.unit import NeuronUnit, added, neuron_of
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import Range, Signed
from spikeloom.sw.network.record import IntArray


class SignedUnit(NeuronUnit, kind=Signed.kind):
    """Quanta P upwards from zero and N downwards, each fired, or taken back, at half its size.

    Only ``v > 0`` can fire upwards and only ``v < 0`` downwards, so that the sign of v selects one
    quantum, and one comparison is enough. The sign of the count is that of m, the net number of
    quanta.
    """

    @classmethod
    def values(cls, spec: NeuronSpec) -> dict[str, IntArray]:
        neuron = neuron_of(spec, Signed)
        return {**_quanta(spec), "bias": neuron.bias}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        neuron = neuron_of(self.spec, Signed)
        positive, negative = self.parameters.positive, self.parameters.negative
        integrated = Signal.like(self.potential)
        net = self._keep(m, self.count)
        below, in_negative, fires = Signal(), Signal(), Signal()
        quantum = Signal(max(len(positive), len(negative)))
        amplitude = Signal(range(max(neuron.amplitude, neuron.negative_amplitude) + 1))
        doubled = integrated << 1
        m.d.comb += [
            integrated.eq(self._keep(m, self.potential) + self._current()),
            below.eq(integrated < 0),
            in_negative.eq(Mux(below, net <= 0, net < 0)),
            quantum.eq(Mux(in_negative, negative, positive)),
            amplitude.eq(Mux(in_negative, neuron.negative_amplitude, neuron.amplitude)),
            fires.eq((Mux(below, ~doubled, doubled) + below) >= quantum),
            self.potential.eq(integrated + added(Mux(fires, quantum, 0), negated=~below)),
            self.spike.eq(added(Mux(fires, amplitude, 0), negated=below)),
            self.count.eq(net + self.spike),
        ]
        return m


class FoldedSigned(FoldedUnit, kind=Signed.kind):
    """``|n| = clip(floor((2|T*I| + Q) / 2Q), 0, T)`` quanta Q = P or N by the current's sign.

    Since potentials are integers, that is the quotient of ``|T*I| + (Q >> 1)`` and Q.
    """

    step_unit = SignedUnit

    @classmethod
    def values(cls, spec: NeuronSpec) -> dict[str, IntArray]:
        neuron = neuron_of(spec, Signed)
        return {**_quanta(spec), "offset": spec.layer.timesteps * neuron.bias}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        neuron = neuron_of(self.spec, Signed)
        positive, negative = self.parameters.positive, self.parameters.negative
        reach = self.spec.ranges.potential.high
        total = Signal.like(self.potential)
        below = Signal()
        kept_below = self._keep(m, below, total < 0)
        quantum = Signal(max(len(positive), len(negative)))
        # At most twice the reach, since a larger quantum never fires.
        dividend = Signal(shape_of(Range(0, 2 * reach)))
        m.d.comb += [
            total.eq(self._total()),
            below.eq(kept_below),
            quantum.eq(Mux(below, negative, positive)),
            dividend.eq(Mux(below, ~total, total) + below + (quantum >> 1)),
        ]
        quotient, rest = self._divided(m, dividend, quantum)
        minus = _log2(neuron.negative_amplitude)
        plus = _log2(neuron.amplitude)
        m.d.comb += [
            self.count.eq(Mux(below, -(quotient << minus), quotient << plus)),
            self.potential.eq(Mux(below, (quantum >> 1) - rest, rest - (quantum >> 1))),
            self.spike.eq(self.count),
        ]
        return m


def _quanta(spec: NeuronSpec) -> dict[str, IntArray]:
    """Return P and N; those above twice any potential never fire, and are lowered to the least."""
    neuron = neuron_of(spec, Signed)
    reach = 2 * spec.ranges.potential.high + 1
    return {
        "positive": np.minimum(neuron.threshold, reach),
        "negative": np.minimum(neuron.negative_threshold, reach),
    }


def _log2(power: int) -> int:
    return power.bit_length() - 1
