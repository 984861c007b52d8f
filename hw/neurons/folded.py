"""Folded time: under a constant current, all timesteps of a neuron are one division.

The count of T timesteps is the quotient of ``v0 + T*I`` and the threshold, clipped to the most
spikes that T timesteps can fire; the remainder is the last potential (identities 1 to 3 of the
contract). A restoring division takes one cycle for each bit of the largest count, instead of T.
"""

from __future__ import annotations

from typing import Any, ClassVar

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value

from spikeloom.hw.neurons.spec import NeuronSpec
from spikeloom.hw.neurons.unit import NeuronUnit
from spikeloom.hw.values import DigitPlan
from spikeloom.sw.network import Range
from spikeloom.sw.network.record import IntArray


class FoldedUnit(NeuronUnit):
    """All timesteps of a neuron as one division; found by the kind of neurons, too.

    The outputs are valid in the last of :meth:`folded_cycles` enabled cycles.

    Attributes
    ----------
    step_unit : type of NeuronUnit
        The unit that takes the timesteps one by one, with the same result.
    """

    kinds = NeuronUnit.folded_kinds
    step_unit: ClassVar[type[NeuronUnit]]

    @classmethod
    def values(cls, spec: NeuronSpec) -> dict[str, IntArray]:
        values = cls.step_unit.values(spec)
        return {
            "threshold": values["threshold"],
            "offset": values["initial"] + spec.layer.timesteps * values["bias"],
        }

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total = Signal.like(self.potential)
        m.d.comb += total.eq(self._total())
        quotient, rest = self._divided(m, total, self.parameters.threshold)
        m.d.comb += [
            self.count.eq(quotient),
            self.potential.eq(rest),
            self.spike.eq(quotient),
        ]
        return m

    def _total(self) -> Value:
        """Return ``T * (A*2^F + B)`` plus the initial potential: T is a handful of shifts."""
        neuron: Any = self.spec.layer.neuron
        timesteps = self.spec.layer.timesteps
        digits = DigitPlan.of(Range(0, timesteps)).digits(timesteps)
        total: Value = self.parameters.offset
        for sign, shift in digits:
            term = self.current << (shift + neuron.fraction_bits)
            total = total + term if sign > 0 else total - term
        return total

    def _divided(self, m: Module, dividend: Signal, divisor: Value) -> tuple[Signal, Signal]:
        """Return the quotient and the remainder of a dividend that is valid in the first cycle.

        The divisor stays aligned with the upper bits, and the rest of the dividend moves up by one
        bit in every cycle. A negative dividend never reaches the divisor.
        """
        most = self.most_quanta(self.spec.layer)
        below = most.bit_length() - 1
        shape = dividend.shape()
        following = Signal(Shape(shape.width + below, shape.signed))
        work = self._keep(m, following, dividend)
        upper, rest = Signal.like(dividend, name="upper"), Signal.like(dividend, name="rest")
        reached, taken = Signal(), Signal()
        quotient = Signal(range(most + 1))
        m.d.comb += [
            upper.eq(work >> below),
            reached.eq(upper >= divisor),
            taken.eq(reached & self._allowed(m, most, taken)),
            rest.eq(upper - Mux(taken, divisor, 0)),
            following.eq(Cat(work[:below], rest) << 1),
            quotient.eq(Cat(taken, self._keep(m, quotient))),
        ]
        return quotient, rest

    def _allowed(self, m: Module, most: int, taken: Signal) -> Value:
        """Return whether the next bit of the quotient may be set without exceeding ``most``.

        It must not be if all bits so far equal those of ``most`` and its next bit is 0.
        """
        below = most.bit_length() - 1
        if most == (2 << below) - 1:
            return Const(1)
        # The bits of ``most`` that are still to come; the first bit of all is 1.
        coming = Signal(below)
        tight = Signal()
        bit, alike = Signal(), Signal()
        m.d.comb += [
            bit.eq(Mux(self.first, 1, coming[-1])),
            alike.eq(Mux(self.first, 1, tight)),
        ]
        with m.If(self.enable):
            m.d.sync += [
                coming.eq(Mux(self.first, most & ~(1 << below), coming << 1)),
                tight.eq(alike & (taken == bit)),
            ]
        return bit | ~alike
