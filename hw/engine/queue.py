"""A queue of a few wide words, for devices with and without small memories."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

#: Families, as Amaranth's platforms call them, whose only memory is block RAM. It would take as
#: many blocks as a word is wide; and read from flip-flops, as many look-up tables as these.
_NO_SMALL_MEMORY = ("iCE40",)


class WordQueue(wiring.Component):
    """First in, first out: a word can be taken from the second cycle after it came.

    It is a memory, or words that move up one place when one is taken, whichever the platform has
    more of. Both do the same in every cycle.

    Parameters
    ----------
    layout : data.StructLayout
    depth : int
        Words that it holds, at least 2.

    Members
    -------
    i, o : In(stream), Out(stream)
        Words.
    filled : Out(1)
        Whether a word is inside.
    """

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
        if getattr(platform, "family", None) in _NO_SMALL_MEMORY:
            self._of_registers(m)
        else:
            self._of_memory(m)
        return m

    def _of_memory(self, m: Module) -> None:
        m.submodules.fifo = words = fifo.SyncFIFOBuffered(width=self.layout.size, depth=self.depth)
        m.d.comb += [
            words.w_data.eq(self.i.payload),
            words.w_en.eq(self.i.valid),
            self.i.ready.eq(words.w_rdy),
            self.o.payload.eq(words.r_data),
            self.o.valid.eq(words.r_rdy),
            words.r_en.eq(self.o.ready & words.r_rdy),
            self.filled.eq(words.level != 0),
        ]

    def _of_registers(self, m: Module) -> None:
        # The last word is the output's. What comes goes to all places that are free, so that only
        # whether a place is taken decides what moves into it.
        places = self.depth - 1
        taken = Signal(places)
        words = [Signal(self.layout.size, name=f"word{k}") for k in range(places)]
        comes, goes = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~taken[-1]),
            comes.eq(self.i.valid & self.i.ready),
            goes.eq(taken[0] & (~self.o.valid | self.o.ready)),
            self.filled.eq(taken[0] | self.o.valid),
        ]
        with m.If(goes):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(words[0])]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(comes & ~goes):
            m.d.sync += taken.eq(Cat(1, taken[:-1]))
        with m.If(goes & ~comes):
            m.d.sync += taken.eq(taken >> 1)
        for k, word in enumerate(words):
            behind, follows = (words[k + 1], taken[k + 1]) if k + 1 < places else (word, 0)
            with m.If(goes | ~taken[k]):
                m.d.sync += word.eq(Mux(follows, behind, self.i.payload.as_value()))
