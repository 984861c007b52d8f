"""The neurons of the contract's section 5, written in Amaranth for a solver.

No expression here is shared with the units. Every parameter is a free constant, bounded by the
smallest and the largest value among a layer's channels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from amaranth.hdl import Array, Assume, Instance, Module, Mux, Shape, Signal, Value, signed

from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import If, Range
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


class _Threshold(Specification):
    """The parameters that ``if``, ``dual`` and ``burst`` share."""

    def choose(self) -> None:
        self.threshold = self.constant("threshold", self.neuron.threshold)
        self.initial = self.constant("initial", self.neuron.initial)
        self.bias = self.constant("bias", self.neuron.bias)
        if not isinstance(self.neuron, If) or self.neuron.foldable:
            self.m.d.comb += Assume(self.initial < self.threshold)

    def unit_parameters(self, t: Value) -> dict[str, Value]:
        # Thresholds beyond reach are clipped to just out of reach, which may change no result.
        most = self.plan.ranges.potential.high + 1
        threshold = Mux(self.threshold > most, most, self.threshold)
        if self.plan.folded:
            offset = self.initial + self.plan.layer.timesteps * self.bias
            return {"threshold": threshold, "offset": offset}
        return {"threshold": threshold, "initial": self.initial, "bias": self.bias}

    def start(self) -> State:
        return (self.kept(self.initial, "start"),)

    @property
    def largest(self) -> int:
        """The largest spike of one timestep."""
        return int(self.neuron.spike().high)

    def closed_form(
        self, current: Value, steps: Value | int, count: Value, potential: Value
    ) -> list[Value]:
        return [
            count >= 0,
            count <= self.largest * steps,
            (count == 0) | (potential >= 0),
            (count == self.largest * steps) | (potential < self.threshold),
        ]

    def taken(self, current: Value, count: Value) -> Value:
        return self.times(count, self.threshold, self.largest * self.plan.layer.timesteps)

    def loop(self, current: Value, steps: Value, state: State, count: Value) -> list[Value]:
        i = self.input(current)
        return [
            # Under a negative current nothing fires; under a large one, the most in every timestep.
            (i >= 0) | (count == 0),
            (i < self.largest * self.threshold) | (count == self.largest * steps),
            *([state[1] == count] if len(state) > 1 else []),
        ]


class IfSpecification(_Threshold, kind="if"):
    """``v = v - leak(v) + A*2^F + B; s = [v >= threshold]``, and then the reset."""

    def choose(self) -> None:
        super().choose()
        neuron = self.neuron
        self.reset: Signal | None = None
        if neuron.reset_value is not None:
            self.reset = self.constant("reset", neuron.reset_value)
        elif neuron.reset_amount is not None:
            self.reset = self.constant("reset", neuron.reset_amount)
            least = int((neuron.threshold - neuron.reset_amount).min())
            self.m.d.comb += Assume(self.threshold - self.reset >= least)

    def unit_parameters(self, t: Value) -> dict[str, Value]:
        parameters = super().unit_parameters(t)
        if self.reset is not None:
            # Of a neuron that never fires, it may change no result.
            never = self.threshold > self.plan.ranges.potential.high
            unused = 0 if self.neuron.reset_value is not None else 1
            parameters["reset"] = Mux(never, unused, self.reset)
        return parameters

    def step(self, t: Value | int, state: State, current: Value, shown: Value) -> Step:
        leaked = self.leaked(state[0], self.neuron.shifts, "v")
        fires, after = self.fired(self.kept(leaked + self.input(current), "v"))
        return fires, (after,), []

    def fired(self, v: Value) -> tuple[Value, Value]:
        """Return the spike of a potential, and what its reset leaves."""
        fires = v >= self.threshold
        left = v - (self.threshold if self.reset is None else self.reset)
        if self.neuron.reset_value is not None:
            assert self.reset is not None
            left = self.reset
        return fires, self.kept(Mux(fires, left, v), "after")


class CubaSpecification(IfSpecification, kind="cuba"):
    """As ``if``, of the current ``i = i - current_leak(i) + A*2^F + B`` instead of A*2^F + B."""

    def choose(self) -> None:
        super().choose()
        # The current has a range of its own, which may be wider than that of the potential.
        widest = max(r.width for r in self.currents())
        self.wide = signed(max(len(Signal(self.wide)), widest + 3))

    def currents(self) -> list[Range]:
        """Return the current's range before each timestep, and after the last."""
        reach = self.plan.ranges.accumulator
        steps = range(self.plan.layer.timesteps + 1)
        return [self.neuron.current(t, reach) for t in steps]

    def bounds(self) -> list[Range]:
        return [*super().bounds(), self.currents()[-1]]

    def start(self) -> State:
        return (*super().start(), Signal(self.wide, name="no_current"))

    def invariants(self, t: Value, state: State, count: Value) -> list[Value]:
        return [
            *super().invariants(t, state, count),
            state[1] >= Array(r.low for r in self.currents())[t],
            state[1] <= Array(r.high for r in self.currents())[t],
        ]

    def step(self, t: Value | int, state: State, current: Value, shown: Value) -> Step:
        v, i = state
        leaked = self.leaked(i, self.neuron.current_shifts, "i")
        # The unit's current is the right one; so the potential follows from a signal of both.
        right = self.unit.driving == leaked + self.input(current)
        i = self.kept(self.unit.driving, "i")
        leaked = self.leaked(v, self.neuron.shifts, "v")
        fires, after = self.fired(self.kept(leaked + i, "v"))
        return fires, (after, i), [right]


class DualSpecification(_Threshold, kind="dual"):
    """``s = +1 if v >= threshold; else -1 if v < 0 and m > 0; else 0``."""

    def start(self) -> State:
        return (*super().start(), Signal(self.wide, name="none"))

    def invariants(self, t: Value, state: State, count: Value) -> list[Value]:
        v, net = state
        low, high, *held = super().invariants(t, state, count)
        most = Array(r.high for r in self.reach())[t]
        if self.neuron.shifts:
            # A spike that is taken back raises v to less than the threshold, which it had reached.
            return [low, high, *held, net == count, (net <= 0) | (self.threshold <= most)]
        # Spikes that are taken back do not raise v too far: each of those sent could be.
        fits = [
            (net < k) | (v + k * self.threshold <= most)
            for k in range(1, self.plan.layer.timesteps + 1)
        ]
        return [low, high, *held, net == count, *fits]

    def step(self, t: Value | int, state: State, current: Value, shown: Value) -> Step:
        leaked = self.leaked(state[0], self.neuron.shifts, "v")
        v = self.kept(leaked + self.input(current), "v")
        net = state[1]
        rises = v >= self.threshold
        falls = ~rises & (v < 0) & (net > 0)
        after = Mux(rises, v - self.threshold, Mux(falls, v + self.threshold, v))
        s = Mux(rises, 1, Mux(falls, -1, 0))
        return s, (self.kept(after, "after"), self.kept(net + s, "net")), []


class BurstSpecification(_Threshold, kind="burst"):
    """``s = clip(floor(v / threshold), 0, largest)``, by conditions that only this s fulfils.

    It is 0 or leaves no negative potential, and it is the largest or leaves less than a threshold.
    """

    def step(self, t: Value | int, state: State, current: Value, shown: Value) -> Step:
        before = self.leaked(state[0], self.neuron.shifts, "v")
        v = self.kept(before + self.input(current), "v")
        bits = [Mux(shown[k], self.threshold << k, 0) for k in range(len(shown))]
        after = self.kept(v - self.kept(sum(bits, Value.cast(0)), "taken"), "after")
        most = self.neuron.largest
        right = [
            shown <= most,
            (shown == 0) | (after >= 0),
            (shown == most) | (after < self.threshold),
        ]
        return shown, (after,), right


class SignedSpecification(Specification, kind="signed"):
    """Steps of one quantum: P above zero, N below it, and the same quantum on the way back."""

    def choose(self) -> None:
        self.positive = self.constant("positive", self.neuron.threshold)
        self.negative = self.constant("negative", self.neuron.negative_threshold)
        self.bias = self.constant("bias", self.neuron.bias)

    def unit_parameters(self, t: Value) -> dict[str, Value]:
        most = 2 * self.plan.ranges.potential.high + 1
        cut = {
            name: Mux(quantum > most, most, quantum)
            for name, quantum in (("positive", self.positive), ("negative", self.negative))
        }
        if self.plan.folded:
            return {**cut, "offset": self.plan.layer.timesteps * self.bias}
        return {**cut, "bias": self.bias}

    def start(self) -> State:
        return Signal(self.wide, name="zero"), Signal(self.wide, name="none")

    def invariants(self, t: Value, state: State, count: Value) -> list[Value]:
        low, high, *_ = super().invariants(t, state, count)
        net = state[1]
        worth = net * Mux(net >= 0, self.neuron.amplitude, self.neuron.negative_amplitude)
        return [low, high, -t <= net, net <= t, count == worth]

    def step(self, t: Value | int, state: State, current: Value, shown: Value) -> Step:
        v = self.kept(state[0] + self.input(current), "v")
        net = state[1]
        up, a_up = self.quantum(net >= 0)
        down, a_down = self.quantum(net > 0)
        rises = 2 * v >= up
        falls = ~rises & (2 * v <= -down)
        s = Mux(rises, a_up, Mux(falls, -a_down, 0))
        after = Mux(rises, v - up, Mux(falls, v + down, v))
        return s, (self.kept(after, "after"), self.kept(net + rises - falls, "net")), []

    def closed_form(
        self, current: Value, steps: Value | int, count: Value, potential: Value
    ) -> list[Value]:
        below, quanta, quantum = self.mirrored(current, count)
        v = Mux(below, -potential, potential)
        return [
            quanta >= 0,
            quanta <= steps,
            count == quanta * self.worth(below),
            (quanta == 0) | (2 * v >= -quantum),
            (quanta == steps) | (2 * v < quantum),
        ]

    def taken(self, current: Value, count: Value) -> Value:
        below, quanta, quantum = self.mirrored(current, count)
        taken = self.times(quanta, quantum, self.plan.layer.timesteps)
        return Mux(below, -taken, taken)

    def mirrored(self, current: Value, count: Value) -> tuple[Value, Value, Value]:
        """Return the current's sign, the number of quanta in its direction, and their size."""
        below = self.input(current) < 0
        quantum, _ = self.quantum(~below)
        down, up = self.neuron.negative_amplitude, self.neuron.amplitude
        quanta = Mux(below, -count >> down.bit_length() - 1, count >> up.bit_length() - 1)
        return below, self.kept(quanta, "quanta"), quantum

    def worth(self, below: Value) -> Value:
        """Return the spike of a quantum in the current's direction."""
        return Mux(below, -self.neuron.negative_amplitude, self.neuron.amplitude)

    def loop(self, current: Value, steps: Value, state: State, count: Value) -> list[Value]:
        i, (v, net) = self.input(current), state
        worth = net * Mux(net >= 0, self.neuron.amplitude, self.neuron.negative_amplitude)
        return [
            count == worth,
            (i > 0) | (net <= 0),
            (i < 0) | (net >= 0),
            (net != 0) | (i < 0) | (v >= 0),
            (net != 0) | (i > 0) | (v <= 0),
            (i < self.positive) | (net == steps),
            (-i < self.negative) | (net == -steps),
        ]

    def quantum(self, positive: Value) -> tuple[Value, Value]:
        """Return the size of a quantum, and the spike that it is worth."""
        return (
            Mux(positive, self.positive, self.negative),
            Mux(positive, self.neuron.amplitude, self.neuron.negative_amplitude),
        )


class LadderSpecification(Specification, kind="ladder"):
    """``s[t] = [A >= levels[t]]``; the potential is A."""

    def choose(self) -> None:
        self.levels = [
            self.constant(f"level{t}", self.neuron.levels) for t in range(self.plan.layer.timesteps)
        ]

    def unit_parameters(self, t: Value) -> dict[str, Value]:
        reach = self.plan.ranges.accumulator
        level = Array(self.levels)[t]
        low = Mux(level < reach.low, reach.low, level)
        return {"level": Mux(level > reach.high, reach.high + 1, low)}

    def start(self) -> State:
        return ()

    def invariants(self, t: Value, state: State, count: Value) -> list[Value]:
        return [count >= 0, count <= t]

    def step(self, t: Value | int, state: State, current: Value, shown: Value) -> Step:
        return current >= Array(self.levels)[t], (self.kept(current, "after"),), []


class LogitsSpecification(Specification, kind="logits"):
    """``v = v - leak(v) + A*2^F + B``; no spikes."""

    def choose(self) -> None:
        self.bias = self.constant("bias", self.neuron.bias)

    def unit_parameters(self, t: Value) -> dict[str, Value]:
        return {"bias": self.bias}

    def start(self) -> State:
        return (Signal(self.wide, name="zero"),)

    def step(self, t: Value | int, state: State, current: Value, shown: Value) -> Step:
        leaked = self.leaked(state[0], self.neuron.shifts, "v")
        return Value.cast(0), (self.kept(leaked + self.input(current), "after"),), []
