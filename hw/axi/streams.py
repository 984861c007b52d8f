"""Packets: an inlet that takes them apart and repairs them, and an outlet that assembles them."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.axi.plan import LOGIT_BITS, PACKET_BITS, AxiPlan

#: Layout of a transfer of the output. ``broken`` is valid together with ``last``.
RESULT = data.StructLayout({"value": LOGIT_BITS, "last": 1, "broken": 1})


class Inlet(wiring.Component):
    """Takes packets apart, so that the accelerator always gets complete images.

    A packet that is too short is filled up with zeros, and surplus transfers are discarded. So
    each packet at the input gives one packet at the output.

    Parameters
    ----------
    plan : AxiPlan

    Members
    -------
    i : In(stream)
        Transfers of packets, with ``last``.
    o : Out(stream)
        Values of images.
    packet : In
        Number of images of a packet.
    hold : In(1)
        Keeps further images from starting. It must not rise while the first value of an image is
        offered.
    skip : In(1)
        Discards all transfers up to and including the next ``last``.
    first, done : Out(1)
        High while the first or the last value of an image is transferred.
    broken : Out(1)
        Valid with ``done``, and then high if the image was damaged.
    short, long, range : Out(1)
        High for one cycle for each error found; the meaning is that of the fields of ERRORS.
    busy : Out(1)
        High while a packet has begun and not ended.
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
        size = self.plan.plan.pixels.transfers
        bits = self.plan.pixel.width
        place, image = Signal(range(size)), Signal(PACKET_BITS)
        filling, surplus, spoilt = Signal(), Signal(), Signal()
        begins, ends, over, taken = Signal(), Signal(), Signal(), Signal()
        given = Signal()  # a value from the packet is transferred, not one that fills it up
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
    """Assembles packets of logits, and completes a packet whose images are abandoned.

    Parameters
    ----------
    plan : AxiPlan

    Members
    -------
    i : In(stream)
        Logits.
    broken : In(1)
        High if the image whose last logit is offered was damaged.
    o : Out(stream)
        Transfers of packets; see :data:`RESULT`.
    packet : In
        Number of images of a packet.
    close : In(1)
        Abandons all images whose logits have not arrived yet.
    closing : Out(1)
        High while a packet that was partly sent is completed with zeros and marked as broken. No
        logits are accepted meanwhile.
    busy : Out(1)
        High while a packet is partly sent.
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
                # One damaged image marks its whole packet.
                spoilt.eq(o.payload.broken & ~o.payload.last),
            ]
            with m.If(ends):
                m.d.sync += image.eq(Mux(o.payload.last, 0, image + 1))
        with m.If(self.close):
            m.d.sync += self.closing.eq(1)
        with m.Elif(~self.busy):
            m.d.sync += self.closing.eq(0)
        return m
