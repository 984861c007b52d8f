"""Neurons with a threshold for each timestep: ``ladder``."""

from __future__ import annotations

from amaranth.hdl import Array, Mux, Value

from formal.specifications.base import Specification, State, Step


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
