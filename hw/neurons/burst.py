"""Neurons that fire several times in one timestep: ``burst``."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from spikeloom.hw.neurons.folded import FoldedUnit
from spikeloom.hw.neurons.unit import IntegratorUnit, neuron_of
from spikeloom.sw.network import Burst


class BurstUnit(IntegratorUnit, kind=Burst.kind):
    """``v -= leak(v); v += A*2^F + B; s = clip(floor(v / threshold), 0, largest)``.

    The division is restoring, a stage for each bit of ``largest``, all in one cycle.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        neuron = neuron_of(self.spec, Burst)
        before = self._keep(m, self.potential, self.parameters.initial)
        integrated = Signal.like(self.potential)
        m.d.comb += integrated.eq(self._leaked(before, neuron.shifts) + self._current())
        rest: Value = integrated
        # Whether all bits so far equal those of ``largest``: then a 0 in it must stay 0.
        tight: Value = Const(1)
        bits: list[Value] = []
        for k in reversed(range(neuron.largest.bit_length())):
            allowed = bool(neuron.largest >> k & 1)
            taken = Signal(name=f"taken{k}")
            left = Signal.like(self.potential, name=f"left{k}")
            reached = rest >= (self.parameters.threshold << k)
            m.d.comb += [
                taken.eq(reached if allowed else reached & ~tight),
                left.eq(rest - Mux(taken, self.parameters.threshold << k, 0)),
            ]
            tight = tight & (taken if allowed else ~taken)
            rest = left
            bits.insert(0, taken)
        m.d.comb += [
            self.spike.eq(Cat(bits)),
            self.potential.eq(rest),
            self.count.eq(self._keep(m, self.count) + self.spike),
        ]
        return m


class FoldedBurst(FoldedUnit, kind=Burst.kind):
    """``n = clip(floor((v0 + T*I) / threshold), 0, T * largest)``."""

    step_unit = BurstUnit
