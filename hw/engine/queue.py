"""Word queue: a few wide words, for devices with and without small memories."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

#: Device families, by their name in Amaranth's platforms, that have no memory but block RAM. A
#: block is far deeper than a queue and only a few bits wide, so a wide word would take many of
#: them; a memory made of flip-flops would take as many look-up tables again to read it.
_NO_SMALL_MEMORY = ("iCE40",)


class WordQueue(wiring.Component):
    """First in, first out: a queue of words that ends in an output register.

    It is built as a memory or, on platforms without small memories, as a shift register whose words
    move up by one place whenever one is taken. Both behave the same in every cycle.

    Parameters
    ----------
    layout : data.StructLayout
        Layout of a word.
    depth : int
        Number of words that it holds, the output register included; at least 2.

    Attributes
    ----------
    LATENCY : int
        Clock cycles from taking a word to offering it, if the queue is empty: one to store it, one
        to move it into the output register.
    SPACE_LATENCY : int
        Clock cycles from the move of a word into the output register to taking a word into the
        place that it leaves, if the queue is full.

    Members
    -------
    i : In(stream)
        Words to store.
    o : Out(stream)
        The same words, from the output register.
    filled : Out(1)
        Whether the queue holds a word.
    """

    LATENCY = 2
    SPACE_LATENCY = 1

    def __init__(self, layout: data.StructLayout, depth: int) -> None:
        self.layout = layout
        self.depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(layout)),
                "o": Out(stream.Signature(layout)),
                "filled": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # The last word is in the output register. The others take up places from the first on, so
        # that whether there is a word, or space for one, is a single bit.
        places = self.depth - 1
        taken = Signal(places)
        comes, goes = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~taken[-1]),
            comes.eq(self.i.valid & self.i.ready),
            goes.eq(taken[0] & (~self.o.valid | self.o.ready)),
            self.filled.eq(taken[0] | self.o.valid),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(goes):
            m.d.sync += self.o.valid.eq(1)
        with m.If(comes & ~goes):
            m.d.sync += taken.eq(Cat(1, taken[:-1]))
        with m.If(goes & ~comes):
            m.d.sync += taken.eq(taken >> 1)
        if getattr(platform, "family", None) in _NO_SMALL_MEMORY:
            first = self._of_registers(m, taken, goes)
        else:
            first = self._of_memory(m, comes, goes)
        with m.If(goes):
            m.d.sync += self.o.payload.eq(first)
        return m

    def _of_memory(self, m: Module, comes: Value, goes: Value) -> Value:
        """Return the word that leaves the memory next."""
        places = self.depth - 1
        m.submodules.words = words = memory.Memory(shape=self.layout.size, depth=places, init=[])
        write, read = words.write_port(), words.read_port(domain="comb")
        into, out = Signal(range(places)), Signal(range(places))
        m.d.comb += [
            write.addr.eq(into),
            write.data.eq(self.i.payload),
            write.en.eq(comes),
            read.addr.eq(out),
        ]
        for place, moves in ((into, comes), (out, goes)):
            with m.If(moves):
                m.d.sync += place.eq(Mux(place == places - 1, 0, place + 1))
        return read.data

    def _of_registers(self, m: Module, taken: Signal, goes: Value) -> Value:
        """Return the word that leaves the registers next."""
        # A word that comes in is written to all free places, so that only one bit, whether the next
        # place is taken, decides what a place loads.
        places = self.depth - 1
        words = [Signal(self.layout.size, name=f"word{k}") for k in range(places)]
        for k, word in enumerate(words):
            behind, follows = (words[k + 1], taken[k + 1]) if k + 1 < places else (word, 0)
            with m.If(goes | ~taken[k]):
                m.d.sync += word.eq(Mux(follows, behind, self.i.payload.as_value()))
        return words[0]
