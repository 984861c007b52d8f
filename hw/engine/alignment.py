"""Alignment in time: from the timesteps that a source sends to those that a connection carries."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.planning.connection import AlignmentPlan
from spikeloom.hw.values import shape_of


class Aligner(wiring.Component):
    """Adds up the timesteps of each position, or passes on only the first of them.

    A sum leaves through a register; timesteps that are passed on go straight through.

    Parameters
    ----------
    plan : AlignmentPlan
        Decides between the two: ``plan.summed``.

    Attributes
    ----------
    SUM_LATENCY : int
        Clock cycles from taking the last timestep of a position to offering the sum.

    Members
    -------
    i : In(stream)
        Transfers of ``plan.source``.
    o : Out(stream)
        Transfers of ``plan.target``.
    busy : Out(1)
        Whether a sum waits to be taken.
    """

    SUM_LATENCY = 1

    def __init__(self, plan: AlignmentPlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "i": In(plan.source.signature),
                "o": Out(plan.target.signature),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        steps = self.plan.source.steps
        step = Signal(range(steps))
        last = step == steps - 1
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += step.eq(Mux(last, 0, step + 1))
        if self.plan.summed:
            self._sum(m, first=step == 0, last=last)
        else:
            used = step < self.plan.target.steps
            m.d.comb += [
                self.o.valid.eq(self.i.valid & used),
                self.i.ready.eq(self.o.ready | ~used),
            ]
            for k in range(self.plan.source.lanes):
                m.d.comb += self.o.payload[k].eq(self.i.payload[k])
        return m

    def _sum(self, m: Module, first: Signal, last: Signal) -> None:
        """Add up the timesteps in place, in the output register."""
        values = shape_of(self.plan.target.values)
        m.d.comb += [self.i.ready.eq(~self.o.valid | self.o.ready), self.busy.eq(self.o.valid)]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += self.o.valid.eq(last)
            for k in range(self.plan.source.lanes):
                # Partial sums may wrap: the total is proven to fit its width.
                so_far = Signal(values, name=f"so_far{k}")
                m.d.comb += so_far.eq(Mux(first, 0, self.o.payload[k]))
                m.d.sync += self.o.payload[k].eq(so_far + self.i.payload[k])
