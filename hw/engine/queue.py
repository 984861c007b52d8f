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
    """First in, first out: a queue of words.

    It is built as a memory or, on platforms without small memories, as a shift register whose words
    move up by one place whenever one is taken. Both behave the same in every cycle.

    Parameters
    ----------
    layout : data.StructLayout
        Layout of a word.
    depth : int
        Number of words that it holds.

    Attributes
    ----------
    LATENCY : int
        Clock cycles from taking a word to offering it, if the queue is empty.
    SPACE_LATENCY : int
        Clock cycles from giving a word to taking one into its place, if the queue is full.

    Members
    -------
    i : In(stream)
        Words to store.
    o : Out(stream)
        The same words. They may come out of a memory, so store them before you compute with them.
    space : Out(1)
        Whether a word can be stored in the next cycle.
    """

    LATENCY = 1
    SPACE_LATENCY = 1

    def __init__(self, layout: data.StructLayout, depth: int) -> None:
        self.layout = layout
        self.depth = depth
        words = stream.Signature(layout)
        super().__init__({"i": In(words), "o": Out(words), "space": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Words take up places from the first on, so that whether there is a word, or space for one,
        # is a single bit.
        taken = Signal(self.depth)
        comes, goes = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~taken[-1]),
            self.o.valid.eq(taken[0]),
            comes.eq(self.i.valid & self.i.ready),
            goes.eq(self.o.valid & self.o.ready),
        ]
        follows = Signal.like(taken)
        m.d.comb += [follows.eq(taken), self.space.eq(~follows[-1])]
        with m.If(comes & ~goes):
            m.d.comb += follows.eq(Cat(1, taken[:-1]))
        with m.If(goes & ~comes):
            m.d.comb += follows.eq(taken >> 1)
        m.d.sync += taken.eq(follows)
        if getattr(platform, "family", None) in _NO_SMALL_MEMORY:
            self._of_registers(m, taken, goes)
        else:
            self._of_memory(m, comes, goes)
        return m

    def _of_memory(self, m: Module, comes: Value, goes: Value) -> None:
        m.submodules.words = words = memory.Memory(
            shape=self.layout.size, depth=self.depth, init=[]
        )
        write, read = words.write_port(), words.read_port(domain="comb")
        into, out = Signal(range(self.depth)), Signal(range(self.depth))
        m.d.comb += [
            write.addr.eq(into),
            write.data.eq(self.i.payload),
            write.en.eq(comes),
            read.addr.eq(out),
            self.o.payload.eq(read.data),
        ]
        for place, moves in ((into, comes), (out, goes)):
            with m.If(moves):
                m.d.sync += place.eq(Mux(place == self.depth - 1, 0, place + 1))

    def _of_registers(self, m: Module, taken: Signal, goes: Value) -> None:
        # A word that comes in is written to all free places, so that only one bit, whether the next
        # place is taken, decides what a place loads.
        words = [Signal(self.layout.size, name=f"word{k}") for k in range(self.depth)]
        m.d.comb += self.o.payload.eq(words[0])
        for k, word in enumerate(words):
            last = k + 1 == self.depth
            behind, follows = (word, 0) if last else (words[k + 1], taken[k + 1])
            with m.If(goes | ~taken[k]):
                m.d.sync += word.eq(Mux(follows, behind, self.i.payload.as_value()))
