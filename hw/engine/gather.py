"""Gather: joins the words that a window has in each of a layer's connections."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


class Gather(wiring.Component):
    """Sends the words of one window from all connections of a layer, one connection after another.

    The first connection's words come first, then the second's, and so on; only the last word of
    the last connection ends the window. The weights of all connections lie in the same banks, so
    the parts that follow need not know which connection a word comes from.

    Parameters
    ----------
    sources : sequence of data.StructLayout
        Layout of the words of each connection; see
        :attr:`~spikeloom.hw.engine.reader.Reader.layout`.
    target : data.StructLayout
        Layout that can hold a word of any of them: as many values as in the longest, each as wide
        as in the widest.

    Attributes
    ----------
    LATENCY : int
        Clock cycles from taking a word to offering it.

    Members
    -------
    i0, i1, ... : In(stream)
        Words of each connection.
    waits0, waits1, ... : In(1)
        Whether a connection waits for rows.
    taking : In(1)
        Whether ``o`` is ready in the next cycle. So all connections are told from a register
        whether words are taken: on their way there it meets much else.
    o : Out(stream)
        Words of all connections, from registers: what follows need not wait for the memory that a
        word comes from. Values that a connection's shorter words do not have are 0.
    waits : Out(1)
        Whether the connection whose turn it is waits for rows, and no word is offered.
    """

    LATENCY = 1

    def __init__(self, sources: Sequence[data.StructLayout], target: data.StructLayout) -> None:
        self.sources = tuple(sources)
        self.target = target
        members = {"o": Out(stream.Signature(target)), "waits": Out(1), "taking": In(1)}
        for k, source in enumerate(self.sources):
            members |= {f"i{k}": In(stream.Signature(source)), f"waits{k}": In(1)}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        number = len(self.sources)
        turn = Signal(range(number))
        word = Signal(self.target)
        # No word is offered, or the one that is offered is taken.
        valid, free = Signal(), Signal(init=1)
        waits, ends = Signal(), Signal()
        m.d.sync += free.eq((free & ~valid) | self.taking)
        with m.Switch(turn):
            for k, layout in enumerate(self.sources):
                source = getattr(self, f"i{k}")
                with m.Case(k):
                    m.d.comb += [
                        valid.eq(source.valid),
                        word.base.eq(source.payload.base),
                        source.ready.eq(free),
                        ends.eq(source.payload.last),
                        waits.eq(getattr(self, f"waits{k}")),
                    ]
                    for place in range(layout["values"].shape.length):
                        m.d.comb += word.values[place].eq(source.payload.values[place])
        last = turn == number - 1
        m.d.comb += [word.last.eq(ends & last), self.waits.eq(waits & ~self.o.valid)]
        with m.If(free):
            m.d.sync += [self.o.valid.eq(valid), self.o.payload.eq(word)]
            with m.If(valid & ends):
                m.d.sync += turn.eq(Mux(last, 0, turn + 1))
        return m
