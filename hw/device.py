"""Device: an accelerator with a link and a self test; a board adds only pins and a clock."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.accelerator import Accelerator
from spikeloom.hw.engine import Relay
from spikeloom.hw.link import Link, LinkPlan
from spikeloom.hw.planning import Plan
from spikeloom.hw.selftest import SelfTest


class Device(wiring.Component):
    """An accelerator behind a serial link, which runs a self test after power-up.

    While the self test runs, the link answers, but images that it receives wait. Then the
    accelerator is reset, so that its counters count only images from the link.

    Parameters
    ----------
    plan : Plan
    link : LinkPlan
        Link for this plan.
    test : SelfTest, optional
        Self test for this plan.

    Members
    -------
    rx : In(1), tx : Out(1)
        The two lines of the UART.
    passed, failed : Out(1)
        Result of the self test; without one, neither is ever high.
    """

    def __init__(self, plan: Plan, link: LinkPlan, test: SelfTest | None = None) -> None:
        self.plan, self.link, self.test = plan, link, test
        super().__init__(
            {"rx": In(1, init=1), "tx": Out(1, init=1), "passed": Out(1), "failed": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = Link(self.link)
        # Whether the accelerator has been handed over to the link. A register ahead of the reset
        # of all of it: link and accelerator see nothing of each other in the cycles of the reset.
        given = Signal(init=self.test is None)
        clear, linked = Signal(), Signal()
        m.submodules.accelerator = accelerator = Accelerator(self.plan, clearable=True)
        m.d.comb += [
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
            accelerator.clear.eq(clear),
            linked.eq(given & ~accelerator.clearing),
            link.logits.valid.eq(accelerator.o.valid & linked),
            link.logits.payload.eq(accelerator.o.payload.as_value()),
        ]
        pixels = accelerator.i
        if not self.plan.config.compact:
            # Pixels come from memories, and so late; and the accelerator may be far.
            relay = Relay(pixels.signature.flip())
            m.submodules.relay = ResetInserter(accelerator.clearing)(relay)
            wiring.connect(m, relay.o, pixels)
            pixels = relay.i
        m.d.comb += link.image.ready.eq(pixels.ready & linked)
        m.d.sync += clear.eq(link.clear & given)
        with m.If(linked):
            m.d.comb += [
                pixels.valid.eq(link.image.valid),
                pixels.payload.eq(link.image.payload),
                accelerator.o.ready.eq(link.logits.ready),
            ]
        if self.test is not None:
            m.submodules.test = test = self.test
            over = test.passed | test.failed
            m.d.comb += [
                self.passed.eq(test.passed),
                self.failed.eq(test.failed),
                test.o.ready.eq(pixels.ready & ~given),
                test.i.valid.eq(accelerator.o.valid & ~given),
                test.i.payload.eq(accelerator.o.payload.as_value()),
            ]
            with m.If(~given):
                # A failed test may have sent only part of an image: the reset removes it.
                m.d.sync += [clear.eq(over & ~clear), given.eq(clear)]
                m.d.comb += [
                    pixels.valid.eq(test.o.valid),
                    pixels.payload.eq(test.o.payload),
                    accelerator.o.ready.eq(test.i.ready),
                ]
        for k, name in enumerate(self.link.counters):
            layer, counter = name.split(".")
            counters = getattr(accelerator, f"counters__{layer}")
            m.d.comb += link.counters[k].eq(getattr(counters, counter))
        for k, record in enumerate(self.link.records):
            tap = getattr(accelerator, f"tap__{record.layer}")
            own = getattr(link, f"tap{k}")
            m.d.comb += [own.sent.eq(tap.sent & linked), own.value.eq(tap.value)]
        return m
