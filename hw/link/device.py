"""An accelerator with its link: all that a board needs but pins and a clock."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.accelerator import Accelerator
from spikeloom.hw.link.link import Link
from spikeloom.hw.link.plan import LinkPlan
from spikeloom.hw.planning.plan import Plan


class Device(wiring.Component):
    """Images in at a pin, logits out at another.

    Parameters
    ----------
    plan : Plan
    link : LinkPlan
        Of this plan.

    Members
    -------
    rx : In(1), tx : Out(1)
        UART.
    """

    def __init__(self, plan: Plan, link: LinkPlan) -> None:
        self.plan = plan
        self.link = link
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = Link(self.link)
        accelerator = Accelerator(self.plan)
        m.submodules.accelerator = ResetInserter(link.clear)(accelerator)
        m.d.comb += [
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
            link.logits.valid.eq(accelerator.o.valid),
            link.logits.payload.eq(accelerator.o.payload.as_value()),
            accelerator.o.ready.eq(link.logits.ready),
        ]
        wiring.connect(m, link.image, accelerator.i)
        for k, name in enumerate(self.link.counters):
            layer, counter = name.split(".")
            counters = getattr(accelerator, f"counters__{layer}")
            m.d.comb += link.counters[k].eq(getattr(counters, counter))
        for k, record in enumerate(self.link.records):
            tap = getattr(accelerator, f"tap__{record.layer}")
            own = getattr(link, f"tap{k}")
            m.d.comb += [own.sent.eq(tap.sent), own.value.eq(tap.value)]
        return m
