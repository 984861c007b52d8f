"""Stores: memories for the images and logits of both banks, and for transfers of layers."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, ResetInserter, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.link.frames import CRC_32
from spikeloom.hw.link.plan import BANKS, LinkPlan, RecordPlan
from spikeloom.hw.values import shape_of


class Unpacker(wiring.Component):
    """Unpacks images: splits their bytes into values.

    Parameters
    ----------
    plan : LinkPlan

    Members
    -------
    i : In(stream of 8 bits)
        Packed images back to back.
    o : Out(stream)
        Their values, without the unused bits in the last byte of each image.
    """

    def __init__(self, plan: LinkPlan) -> None:
        self.plan = plan
        shape = shape_of(plan.pixels)
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width, bits = self.plan.value_bits, self.plan.pixels.width
        i, o = self.i, self.o
        if width == 16:
            low = Signal(8)
            second = Signal()
            m.d.comb += [
                o.valid.eq(i.valid & second),
                o.payload.eq(Cat(low, i.payload)),
                i.ready.eq(~second | o.ready),
            ]
            with m.If(i.valid & i.ready):
                m.d.sync += [second.eq(~second), low.eq(i.payload)]
            return m
        per_byte = 8 // width
        part = Signal(range(per_byte))
        m.d.comb += [
            o.valid.eq(i.valid),
            o.payload.eq(Array(i.payload[k * width :][:bits] for k in range(per_byte))[part]),
        ]
        left = Signal(range(self.plan.transfers), init=self.plan.transfers - 1)
        end = Signal()
        m.d.comb += [end.eq(left == 0), i.ready.eq(o.ready & (end | (part == per_byte - 1)))]
        with m.If(o.valid & o.ready):
            m.d.sync += [
                part.eq(Mux(end, 0, part + 1)),
                left.eq(Mux(end, self.plan.transfers - 1, left - 1)),
            ]
        return m


class ImageStore(wiring.Component):
    """Keeps the images of both banks, and sends one of them to the accelerator on demand.

    Parameters
    ----------
    plan : LinkPlan

    Members
    -------
    write : In(1), address : In, byte : In(8)
        Write port for packed images. Bank 1 lies behind bank 0.
    start : In(1), bank : In(1)
        Starts to send the image of a bank. It must be low while ``busy`` is high.
    busy : Out(1)
        High while an image is being sent, from the cycle after ``start`` on.
    crc : Out(32)
        CRC-32 of the last packed image that was sent, valid while ``busy`` is low.
    o : Out(stream)
        Values of the image.
    """

    def __init__(self, plan: LinkPlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "write": In(1),
                "address": In(range(BANKS * plan.image_bytes)),
                "byte": In(8),
                "start": In(1),
                "bank": In(1),
                "busy": Out(1),
                "crc": Out(32),
                "o": Out(stream.Signature(shape_of(plan.pixels))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size = self.plan.image_bytes
        m.submodules.images = images = memory.Memory(shape=8, depth=BANKS * size, init=[])
        crc = CRC_32.create()
        m.submodules.crc = ResetInserter(self.start)(crc)
        m.submodules.unpacker = unpacker = Unpacker(self.plan)
        wiring.connect(m, unpacker.o, wiring.flipped(self.o))
        write, read = images.write_port(), images.read_port()
        m.d.comb += [
            write.addr.eq(self.address),
            write.data.eq(self.byte),
            write.en.eq(self.write),
        ]
        left = Signal(range(size + 1))
        address = Signal(range(BANKS * size))
        valid = Signal()
        advance, moves = Signal(), Signal()
        packed = unpacker.i
        m.d.comb += [
            moves.eq(~packed.valid | packed.ready),
            advance.eq(~valid | moves),
            read.addr.eq(address),
            read.en.eq(advance),
            self.crc.eq(crc.crc),
            self.busy.eq((left != 0) | valid | packed.valid | crc.valid),
        ]
        # A register behind the memory: reading it takes half of a clock cycle, and the way into the
        # accelerator is long.
        with m.If(moves):
            m.d.sync += [packed.valid.eq(valid), packed.payload.eq(read.data)]
        m.d.sync += [crc.valid.eq(packed.valid & packed.ready), crc.data.eq(packed.payload)]
        with m.If(advance):
            m.d.sync += valid.eq(left != 0)
            with m.If(left != 0):
                m.d.sync += [left.eq(left - 1), address.eq(address + 1)]
        with m.If(self.start):
            m.d.sync += [left.eq(size), address.eq(Mux(self.bank, size, 0))]
        return m


class LogitStore(wiring.Component):
    """Keeps the logits of both banks, and finds the index of the largest.

    Parameters
    ----------
    plan : LinkPlan

    Attributes
    ----------
    LATENCY : int
        Clock cycles from the last logit of an image to its label.

    Members
    -------
    i : In(stream)
        Logits, with ``value`` and ``last``. The store is always ready.
    bank : In(1)
        Bank that the logits belong to. It may change after the last logit of an image.
    done : Out(1)
        High while the last logit of an image is transferred.
    label : Out
        Index of the largest logit, the lowest of equals, of the image that was completed last, once
        all are stored; they can be read from then on, too.
    address : In, word : Out
        Read port for logits. The address consists of the index and, in its highest bit, the bank;
        the word follows one cycle later.
    """

    LATENCY = 2

    def __init__(self, plan: LinkPlan) -> None:
        self.plan = plan
        logit = data.StructLayout({"value": shape_of(plan.logits), "last": 1})
        super().__init__(
            {
                "i": In(stream.Signature(logit)),
                "bank": In(1),
                "done": Out(1),
                "label": Out(plan.label_bits),
                "address": In(plan.label_bits + 1),
                "word": Out(signed(8 * plan.logit_bytes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape = shape_of(self.plan.logits)
        m.submodules.logits = logits = memory.Memory(
            shape=shape, depth=BANKS << self.plan.label_bits, init=[]
        )
        write, read = logits.write_port(), logits.read_port()
        index = Signal(self.plan.label_bits)
        best = Signal(shape)
        # A register ahead of the comparison: logits come a long way, through the accelerator's last
        # skids and the choice between its lanes.
        taken, last, bank = Signal(), Signal(), Signal()
        value = Signal(shape)
        m.d.comb += [
            self.i.ready.eq(1),
            self.done.eq(self.i.valid & self.i.payload.last),
            write.addr.eq(Cat(index, bank)),
            write.data.eq(value),
            write.en.eq(taken),
            read.addr.eq(self.address),
            self.word.eq(read.data),
        ]
        m.d.sync += [
            taken.eq(self.i.valid),
            last.eq(self.i.payload.last),
            value.eq(self.i.payload.value),
            bank.eq(self.bank),
        ]
        with m.If(taken):
            m.d.sync += index.eq(Mux(last, 0, index + 1))
            with m.If((index == 0) | (value > best)):
                m.d.sync += [best.eq(value), self.label.eq(index)]
        return m


class Recorder(wiring.Component):
    """Keeps the transfers that one layer has sent for the last image.

    Parameters
    ----------
    plan : RecordPlan

    Members
    -------
    sent : In(1), value : In
        Tap of the layer.
    images : Out(8)
        Number of images whose transfers are complete, modulo 256.
    address : In, word : Out
        Read port for transfers. The word follows the address one cycle later.
    """

    def __init__(self, plan: RecordPlan) -> None:
        self.plan = plan
        super().__init__(
            {
                "sent": In(1),
                "value": In(plan.width),
                "images": Out(8),
                "address": In(range(plan.transfers)),
                "word": Out(8 * plan.bytes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self.plan
        m.submodules.words = words = memory.Memory(shape=plan.width, depth=plan.transfers, init=[])
        write, read = words.write_port(), words.read_port()
        place = Signal(range(plan.transfers))
        m.d.comb += [
            write.addr.eq(place),
            write.data.eq(self.value),
            write.en.eq(self.sent),
            read.addr.eq(self.address),
            self.word.eq(read.data),
        ]
        with m.If(self.sent):
            m.d.sync += place.eq(place + 1)
            with m.If(place == plan.transfers - 1):
                m.d.sync += [place.eq(0), self.images.eq(self.images + 1)]
        return m
