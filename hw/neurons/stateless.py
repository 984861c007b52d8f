"""Neurons that do not compare a potential with a threshold: ``ladder`` and ``logits``."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value

from spikeloom.hw.neurons.spec import NeuronSpec
from spikeloom.hw.neurons.unit import NeuronUnit, neuron_of
from spikeloom.sw.network import Ladder, Logits
from spikeloom.sw.network.record import IntArray


class LadderUnit(NeuronUnit, kind=Ladder.kind):
    """``s = [A >= level]``, one level per timestep; the potential is A itself."""

    per_step = True
    most_steps = 8

    @classmethod
    def values(cls, spec: NeuronSpec) -> dict[str, IntArray]:
        reachable = spec.ranges.accumulator
        levels = neuron_of(spec, Ladder).levels
        return {"level": levels.clip(reachable.low, reachable.high + 1)}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        steps = self.spec.steps_per_cycle
        levels = self.parameters if steps > 1 else [self.parameters]
        spikes = [self.current >= levels[k].level for k in range(steps)]
        width = len(Value.cast(self.potential)) // steps
        current = Signal(self.current.shape(), name="widened")
        m.d.comb += [
            current.eq(self.current),
            Value.cast(self.potential).eq(Cat(current[:width] for _ in range(steps))),
            Value.cast(self.spike).eq(Cat(spikes)),
            self.count.eq(self._keep(m, self.count) + sum(spikes[1:], spikes[0])),
        ]
        return m


class LogitsUnit(NeuronUnit, kind=Logits.kind):
    """``v -= leak(v); v += A*2^F + B``; never fires."""

    @classmethod
    def values(cls, spec: NeuronSpec) -> dict[str, IntArray]:
        return {"bias": neuron_of(spec, Logits).bias}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shifts = neuron_of(self.spec, Logits).shifts
        before = self._leaked(self._keep(m, self.potential), shifts)
        m.d.comb += self.potential.eq(before + self._current())
        return m
