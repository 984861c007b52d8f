"""Neurons that do not fire: ``logits``."""

from __future__ import annotations

from amaranth.hdl import Signal, Value

from formal.specifications.base import Specification, State, Step


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
