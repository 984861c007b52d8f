"""Neurons with one threshold: ``if``, ``cuba``, ``dual`` and ``burst``."""

from __future__ import annotations

from amaranth.hdl import Array, Assume, Mux, Signal, Value, signed

from formal.specifications.base import Specification, State, Step
from spikeloom.sw.network import If, Range


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
