"""Events: what is left of a source's values once zeros are skipped and digits taken apart."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.queue import WordQueue
from spikeloom.hw.engine.select import selected
from spikeloom.hw.values import DigitPlan

#: Words that a bank may be ahead of its engine by, so that banks with unequal work even out.
QUEUE_DEPTH = 8


def word_layout(value: Shape, slots: int, address_bits: int) -> data.StructLayout:
    """Return the layout of one bank's share of a memory word.

    ``values`` are the bank's, ``base`` is the weight address of the first, and ``last`` marks the
    last word of a window.
    """
    return data.StructLayout(
        {
            "values": data.ArrayLayout(value, slots),
            "base": unsigned(address_bits),
            "last": 1,
        }
    )


def event_layout(digits: DigitPlan, address_bits: int) -> data.StructLayout:
    """Return the layout of an event.

    Add or subtract (``negative``) the weights at ``address``, shifted left by ``shift``; nothing
    if ``null``. ``last`` marks the end of a bank's window.
    """
    return data.StructLayout(
        {
            "address": unsigned(address_bits),
            "shift": range(digits.positions),
            "negative": 1,
            "null": 1,
            "last": 1,
        }
    )


class Compactor(wiring.Component):
    """Drops words without a non-zero, and lets a window end with its last word that has one.

    A window without any non-zero leaves one zero word, so that its end is not lost.

    Parameters
    ----------
    layout : data.StructLayout
        From :func:`word_layout`.

    Members
    -------
    i, o : In(stream), Out(stream)
        Words.
    """

    def __init__(self, layout: data.StructLayout) -> None:
        self.layout = layout
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(layout))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # A word is held back until it is known whether its window has another non-zero.
        held = Signal(self.layout)
        full = Signal()
        found = Signal()
        accepted = Signal()
        m.d.comb += [
            found.eq(self.i.payload.values.as_value().any()),
            self.i.ready.eq(~full | self.o.ready),
            accepted.eq(self.i.valid & self.i.ready),
            self.o.payload.eq(held),
            self.o.valid.eq(full & (held.last | (self.i.valid & found))),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += full.eq(0)
        with m.If(accepted):
            with m.If(found):
                m.d.sync += [held.eq(self.i.payload), full.eq(1)]
            with m.Elif(self.i.payload.last):
                with m.If(full & ~held.last):
                    m.d.sync += held.last.eq(1)
                with m.Else():
                    m.d.sync += [held.eq(self.i.payload), full.eq(1)]
        return m


class ValuePicker(wiring.Component):
    """Hands on a word's non-zero values one by one, the lowest slot first.

    Parameters
    ----------
    layout : data.StructLayout
        From :func:`word_layout`.
    value : Shape
        Of one value.
    slots : int
        Values in a word.
    address_bits : int
        Width of weight addresses.

    Members
    -------
    i : In(stream)
        Words.
    o : Out(stream)
        ``value``, its weights' ``address``, and ``last`` for the last of a window. A word without
        a non-zero yields one value of 0.
    """

    def __init__(
        self, layout: data.StructLayout, value: Shape, slots: int, address_bits: int
    ) -> None:
        self.layout = layout
        self.slots = slots
        out = data.StructLayout({"value": value, "address": unsigned(address_bits), "last": 1})
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(out))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = self.i.payload
        done = Signal(self.slots)
        left = Signal(self.slots)
        lowest = Signal(self.slots)
        m.d.comb += [
            left.eq(Cat(word.values[k].any() for k in range(self.slots)) & ~done),
            lowest.eq(left & -left),
            self.o.payload.value.eq(selected(lowest, [word.values[k] for k in range(self.slots)])),
            self.o.payload.address.eq(
                word.base + selected(lowest, [Const(k) for k in range(self.slots)])
            ),
            self.o.payload.last.eq(word.last & (left == lowest)),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready & (left == lowest)),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += done.eq(Mux(left == lowest, 0, done | lowest))
        return m


class DigitSplitter(wiring.Component):
    """Takes values apart into their signed digits, one per cycle, the lowest first.

    Parameters
    ----------
    value : data.StructLayout
        What :class:`ValuePicker` hands on.
    digits : DigitPlan
    address_bits : int
        Width of weight addresses.

    Members
    -------
    i : In(stream)
        Values.
    o : Out(stream)
        Events, laid out as by :func:`event_layout`, from registers.
    """

    def __init__(self, value: data.StructLayout, digits: DigitPlan, address_bits: int) -> None:
        self.digits = digits
        super().__init__(
            {
                "i": In(stream.Signature(value)),
                "o": Out(stream.Signature(event_layout(digits, address_bits))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        positions = self.digits.positions
        value = self.i.payload.value
        left = Signal(positions)
        negative = Signal(positions)
        address = Signal.like(self.o.payload.address)
        last = Signal()
        full = Signal()

        lowest = Signal(positions)
        m.d.comb += [
            lowest.eq(left & -left),
            self.o.valid.eq(full),
            self.o.payload.address.eq(address),
            self.o.payload.shift.eq(selected(lowest, [Const(k) for k in range(positions)])),
            self.o.payload.negative.eq((lowest & negative).any()),
            self.o.payload.null.eq(~left.any()),
            self.o.payload.last.eq(last & (left == lowest)),
            self.i.ready.eq(~full | (self.o.ready & (left == lowest))),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [left.eq(left & ~lowest), full.eq(left != lowest)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                full.eq(1),
                address.eq(self.i.payload.address),
                last.eq(self.i.payload.last),
            ]
            if self.digits.recoded:
                triple = Signal(positions + 1)
                m.d.comb += triple.eq(value + (value << 1))
                m.d.sync += [left.eq((triple ^ value) >> 1), negative.eq((value & ~triple) >> 1)]
            else:
                m.d.sync += left.eq(value)
        return m


class EventBank(wiring.Component):
    """From words to events: drop zeros, queue, pick values, split digits.

    Parameters
    ----------
    value : Shape
        Of one source value.
    slots : int
        Values in a word.
    digits : DigitPlan
    address_bits : int
        Width of weight addresses.

    Members
    -------
    i : In(stream)
        Words, laid out as by :func:`word_layout`.
    o : Out(stream)
        Events, laid out as by :func:`event_layout`; each window has at least one.
    busy : Out(1)
        Whether an event or a word waits inside.
    """

    def __init__(self, value: Shape, slots: int, digits: DigitPlan, address_bits: int) -> None:
        self.value = value
        self.slots = slots
        self.digits = digits
        self.address_bits = address_bits
        self.layout = word_layout(value, slots, address_bits)
        super().__init__(
            {
                "i": In(stream.Signature(self.layout)),
                "o": Out(stream.Signature(event_layout(digits, address_bits))),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.compactor = compactor = Compactor(self.layout)
        m.submodules.queue = queue = WordQueue(self.layout, QUEUE_DEPTH)
        m.submodules.picker = picker = ValuePicker(
            self.layout, self.value, self.slots, self.address_bits
        )
        m.submodules.splitter = splitter = DigitSplitter(
            picker.o.payload.shape(), self.digits, self.address_bits
        )
        wiring.connect(m, wiring.flipped(self.i), compactor.i)
        wiring.connect(m, compactor.o, queue.i)
        wiring.connect(m, queue.o, picker.i)
        wiring.connect(m, picker.o, splitter.i)
        wiring.connect(m, splitter.o, wiring.flipped(self.o))
        m.d.comb += self.busy.eq(compactor.o.valid | queue.filled | splitter.o.valid)
        return m
