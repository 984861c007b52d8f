"""Neurons with a threshold above zero and one below: ``signed``."""

from __future__ import annotations

from amaranth.hdl import Mux, Signal, Value

from formal.specifications.base import Specification, State, Step


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
