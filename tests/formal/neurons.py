"""Assertions about neuron units: a whole run of timesteps, from any state before it."""

from __future__ import annotations

from amaranth.hdl import (
    Assert,
    Assume,
    Cover,
    Elaboratable,
    Module,
    Mux,
    ResetSignal,
    Signal,
    Value,
)

from formal.specifications import Specification, State, free, free_within
from spikeloom.hw.neurons import NeuronUnit
from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.values import shape_of


class UnitHarness(Elaboratable):
    """A unit and its specification side by side, with assertions that they agree.

    Parameters
    ----------
    plan : LayerPlan
        The channels of its layer span the bounds of the free parameters.
    unit : type of NeuronUnit, optional
        By default the unit of the plan's neuron.
    specification : type of Specification, optional
        By default the specification of the neuron's kind.
    assume_ranges : bool
        Whether to assume the contract's ranges instead of proving them, too.
    """

    def __init__(
        self,
        plan: LayerPlan,
        unit: type[NeuronUnit] | None = None,
        specification: type[Specification] | None = None,
        assume_ranges: bool = False,
    ) -> None:
        self.plan = plan
        self.assume_ranges = assume_ranges
        self.unit = unit or NeuronUnit.of(plan.neurons)
        self.specification = specification or Specification.kinds[plan.layer.neuron.kind]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += Assume(~ResetSignal())
        unit = self.unit(self.plan.neurons)
        specification = self.specification(m, self.plan)
        cycles = self.plan.cycles
        enable = free(m, unit.enable.shape(), "enable")
        # Runs follow one another; there can be a pause in any cycle.
        cycle = Signal(range(cycles), name="cycle")
        first, last = cycle == 0, cycle == cycles - 1
        with m.If(enable):
            m.d.sync += cycle.eq(Mux(last, 0, cycle + 1))
        m.d.comb += [unit.enable.eq(enable), unit.first.eq(first), Cover(enable & last)]
        (self._folded if self.plan.folded else self._stepped)(m, unit, specification, cycle)
        return m

    def _stepped(
        self, m: Module, unit: NeuronUnit, specification: Specification, cycle: Signal
    ) -> None:
        """Assert spike, potential and count of each timestep, by induction over the cycles.

        In every cycle, enabled or not, the unit's registers equal the specification's state.
        """
        plan = self.plan
        together = plan.steps_per_cycle
        m.submodules.unit = unit
        kept = watched(unit)
        specification.unit = unit
        # Timesteps that are computed in one cycle share a current.
        constant = plan.layer.neuron.kind == "ladder"
        current = free_within(m, plan.ranges.accumulator, "current", constant)
        m.d.comb += unit.current.eq(current)

        def resumed(start: Value, name: str) -> tuple[Signal, Signal]:
            """Return the value before this cycle, and the register that carries it over."""
            register = Signal(specification.wide, name=name)
            return specification.kept(Mux(cycle == 0, start, register), f"{name}_before"), register

        begun = [resumed(start, f"state{k}") for k, start in enumerate(specification.start())]
        state: State = tuple(before for before, _ in begun)
        count, total = resumed(Value.cast(0), "total")
        held = specification.invariants(cycle * together, state, count)
        m.d.comb += [(Assume if self.assume_ranges else Assert)(claim) for claim in held]
        registers = [cycle < plan.cycles]
        if "potential" in kept:
            registers.append(kept["potential"] == state[0])
        if "count" in kept:
            registers.append(kept["count"] == count)
        if "driving" in kept:
            registers.append(kept["driving"] == state[1])
        m.d.comb += [Assert(claim) for claim in registers]

        claims = []
        for k in range(together):
            t = cycle * together + k
            given = unit.parameters[k] if together > 1 else unit.parameters
            for name, value in specification.unit_parameters(t).items():
                m.d.comb += getattr(given, name).eq(value)
            shown = unit.spike[k] if together > 1 else unit.spike
            spike, state, right = specification.step(t, state, current, shown)
            count = specification.kept(count + spike, f"count{k}")
            claims += [
                *right,
                shown == spike,
                (unit.potential[k] if together > 1 else unit.potential) == state[0],
            ]
        claims += [unit.count == count] if plan.layer.neuron.fires else []
        if self.assume_ranges:
            for value, reach in zip(state, specification.bounds(), strict=False):
                m.d.comb += [Assume(value >= reach.low), Assume(value <= reach.high)]
        with m.If(unit.enable):
            m.d.comb += [Assert(claim) for claim in claims]
            m.d.sync += [register.eq(s) for (_, register), s in zip(begun, state, strict=False)]
            m.d.sync += total.eq(count)

    def _folded(
        self, m: Module, unit: NeuronUnit, specification: Specification, cycle: Signal
    ) -> None:
        """Assert that count and potential after the last cycle are those of the closed form.

        :class:`LoopHarness` proves that form equal to the contract's loop.
        """
        plan = self.plan
        m.submodules.unit = unit
        current = free_within(m, plan.ranges.accumulator, "current", constant=True)
        later = free_within(m, plan.ranges.accumulator, "later")
        m.d.comb += unit.current.eq(Mux(cycle == 0, current, later))
        for name, value in specification.unit_parameters(cycle).items():
            m.d.comb += getattr(unit.parameters, name).eq(value)
        steps = plan.layer.timesteps
        start = specification.start()[0]
        total = specification.kept(start + steps * specification.input(current), "total")
        with m.If(unit.enable & (cycle == plan.cycles - 1)):
            claims = [
                unit.spike == unit.count,
                unit.potential == total - specification.taken(current, unit.count),
                *specification.closed_form(current, steps, unit.count, unit.potential),
            ]
            m.d.comb += [Assert(claim) for claim in claims]


class LoopHarness(Elaboratable):
    """The contract's loop under a constant current gives the closed form; no unit is involved.

    This is asserted after every number of timesteps up to T, by induction over the timesteps.

    Parameters
    ----------
    plan : LayerPlan
        The channels of its layer span the bounds of the free parameters.
    """

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += Assume(~ResetSignal())
        timesteps = self.plan.layer.timesteps
        specification = Specification.kinds[self.plan.layer.neuron.kind](m, self.plan)
        current = free_within(m, self.plan.ranges.accumulator, "current", constant=True)
        chosen = free(m, shape_of(self.plan.ranges.spike), "spike")
        steps = Signal(range(timesteps + 1), name="steps")

        def register(start: Value, name: str) -> tuple[Signal, Signal]:
            after = Signal(specification.wide, name=name)
            return specification.kept(Mux(steps == 0, start, after), f"{name}_now"), after

        begun = specification.start()
        now = [register(start, f"state{k}") for k, start in enumerate(begun)]
        state: State = tuple(value for value, _ in now)
        count, next_count = register(Value.cast(0), "count")
        spike, after, right = specification.step(steps, state, current, chosen)
        m.d.comb += [Assume(claim) for claim in right]
        claims = [
            steps <= timesteps,
            *specification.invariants(steps, state, count),
            *specification.closed_form(current, steps, count, state[0]),
            *specification.loop(current, steps, state, count),
        ]
        m.d.comb += [*(Assert(claim) for claim in claims), Cover(steps == timesteps)]
        with m.If(steps < timesteps):
            m.d.sync += [
                steps.eq(steps + 1),
                next_count.eq(count + spike),
                *(target.eq(value) for (_, target), value in zip(now, after, strict=True)),
            ]
        return m


def watched(unit: NeuronUnit) -> dict[str, Value]:
    """Elaborate ``unit``; return its registers, by the name of the signal that each one holds."""
    seen: dict[str, Value] = {}
    keep = unit._keep

    def watching(m: Module, value: Value, start: Value | int = 0) -> Signal:
        kept = keep(m, value, start)
        outputs = ("potential", "count", "driving")
        seen.update({name: kept for name in outputs if value is getattr(unit, name, None)})
        return kept

    unit._keep = watching  # type: ignore[method-assign]
    elaborated = unit.elaborate(None)
    unit.elaborate = lambda platform: elaborated
    return seen
