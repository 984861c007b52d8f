"""Unrolled engine: a layer whose weights are logic, from its source's transfers to those it sends.

It adds up windows by bit planes, which takes the same clock cycles whatever the values are.
"""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.alignment import Aligner
from spikeloom.hw.engine.engine import COUNTERS, count_cycles
from spikeloom.hw.engine.lines import LineWindow
from spikeloom.hw.engine.planes import PlaneSums
from spikeloom.hw.engine.population import Population, tap_signature
from spikeloom.hw.engine.sums import connect_sums
from spikeloom.hw.planning import UnrolledPlan


class UnrolledEngine(wiring.Component):
    """A layer's hardware: the rows under a kernel, tables and adders, and neurons.

    Parameters
    ----------
    plan : UnrolledPlan

    Members
    -------
    i0 : In(stream)
        Transfers of its source.
    o : Out(stream)
        Transfers of ``plan.target``.
    tap : Out
        Debug signals; see :func:`~spikeloom.hw.engine.tap_signature`.
    counters : Out
        Counters; see :data:`~spikeloom.hw.engine.COUNTERS`. An event is a step of a window: the
        additions of P bit planes to every lane.
    """

    def __init__(self, plan: UnrolledPlan) -> None:
        self.plan = plan
        (reader,) = plan.readers
        super().__init__(
            {
                "i0": In(reader.source.signature),
                "o": Out(plan.target.signature),
                "tap": Out(tap_signature(plan)),
                "counters": Out(COUNTERS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, (reader,) = self.plan, self.plan.readers
        sums = plan.sums
        m.submodules.lines = lines = LineWindow(reader.windows, sums.offset, sums.bits)
        m.submodules.planes = planes = PlaneSums(sums)
        m.submodules.population = population = Population(plan)
        sent = wiring.flipped(self.i0)
        if reader.alignment:
            m.submodules.aligner = aligner = Aligner(reader.alignment)
            wiring.connect(m, sent, aligner.i)
            sent = aligner.o
        wiring.connect(m, sent, lines.i)
        wiring.connect(m, lines.o, planes.i)
        waiting, _ = connect_sums(m, plan, [planes.o], population)
        wiring.connect(m, population.o, wiring.flipped(self.o))
        wiring.connect(m, population.tap, wiring.flipped(self.tap))
        count_cycles(
            m,
            self.counters,
            events=planes.issued,
            working=lines.working | planes.busy | waiting | population.busy,
            blocked=population.blocked & ~planes.issued,
        )
        return m
