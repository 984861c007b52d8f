"""Feedback: a layer's spikes, on their way back to the layer itself."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.planning.streams import StreamPlan


class Feedback(wiring.Component):
    """Delays the spikes of a layer by a timestep: an image begins with 0, and its last are lost.

    So the last spikes of an image are replaced by the 0 that the next image begins with. The first
    image gets its 0 after a reset.

    Parameters
    ----------
    plan : StreamPlan
        The stream that the layer sends: all of its channels in one transfer.

    Members
    -------
    i : In(stream)
        Transfers of ``plan``.
    o : Out(stream)
        As many transfers, and one ahead of them. Those of ``i`` go straight through.
    """

    def __init__(self, plan: StreamPlan) -> None:
        self.plan = plan
        super().__init__({"i": In(plan.signature), "o": Out(plan.signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        step = Signal(range(self.plan.steps))
        begins = Signal(init=1)
        last = step == self.plan.steps - 1
        m.d.comb += [
            self.o.valid.eq(self.i.valid | begins),
            self.i.ready.eq(self.o.ready & ~begins),
            self.o.payload.eq(Mux(begins | last, 0, self.i.payload.as_value())),
        ]
        with m.If(self.o.ready):
            m.d.sync += begins.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += step.eq(Mux(last, 0, step + 1))
        return m
