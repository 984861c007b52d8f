"""A link with a stub in place of the accelerator, small enough to simulate many frames."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, ResetInserter, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.link import Link, LinkPlan, RecordPlan
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import Range

#: An image that begins with this value takes the stub 32768 clock cycles, any other 64.
SLOW = 0xEE
CLOCK, BAUD = 12_000_000, 3_000_000


def stub_plan(values: int = 12, bits: int = 8, **choices: Any) -> LinkPlan:
    given = {
        "counters": ("stub.images", "stub.values"),
        "records": (RecordPlan("stub", 2, Range(-128, 127), 3),),
        "receive": 64,
        "chunk": 8,
        "classes": 3,
    }
    pixels, logits = Range(0, (1 << bits) - 1), Range(-32768, 32767)
    parameters: dict[str, Any] = given | choices
    return LinkPlan("5a" * 32, CLOCK, BAUD, pixels, values, logits, **parameters)


def stub_logits(values: list[int]) -> list[int]:
    """Return the stub's logits of an image: a changed value changes all of them."""
    mixed = 0
    for value in values:
        mixed = ((mixed << 3 | mixed >> 13) & 0xFFFF) ^ value
    return [x - (x >> 15 << 16) for x in (mixed, mixed ^ 0xFFFF, mixed ^ 0x5555)]


def stub_record(values: list[int]) -> list[list[int]]:
    """Return the stub's record of an image: words of a logit's low byte and its index."""
    found = []
    for index, logit in enumerate(stub_logits(values)):
        low = logit & 0xFF
        found.append([low - (low >> 7 << 8), index])
    return found


class Stub(wiring.Component):
    """Stub of an accelerator: mixes an image's values to three logits.

    Its tap shows the low byte and the index of each logit; two counters count images and values.
    """

    def __init__(self, plan: LinkPlan) -> None:
        self.plan = plan
        logit = data.StructLayout({"value": shape_of(plan.logits), "last": 1})
        super().__init__(
            {
                "i": In(stream.Signature(shape_of(plan.pixels))),
                "o": Out(stream.Signature(logit)),
                "sent": Out(1),
                "value": Out(16),
                "images": Out(32),
                "values": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        mixed = Signal(16)
        left = Signal(range(self.plan.transfers), init=self.plan.transfers - 1)
        pause = Signal(15)
        index = Signal(2)
        choices = Array(mixed ^ mask for mask in (0, 0xFFFF, 0x5555))
        m.d.comb += [
            self.o.payload.value.eq(Signal(signed(16))),
            self.o.payload.value.eq(choices[index].as_signed()),
            self.o.payload.last.eq(index == 2),
            self.sent.eq(self.o.valid & self.o.ready),
            self.value.eq(Cat(choices[index][:8], index, 0)),
        ]
        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += [
                        mixed.eq(Cat(mixed[13:], mixed[:13]) ^ self.i.payload),
                        left.eq(left - 1),
                        self.values.eq(self.values + 1),
                    ]
                    with m.If(left == self.plan.transfers - 1):
                        m.d.sync += pause.eq(Mux(self.i.payload == SLOW, 0, -64))
                    with m.If(left == 0):
                        m.d.sync += left.eq(self.plan.transfers - 1)
                        m.next = "THINK"
            with m.State("THINK"):
                m.d.sync += pause.eq(pause + 1)
                with m.If(pause.all()):
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == 2):
                        m.d.sync += [index.eq(0), mixed.eq(0), self.images.eq(self.images + 1)]
                        m.next = "TAKE"
        return m


class StubDevice(wiring.Component):
    """A :class:`Stub` behind a :class:`Link`."""

    def __init__(self, plan: LinkPlan) -> None:
        self.plan = plan
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = Link(self.plan)
        stub = Stub(self.plan)
        m.submodules.stub = ResetInserter(link.clear)(stub)
        m.d.comb += [link.rx.eq(self.rx), self.tx.eq(link.tx)]
        wiring.connect(m, link.image, stub.i)
        wiring.connect(m, stub.o, link.logits)
        if self.plan.counters:
            m.d.comb += [link.counters[0].eq(stub.images), link.counters[1].eq(stub.values)]
        if self.plan.records:
            m.d.comb += [link.tap0.sent.eq(stub.sent), link.tap0.value.eq(stub.value)]
        return m
