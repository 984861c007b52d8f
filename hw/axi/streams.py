"""Packets in and out: each has the images that it should have, whatever the host sends."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.axi.plan import LOGIT_BITS, PACKET_BITS, AxiPlan

#: What a transfer of the output carries; ``broken`` counts together with ``last``.
RESULT = data.StructLayout({"value": LOGIT_BITS, "last": 1, "broken": 1})


class Inlet(wiring.Component):
    """Takes packets apart; one that is cut short is filled up, and what one has too much left out.

    So the accelerator always gets whole images, and each packet in is a packet out.

    Parameters
    ----------
    plan : AxiPlan

    Members
    -------
    i : In(stream)
        Transfers with ``last``.
    o : Out(stream)
        Values.
    packet : In
        Images of a packet.
    hold : In(1)
        Begin no image. It must not rise while one is offered and not taken.
    skip : In(1)
        Leave out what comes, up to ``last``.
    first, done : Out(1)
        The first, the last value of an image is taken in this cycle.
    broken : Out(1)
        With ``done``: the image is not as it should be.
    short, long, range : Out(1)
        What was wrong, once for each time.
    busy : Out(1)
        A packet has begun.
    """

    def __init__(self, plan: AxiPlan) -> None:
        self.plan = plan
        names = ("first", "done", "broken", "short", "long", "range", "busy")
        super().__init__(
            {
                "i": In(stream.Signature(plan.beat)),
                "o": Out(stream.Signature(plan.pixel)),
                "packet": In(PACKET_BITS, init=1),
                "hold": In(1),
                "skip": In(1),
            }
            | {name: Out(1) for name in names}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        i, o = self.i, self.o
        size = self.plan.plan.input.transfers
        bits = self.plan.pixel.width
        place, image = Signal(range(size)), Signal(PACKET_BITS)
        filling, surplus, spoilt = Signal(), Signal(), Signal()
        begins, ends, over, taken = Signal(), Signal(), Signal(), Signal()
        given = Signal()  # a value that has come, and none that fills up
        # Of two's complement, all bits from the sign on are equal.
        sign = i.payload.data[bits - 1 :]
        beyond = i.payload.data[bits:].any()
        outside = sign.any() & ~sign.all() if self.plan.pixel.signed else beyond
        m.d.comb += [
            begins.eq(place == 0),
            ends.eq(place == size - 1),
            over.eq(ends & (image == self.packet - 1)),
            o.valid.eq(((i.valid & ~surplus) | filling) & ~(begins & self.hold)),
            o.payload.eq(Mux(filling, 0, i.payload.data)),
            i.ready.eq(surplus | (o.ready & ~filling & ~(begins & self.hold))),
            taken.eq(o.valid & o.ready),
            given.eq(taken & ~filling),
            self.short.eq(given & i.payload.last & ~over),
            self.long.eq(given & over & ~i.payload.last),
            self.range.eq(given & outside),
            self.first.eq(taken & begins),
            self.done.eq(taken & ends),
            self.broken.eq(spoilt | filling | self.short | self.long | self.range),
            self.busy.eq(filling | surplus | ~begins | (image != 0)),
        ]
        with m.If(taken):
            m.d.sync += [
                place.eq(Mux(ends, 0, place + 1)),
                spoilt.eq(~ends & self.broken),
            ]
            with m.If(ends):
                m.d.sync += image.eq(Mux(over, 0, image + 1))
            with m.If(over):
                m.d.sync += [filling.eq(0), surplus.eq(self.long)]
            with m.Elif(self.short):
                m.d.sync += filling.eq(1)
        with m.If(surplus & i.valid & i.payload.last):
            m.d.sync += surplus.eq(0)
        with m.If(self.skip):
            m.d.sync += surplus.eq(1)
        return m


class Outlet(wiring.Component):
    """Puts packets together, and completes one whose images are given up.

    Parameters
    ----------
    plan : AxiPlan

    Members
    -------
    i : In(stream)
        Logits.
    broken : In(1)
        Of the image whose last logit is offered.
    o : Out(stream)
        See :data:`RESULT`.
    packet : In
        Images of a packet.
    close : In(1)
        No logit will come any more of the images that there were.
    closing : Out(1)
        The packet that was half out is being completed, with zeros, and broken; nothing is taken.
    busy : Out(1)
        A packet is half out.
    """

    def __init__(self, plan: AxiPlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "i": In(plan.logit_signature),
                "broken": In(1),
                "o": Out(stream.Signature(RESULT)),
                "packet": In(PACKET_BITS, init=1),
                "close": In(1),
                "closing": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        i, o = self.i, self.o
        logits = self.plan.plan.network.classes
        place, image = Signal(range(logits)), Signal(PACKET_BITS)
        ends, spoilt = Signal(), Signal()
        m.d.comb += [
            ends.eq(place == logits - 1),
            self.busy.eq((place != 0) | (image != 0)),
            o.valid.eq(Mux(self.closing, self.busy, i.valid)),
            i.ready.eq(o.ready & ~self.closing),
            o.payload.value.eq(Mux(self.closing, 0, i.payload.value)),
            o.payload.last.eq(ends & (image == self.packet - 1)),
            o.payload.broken.eq(self.closing | (ends & self.broken) | spoilt),
        ]
        with m.If(o.valid & o.ready):
            m.d.sync += [
                place.eq(Mux(ends, 0, place + 1)),
                # One image that is broken breaks its packet.
                spoilt.eq(o.payload.broken & ~o.payload.last),
            ]
            with m.If(ends):
                m.d.sync += image.eq(Mux(o.payload.last, 0, image + 1))
        with m.If(self.close):
            m.d.sync += self.closing.eq(1)
        with m.Elif(~self.busy):
            m.d.sync += self.closing.eq(0)
        return m
