"""Neuron units: one timestep of one neuron each, behind a common signature.

A unit is found by the ``kind`` of the contract's neuron. To add a kind, write one class here: its
parameters' layout and values, and one timestep's logic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from amaranth.hdl import Cat, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.streams import shape_of
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import If, Ladder, Logits, Neuron, Range
from spikeloom.sw.network.record import IntArray

if TYPE_CHECKING:
    from spikeloom.hw.plan import LayerPlan


class NeuronUnit(wiring.Component):
    """One neuron; its state stays inside from one timestep to the next.

    Parameters
    ----------
    plan : LayerPlan

    Attributes
    ----------
    per_step : bool
        Whether the parameters differ from timestep to timestep.
    most_steps : int
        Timesteps that it can take in one cycle, if the current is constant.

    Members
    -------
    current : In(accumulator)
        A of this timestep.
    parameters : In(layout)
        Of the channel, laid out as by :meth:`layout`; for several timesteps at once where they
        differ, an array of them.
    enable : In(1)
        Whether to take the timestep, or the ``plan.steps_per_cycle`` timesteps.
    first : In(1)
        Whether it is the first, which starts from the initial state.
    spike, potential : Out
        The spike of each timestep, and the membrane potential after its soft reset, in the same
        cycle; the first timestep in the lowest bits.
    count : Out
        The sum of the spikes so far, in the same cycle.
    """

    units: ClassVar[dict[str, type[NeuronUnit]]] = {}
    per_step: ClassVar[bool] = False
    most_steps: ClassVar[int] = 1

    def __init_subclass__(cls, kind: str) -> None:
        super().__init_subclass__()
        cls.units[kind] = cls

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "current": In(shape_of(plan.ranges.accumulator)),
                "parameters": In(self.cycle_layout(plan)),
                "enable": In(1),
                "first": In(1),
                "spike": Out(_repeated(shape_of(plan.ranges.spike), plan.steps_per_cycle)),
                "potential": Out(_repeated(shape_of(plan.ranges.potential), plan.steps_per_cycle)),
                "count": Out(shape_of(plan.ranges.count)),
            }
        )

    @staticmethod
    def of(plan: LayerPlan) -> type[NeuronUnit]:
        """Return the unit for a layer's neurons."""
        return NeuronUnit.of_kind(plan.layer.neuron.kind)

    @staticmethod
    def of_kind(kind: str) -> type[NeuronUnit]:
        """Return the unit for neurons of one kind.

        Raises
        ------
        UnsupportedError
            If there is none.
        """
        if kind not in NeuronUnit.units:
            known = ", ".join(sorted(NeuronUnit.units))
            raise UnsupportedError(f"no hardware for neurons of kind {kind!r}; there is: {known}")
        return NeuronUnit.units[kind]

    @classmethod
    def values(cls, plan: LayerPlan) -> dict[str, IntArray]:
        """Return the parameters by name, each of shape (channels,) or (channels, T).

        They are clamped to what makes a difference, so that their width follows from the ranges.
        """
        raise NotImplementedError

    @classmethod
    def layout(cls, plan: LayerPlan) -> data.StructLayout:
        """Return the layout of one channel's parameters at one timestep."""
        values = cls.values(plan)
        return data.StructLayout(
            {name: shape_of(Range(int(v.min()), int(v.max()))) for name, v in values.items()}
        )

    @classmethod
    def cycle_layout(cls, plan: LayerPlan) -> data.Layout:
        """Return the layout of one channel's parameters for one cycle."""
        steps = plan.steps_per_cycle if cls.per_step else 1
        return _repeated(cls.layout(plan), steps)

    def _sum_spikes(self, m: Module, spikes: Value) -> None:
        """Drive ``count`` from this cycle's number of ``spikes``."""
        total = Signal.like(self.count, name="total")
        m.d.comb += self.count.eq(Mux(self.first, 0, total) + spikes)
        with m.If(self.enable):
            m.d.sync += total.eq(self.count)


class IfUnit(NeuronUnit, kind=If.kind):
    """``v += A*2^F + B; s = [v >= threshold]; v -= s*threshold``."""

    @classmethod
    def values(cls, plan: LayerPlan) -> dict[str, IntArray]:
        neuron = _neuron(plan, If)
        # A threshold above every reachable potential never fires, however far above it is.
        reachable = plan.ranges.potential.high
        return {
            "threshold": np.minimum(neuron.threshold, reachable + 1),
            "initial": neuron.initial,
            "bias": neuron.bias,
        }

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fraction_bits = _neuron(self.plan, If).fraction_bits
        # Wide enough before and after firing: the contract's range covers both.
        state = Signal.like(self.potential)
        integrated = Signal.like(self.potential)
        m.d.comb += [
            integrated.eq(
                Mux(self.first, self.parameters.initial, state)
                + (self.current << fraction_bits)
                + self.parameters.bias
            ),
            self.spike.eq(integrated >= self.parameters.threshold),
            self.potential.eq(integrated - Mux(self.spike, self.parameters.threshold, 0)),
        ]
        with m.If(self.enable):
            m.d.sync += state.eq(self.potential)
        self._sum_spikes(m, self.spike)
        return m


class LadderUnit(NeuronUnit, kind=Ladder.kind):
    """``s = [A >= level]``, one level per timestep; the potential is A itself."""

    per_step = True
    most_steps = 8

    @classmethod
    def values(cls, plan: LayerPlan) -> dict[str, IntArray]:
        reachable = plan.ranges.accumulator
        levels = _neuron(plan, Ladder).levels
        return {"level": levels.clip(reachable.low, reachable.high + 1)}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        steps = self.plan.steps_per_cycle
        levels = self.parameters if steps > 1 else [self.parameters]
        spikes = [self.current >= levels[k].level for k in range(steps)]
        width = len(Value.cast(self.potential)) // steps
        current = Signal(self.current.shape(), name="widened")
        m.d.comb += [
            current.eq(self.current),
            Value.cast(self.potential).eq(Cat(current[:width] for _ in range(steps))),
            Value.cast(self.spike).eq(Cat(spikes)),
        ]
        self._sum_spikes(m, sum(spikes[1:], spikes[0]))
        return m


class LogitsUnit(NeuronUnit, kind=Logits.kind):
    """``v += A*2^F + B``; never fires."""

    @classmethod
    def values(cls, plan: LayerPlan) -> dict[str, IntArray]:
        return {"bias": _neuron(plan, Logits).bias}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fraction_bits = _neuron(self.plan, Logits).fraction_bits
        state = Signal.like(self.potential)
        m.d.comb += self.potential.eq(
            Mux(self.first, 0, state) + (self.current << fraction_bits) + self.parameters.bias
        )
        with m.If(self.enable):
            m.d.sync += state.eq(self.potential)
        return m


#: What a layer sends, by the plan's name for it: a unit's output.
SENT: dict[str, Callable[[NeuronUnit], Value]] = {
    "count": lambda unit: unit.count,
    "spikes": lambda unit: unit.spike,
    "logits": lambda unit: unit.potential,
}


def _repeated(shape: ShapeLike, times: int) -> ShapeLike:
    """Return an array of a shape, or the shape itself for a single one."""
    return data.ArrayLayout(shape, times) if times > 1 else shape


def _neuron(plan: LayerPlan, kind: type[Any]) -> Any:
    neuron: Neuron = plan.layer.neuron
    assert isinstance(neuron, kind)
    return neuron
