"""Neurons that fire at one threshold: ``if`` and ``dual``."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, Mux, Signal, Value

from spikeloom.hw.neurons.folded import FoldedUnit
from spikeloom.hw.neurons.spec import NeuronSpec
from spikeloom.hw.neurons.unit import IntegratorUnit, added, neuron_of
from spikeloom.sw.network import Dual, If
from spikeloom.sw.network.record import IntArray


class IfUnit(IntegratorUnit, kind=If.kind):
    """``v -= leak(v); v += A*2^F + B; s = [v >= threshold]``, and a reset.

    It takes the threshold or an amount of its own from v, or sets v to a value.
    """

    @classmethod
    def values(cls, spec: NeuronSpec) -> dict[str, IntArray]:
        neuron = neuron_of(spec, If)
        values = super().values(spec)
        # Of neurons that never fire, only the narrowest.
        fires = neuron.threshold <= spec.ranges.potential.high
        if neuron.reset_value is not None:
            values["reset"] = np.where(fires, neuron.reset_value, 0)
        elif neuron.reset_amount is not None:
            values["reset"] = np.where(fires, neuron.reset_amount, 1)
        return values

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # The contract's range of the potential holds before and after firing.
        integrated = Signal.like(self.potential)
        before = self._keep(m, self.potential, self.parameters.initial)
        shifts = neuron_of(self.spec, If).shifts
        m.d.comb += [
            integrated.eq(self._leaked(before, shifts) + self._driven(m)),
            self.spike.eq(integrated >= self.parameters.threshold),
            self.potential.eq(self._reset(integrated)),
            self.count.eq(self._keep(m, self.count) + self.spike),
        ]
        return m

    def _driven(self, m: Module) -> Value:
        """Return the value that the potential integrates."""
        return self._current()

    def _reset(self, integrated: Value) -> Value:
        """Return what is left of a potential that may have fired."""
        neuron = neuron_of(self.spec, If)
        if neuron.reset_value is not None:
            return Mux(self.spike, self.parameters.reset, integrated)
        own = neuron.reset_amount is not None
        amount = self.parameters.reset if own else self.parameters.threshold
        return integrated - Mux(self.spike, amount, 0)


class DualUnit(IntegratorUnit, kind=Dual.kind):
    """As ``if``, but a spike is taken back where ``v < 0`` and the net count is positive."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        threshold = self.parameters.threshold
        integrated = Signal.like(self.potential)
        fires, recants = Signal(), Signal()
        before = self._keep(m, self.potential, self.parameters.initial)
        shifts = neuron_of(self.spec, Dual).shifts
        net = self._keep(m, self.count)
        m.d.comb += [
            integrated.eq(self._leaked(before, shifts) + self._current()),
            fires.eq(integrated >= threshold),
            recants.eq((integrated < 0) & (net != 0)),
            self.spike.eq(fires - recants),
            self.potential.eq(
                integrated + added(Mux(fires | recants, threshold, 0), negated=fires)
            ),
            self.count.eq(net + self.spike),
        ]
        return m


class FoldedIf(FoldedUnit, kind=If.kind):
    """``n = clip(floor((v0 + T*I) / threshold), 0, T)``, identity 1 of the contract."""

    step_unit = IfUnit


class FoldedDual(FoldedUnit, kind=Dual.kind):
    """As ``if``: under a constant current no spike is ever taken back."""

    step_unit = DualUnit
