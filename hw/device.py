"""All that a board needs but pins and a clock: an accelerator, its link, its self test."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.accelerator import Accelerator
from spikeloom.hw.link import Link, LinkPlan
from spikeloom.hw.planning.plan import Plan
from spikeloom.hw.selftest import SelfTest


class Device(wiring.Component):
    """Images in at a pin, logits out at another; after power-up, the images of a self test first.

    While the self test runs, the link answers, and images that it is given wait. Then the
    accelerator is reset, so that its counters are those of the link's images alone.

    Parameters
    ----------
    plan : Plan
    link : LinkPlan
        Of this plan.
    test : SelfTest, optional
        Of this plan.

    Members
    -------
    rx : In(1), tx : Out(1)
        UART.
    passed, failed : Out(1)
        Of the self test; without one, neither is ever high.
    """

    def __init__(self, plan: Plan, link: LinkPlan, test: SelfTest | None = None) -> None:
        self.plan, self.link, self.test = plan, link, test
        super().__init__(
            {"rx": In(1, init=1), "tx": Out(1, init=1), "passed": Out(1), "failed": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = Link(self.link)
        # Whether the accelerator is the link's.
        given = Signal(init=self.test is None)
        clear = Signal()
        accelerator = Accelerator(self.plan)
        m.submodules.accelerator = ResetInserter(clear)(accelerator)
        m.d.comb += [
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
            clear.eq(link.clear & given),
            link.image.ready.eq(accelerator.i.ready & given),
            link.logits.valid.eq(accelerator.o.valid & given),
            link.logits.payload.eq(accelerator.o.payload.as_value()),
        ]
        with m.If(given):
            m.d.comb += [
                accelerator.i.valid.eq(link.image.valid),
                accelerator.i.payload.eq(link.image.payload),
                accelerator.o.ready.eq(link.logits.ready),
            ]
        if self.test is not None:
            m.submodules.test = test = self.test
            over = test.passed | test.failed
            m.d.comb += [
                self.passed.eq(test.passed),
                self.failed.eq(test.failed),
                test.o.ready.eq(accelerator.i.ready & ~given),
                test.i.valid.eq(accelerator.o.valid & ~given),
                test.i.payload.eq(accelerator.o.payload.as_value()),
            ]
            with m.If(~given):
                # A failed test may have sent but a part of its image: that goes with the reset.
                m.d.comb += [
                    clear.eq(over),
                    accelerator.i.valid.eq(test.o.valid),
                    accelerator.i.payload.eq(test.o.payload),
                    accelerator.o.ready.eq(test.i.ready),
                ]
                m.d.sync += given.eq(over)
        for k, name in enumerate(self.link.counters):
            layer, counter = name.split(".")
            counters = getattr(accelerator, f"counters__{layer}")
            m.d.comb += link.counters[k].eq(getattr(counters, counter))
        for k, record in enumerate(self.link.records):
            tap = getattr(accelerator, f"tap__{record.layer}")
            own = getattr(link, f"tap{k}")
            m.d.comb += [own.sent.eq(tap.sent & given), own.value.eq(tap.value)]
        return m
