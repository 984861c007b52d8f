"""Neurons that fire at one threshold: ``if`` and ``dual``."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal

from spikeloom.hw.neurons.folded import FoldedUnit
from spikeloom.hw.neurons.unit import IntegratorUnit, added
from spikeloom.sw.network import Dual, If


class IfUnit(IntegratorUnit, kind=If.kind):
    """``v += A*2^F + B; s = [v >= threshold]; v -= s*threshold``."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # The contract's range of the potential holds before and after firing.
        integrated = Signal.like(self.potential)
        m.d.comb += [
            integrated.eq(self._keep(m, self.potential, self.parameters.initial) + self._current()),
            self.spike.eq(integrated >= self.parameters.threshold),
            self.potential.eq(integrated - Mux(self.spike, self.parameters.threshold, 0)),
            self.count.eq(self._keep(m, self.count) + self.spike),
        ]
        return m


class DualUnit(IntegratorUnit, kind=Dual.kind):
    """As ``if``, but a spike is taken back where ``v < 0`` and the net count is positive."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        threshold = self.parameters.threshold
        integrated = Signal.like(self.potential)
        fires, recants = Signal(), Signal()
        net = self._keep(m, self.count)
        m.d.comb += [
            integrated.eq(self._keep(m, self.potential, self.parameters.initial) + self._current()),
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
