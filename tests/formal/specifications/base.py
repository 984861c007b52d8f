"""Base of the specifications, and signals that the solver chooses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from amaranth.hdl import Array, Assume, Instance, Module, Mux, Shape, Signal, Value, signed

from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import Range
from spikeloom.sw.registry import Registered

#: A neuron's state between timesteps: its potential, and any other state in the contract.
State = tuple[Value, ...]
#: A timestep's spike, the state after it, and the conditions under which the spike is right.
Step = tuple[Value, State, list[Value]]


def free(m: Module, shape: Shape, name: str, constant: bool = False) -> Signal:
    """Return a signal that the solver chooses: anew in every cycle, or once if ``constant``."""
    chosen = Signal(shape, name=name)
    kind = "$anyconst" if constant else "$anyseq"
    m.submodules[f"free_{name}"] = Instance(kind, p_WIDTH=len(chosen), o_Y=chosen)
    return chosen


def free_within(m: Module, values: Range, name: str, constant: bool = False) -> Signal:
    """Return a signal that the solver chooses within a range."""
    chosen = free(m, shape_of(values), name, constant)
    m.d.comb += [Assume(chosen >= values.low), Assume(chosen <= values.high)]
    return chosen


class Specification(Registered, ABC):
    """Specification of one kind of neuron; found by the neuron's ``kind``.

    Parameters
    ----------
    m : Module
        Gets the free parameters, and whatever else is needed.
    plan : LayerPlan
        The channels of its layer span the bounds of the parameters.
    """

    kinds: ClassVar[dict[str, type[Specification]]] = {}
    #: B; set by :meth:`choose` for the kinds that have one.
    bias: Signal
    #: The unit that is compared; set by the harness.
    unit: Any

    def __init__(self, m: Module, plan: LayerPlan) -> None:
        self.m = m
        self.plan = plan
        self.neuron: Any = plan.layer.neuron
        #: The contract's sums never wrap; this is wide enough to notice if one did.
        self.wide = signed(plan.ranges.potential.width + 3)
        self.choose()

    @abstractmethod
    def choose(self) -> None:
        """Create the free parameters."""

    @abstractmethod
    def unit_parameters(self, t: Value) -> dict[str, Value]:
        """Return the parameters that the unit gets in the cycle of timestep ``t``."""

    @abstractmethod
    def start(self) -> State:
        """Return the state before the first timestep."""

    @abstractmethod
    def step(self, t: Value | int, state: State, current: Value, shown: Value) -> Step:
        """Return spike, state and conditions of one timestep.

        ``shown`` is the spike that the unit shows: a specification may return it as it is, together
        with the conditions that make it the right one.
        """

    def invariants(self, t: Value, state: State, count: Value) -> list[Value]:
        """Return conditions that hold before timestep ``t``, and imply those before the next.

        By default, the potential is within the contract's proven range after t steps, and the count
        within that of t spikes.
        """
        return [
            state[0] >= Array(r.low for r in self.reach())[t],
            state[0] <= Array(r.high for r in self.reach())[t],
            count >= 0,
            count <= t * self.neuron.spike().high,
        ]

    def closed_form(
        self, current: Value, steps: Value | int, count: Value, potential: Value
    ) -> list[Value]:
        """Return the conditions on count and potential after ``steps`` timesteps of one current.

        Of all pairs that :meth:`taken` links, only the right one fulfils them.
        """
        raise NotImplementedError

    def taken(self, current: Value, count: Value) -> Value:
        """Return the amount that the soft resets of ``count`` have taken from the potential."""
        raise NotImplementedError

    def loop(self, current: Value, steps: Value, state: State, count: Value) -> list[Value]:
        """Return further conditions after ``steps`` timesteps, which the induction needs."""
        raise NotImplementedError

    def times(self, factor: Value, value: Value, most: int) -> Value:
        """Return ``factor * value`` for a factor from 0 to ``most``, without a multiplier."""
        bits = range(most.bit_length())
        terms = [Mux(factor[k], value << k, 0) for k in bits]
        return self.kept(sum(terms, Value.cast(0)), "product")

    def bounds(self) -> list[Range]:
        """Return the ranges of the state after any timestep, as far as the contract proves them."""
        return [self.plan.ranges.potential]

    def reach(self) -> list[Range]:
        """Return the potential's range before each timestep, and after the last."""
        return [
            self.neuron.potential(t, self.plan.ranges.accumulator)
            for t in range(self.plan.layer.timesteps + 1)
        ]

    def constant(self, name: str, values: np.ndarray[Any, Any]) -> Signal:
        """Return a free constant between the smallest and the largest of ``values``."""
        return free_within(self.m, Range(int(values.min()), int(values.max())), name, True)

    def kept(self, value: Value, name: str) -> Signal:
        """Return a wide signal that equals ``value``, so that expressions stay small."""
        wide = Signal(self.wide, name=name)
        self.m.d.comb += wide.eq(value)
        return wide

    def input(self, current: Value) -> Value:
        """Return ``A*2^F + B``."""
        return current * 2**self.neuron.fraction_bits + self.bias

    def leaked(self, value: Value, shifts: Sequence[int], name: str) -> Value:
        """Return the value less its leak, each shift a division that rounds down."""
        taken = [
            self.kept(value // 2 ** abs(k), f"{name}_by_{n}_{abs(k)}") for n, k in enumerate(shifts)
        ]
        lost = sum((s if k > 0 else -s for s, k in zip(taken, shifts, strict=True)), Value.cast(0))
        return self.kept(value - lost, f"{name}_leaked")
