"""Reader: one connection's way into its engine, from transfers to the words of each window."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.alignment import Aligner
from spikeloom.hw.engine.buffer import RowBuffer
from spikeloom.hw.engine.pool import PoolUnit
from spikeloom.hw.engine.scanner import Scanner
from spikeloom.hw.planning.connection import ConnectionPlan
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import Range


def reader_layout(values: Range, places: int, depth: int) -> data.StructLayout:
    """Return the layout of a word of a window.

    ``values`` are the values of the word, with 0 for those that lie outside the window. ``base`` is
    the address of the weights for the first value of each bank; a negative one wraps around in its
    width. ``last`` is set for the last word of a window.

    Parameters
    ----------
    values : Range
        Range of a value.
    places : int
        Number of values in a word.
    depth : int
        Number of words in a weight bank.
    """
    return data.StructLayout(
        {
            "values": data.ArrayLayout(shape_of(values), places),
            "base": range(max(depth, 2)),
            "last": 1,
        }
    )


class Reader(wiring.Component):
    """Aligns, pools and buffers the transfers of a source, and reads every window's words.

    Parameters
    ----------
    plan : ConnectionPlan
    lane_groups : int
        Number of groups of M output channels in the layer.
    depth : int
        Number of words in a weight bank, over all connections of the layer.
    copies : int
        Number of scanners, each of which reads every ``copies``-th window of a row.

    Attributes
    ----------
    layout : data.StructLayout
        Layout of the words, from :func:`reader_layout`.

    Members
    -------
    i : In(stream)
        Transfers of the source.
    o : Out(stream), for each scanner
        Words of its windows, with the layout :attr:`layout`.
    waits : Out(1), for each scanner
        Whether the next window waits for rows and no word of the one before is left.
    """

    def __init__(self, plan: ConnectionPlan, lane_groups: int, depth: int, copies: int = 1) -> None:
        self.plan = plan
        self.lane_groups = lane_groups
        self.depth = depth
        self.copies = copies
        self.layout = reader_layout(plan.stream.values, plan.windows.buffer.word_values, depth)
        super().__init__(
            {
                "i": In(plan.source.signature),
                "o": Out(stream.Signature(self.layout)).array(copies),
                "waits": Out(1).array(copies),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, windows = self.plan, self.plan.windows
        m.submodules.buffer = buffer = RowBuffer(windows.buffer, self.copies)
        sent = wiring.flipped(self.i)
        if plan.alignment:
            m.submodules.aligner = aligner = Aligner(plan.alignment)
            wiring.connect(m, sent, aligner.i)
            sent = aligner.o
        if plan.pool:
            m.submodules.pool = pool = PoolUnit.of(plan.pool)
            wiring.connect(m, sent, pool.i)
            sent = pool.o
        wiring.connect(m, sent, buffer.i)
        for copy in range(self.copies):
            self._scan(m, buffer, copy)
        return m

    def _scan(self, m: Module, buffer: RowBuffer, copy: int) -> None:
        """Add the scanner of a copy."""
        plan, windows, o = self.plan, self.plan.windows, self.o[copy]
        scanner = Scanner(windows, self.lane_groups, plan.first, self.depth, copy, self.copies)
        m.submodules[f"scanner{copy}" if self.copies > 1 else "scanner"] = scanner
        m.d.comb += [
            scanner.rows.eq(buffer.rows[copy]),
            buffer.release[copy].eq(scanner.release),
            buffer.releases[copy].eq(scanner.releases),
            buffer.address[copy].eq(scanner.address),
            buffer.enable[copy].eq(scanner.enable),
            scanner.o.ready.eq(o.ready),
            o.valid.eq(scanner.o.valid),
            o.payload.base.eq(scanner.o.payload.base),
            o.payload.last.eq(scanner.o.payload.last),
            self.waits[copy].eq(scanner.waiting & ~scanner.o.valid),
        ]
        if windows.buffer.marked:
            m.d.comb += scanner.marks.eq(buffer.marks)
        value = shape_of(plan.stream.values)
        for k in range(windows.buffer.word_values):
            under = Signal(value, name=f"under{copy}_{k}")
            kept = scanner.o.payload.keep[k].replicate(value.width)
            m.d.comb += [
                under.eq(buffer.word[copy].word_select(k, value.width) & kept),
                o.payload.values[k].eq(under),
            ]
