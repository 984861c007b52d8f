"""Events: from the values of a source to the additions that they cause.

Zeros are skipped, and every other value is split into its signed digits; each digit is an event.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.queue import WordQueue
from spikeloom.hw.engine.select import lowest, selected, several
from spikeloom.hw.values import DigitPlan


def word_layout(value: Shape, slots: int, address_bits: int) -> data.StructLayout:
    """Return the layout of one event generator's share of a memory word.

    ``values`` are the values of the share, ``base`` is the weight address of the first of them, and
    ``last`` marks the last word of a window.

    Parameters
    ----------
    value : Shape
        Shape of one value.
    slots : int
        Number of values.
    address_bits : int
        Width of weight addresses.
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

    An event adds the weights at ``address``, shifted left by ``shift``, or subtracts them if it is
    ``negative``; if it is ``null``, it adds nothing. ``last`` marks the last event that a window
    has in one event generator.
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
    """Drops words that are all zeros; the last remaining word of a window is marked as its last.

    Of a window of zeros one word is kept, so that the end of the window is not lost.

    Parameters
    ----------
    layout : data.StructLayout
        Layout of the words, from :func:`word_layout`.

    Attributes
    ----------
    LATENCY : int
        Clock cycles from taking the last word of a window to offering the word that ends it. Any
        other word is offered in the cycle in which the next word with a non-zero value is taken.

    Members
    -------
    i : In(stream)
        All words.
    o : Out(stream)
        The remaining words.
    holds : Out(1)
        Whether it holds a word in the next cycle.
    """

    LATENCY = 1

    def __init__(self, layout: data.StructLayout) -> None:
        self.layout = layout
        words = stream.Signature(layout)
        super().__init__({"i": In(words), "o": Out(words), "holds": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # A word is held back until it is known whether its window has another non-zero value.
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
        kept = found | (self.i.payload.last & ~(full & ~held.last))
        m.d.comb += self.holds.eq((full & ~(self.o.valid & self.o.ready)) | (accepted & kept))
        m.d.sync += full.eq(self.holds)
        with m.If(accepted & kept):
            m.d.sync += held.eq(self.i.payload)
        with m.If(accepted & ~found & self.i.payload.last & full & ~held.last):
            m.d.sync += held.last.eq(1)
        return m


class ValuePicker(wiring.Component):
    """Passes on the non-zero values of a word one by one, the lowest slot first.

    Parameters
    ----------
    layout : data.StructLayout
        Layout of the words, from :func:`word_layout`.
    value : Shape
        Shape of one value.
    slots : int
        Number of values in a word.
    address_bits : int
        Width of weight addresses.

    Attributes
    ----------
    LATENCY : int
        Clock cycles from taking a word to offering its first value. Words follow each other without
        a pause.

    Members
    -------
    i : In(stream)
        Words.
    o : Out(stream)
        A ``value``, the ``address`` of its weights, and ``last``, which is set for the last value
        of a window. A word of zeros yields one value of 0.
    """

    LATENCY = 1

    def __init__(
        self, layout: data.StructLayout, value: Shape, slots: int, address_bits: int
    ) -> None:
        self.layout = layout
        self.slots = slots
        out = data.StructLayout({"value": value, "address": unsigned(address_bits), "last": 1})
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(out))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = Signal(self.layout)
        full = Signal()
        # One bit for each slot: whether it is shown, or follows.
        shown, rest = Signal(self.slots), Signal(self.slots)
        last = Signal()
        # Either the next word follows, or the word's next value. This is known early, and whether
        # anything moves late, so that it decides about nothing else.
        fresh, moves = Signal(), Signal()
        choice, first = Signal(self.slots), Signal(self.slots)
        found = Cat(self.i.payload.values[k].any() for k in range(self.slots))
        m.d.comb += [
            fresh.eq(~full | last),
            moves.eq(~full | self.o.ready),
            choice.eq(Mux(fresh, found, rest)),
            first.eq(lowest(m, choice)),
            self.o.valid.eq(full),
            self.o.payload.value.eq(selected(shown, [word.values[k] for k in range(self.slots)])),
            self.o.payload.address.eq(
                word.base + selected(shown, [Const(k) for k in range(self.slots)])
            ),
            self.o.payload.last.eq(word.last & last),
            self.i.ready.eq(fresh & moves),
        ]
        with m.If(moves):
            m.d.sync += [
                shown.eq(first),
                rest.eq(choice & ~first),
                last.eq(~several(choice)),
                full.eq(self.i.valid | ~fresh),
            ]
        with m.If(self.i.ready):
            m.d.sync += word.eq(self.i.payload)
        return m


class DigitSplitter(wiring.Component):
    """Splits values into their signed digits, one digit per cycle, the lowest first.

    Parameters
    ----------
    value : data.StructLayout
        Layout of the values, as :class:`ValuePicker` sends them.
    digits : DigitPlan
        The digits that a value can have.
    address_bits : int
        Width of weight addresses.

    Attributes
    ----------
    LATENCY : int
        Clock cycles from taking a value to offering its first event.

    Members
    -------
    i : In(stream)
        Values.
    o : Out(stream)
        Events, with the layout from :func:`event_layout`, from registers.
    """

    LATENCY = 1

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

        digit = Signal(positions)
        # Whether no other digit is left: all that comes behind waits for it.
        single = Signal()
        m.d.comb += [
            digit.eq(lowest(m, left)),
            single.eq(~several(left)),
            self.o.valid.eq(full),
            self.o.payload.address.eq(address),
            self.o.payload.shift.eq(selected(digit, [Const(k) for k in range(positions)])),
            self.o.payload.negative.eq((digit & negative).any()),
            self.o.payload.null.eq(~left.any()),
            self.o.payload.last.eq(last & single),
            self.i.ready.eq(~full | (self.o.ready & single)),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [left.eq(left & ~digit), full.eq(~single)]
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


class EventGenerator(wiring.Component):
    """Turns words into events: drops zeros, queues words, picks values and splits them.

    An engine has E of them, each with the weight bank that its events address.

    Parameters
    ----------
    value : Shape
        Shape of one source value.
    slots : int
        Number of values in a word.
    digits : DigitPlan
        The digits that a value can have.
    address_bits : int
        Width of weight addresses.
    depth : int
        Number of words that wait in it, that of its :class:`ValuePicker` included; at least 2, or 0
        if each word is taken when the values of the one before have been: then a word of zeros is
        an event that adds nothing.

    Members
    -------
    i : In(stream)
        Words, with the layout from :func:`word_layout`. Where words wait, ready comes from a
        register, and is low in the first cycle.
    o : Out(stream)
        Events, with the layout from :func:`event_layout`; at least one for each window.
    taking : Out(1)
        Whether ``i`` is ready in the next cycle.
    busy : Out(1)
        Whether a word or an event waits inside.
    """

    def __init__(
        self, value: Shape, slots: int, digits: DigitPlan, address_bits: int, depth: int
    ) -> None:
        self.depth = depth
        self.value = value
        self.slots = slots
        self.digits = digits
        self.address_bits = address_bits
        self.layout = word_layout(value, slots, address_bits)
        super().__init__(
            {
                "i": In(stream.Signature(self.layout)),
                "o": Out(stream.Signature(event_layout(digits, address_bits))),
                "taking": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words, waiting = self._queued(m) if self.depth else (wiring.flipped(self.i), Const(0))
        values = data.StructLayout(
            {"value": self.value, "address": unsigned(self.address_bits), "last": 1}
        )
        m.submodules.splitter = splitter = DigitSplitter(values, self.digits, self.address_bits)
        if self.depth or self.slots > 1:
            m.submodules.picker = picker = ValuePicker(
                self.layout, self.value, self.slots, self.address_bits
            )
            wiring.connect(m, words, picker.i)
            wiring.connect(m, picker.o, splitter.i)
            waiting = waiting | picker.o.valid
        else:
            m.d.comb += [
                splitter.i.valid.eq(words.valid),
                splitter.i.payload.value.eq(words.payload.values[0]),
                splitter.i.payload.address.eq(words.payload.base),
                splitter.i.payload.last.eq(words.payload.last),
                words.ready.eq(splitter.i.ready),
            ]
        wiring.connect(m, splitter.o, wiring.flipped(self.o))
        m.d.comb += self.busy.eq(waiting | splitter.o.valid)
        return m

    def _queued(self, m: Module) -> tuple[stream.Interface, Value]:
        """Drop words of zeros and queue the others; return them, and whether there are any."""
        m.submodules.compactor = compactor = Compactor(self.layout)
        m.submodules.queue = queue = WordQueue(self.layout, self.depth - 1)
        # Ready as the compactor is, but from a register: on its way to the memory that words come
        # from, it meets much else.
        m.d.sync += self.i.ready.eq(self.taking)
        m.d.comb += [
            self.taking.eq(~compactor.holds | queue.space),
            compactor.i.valid.eq(self.i.valid & self.i.ready),
            compactor.i.payload.eq(self.i.payload),
        ]
        wiring.connect(m, compactor.o, queue.i)
        return queue.o, compactor.o.valid | queue.o.valid
