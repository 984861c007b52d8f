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

    Attributes
    ----------
    layout : data.StructLayout
        Layout of the words, from :func:`reader_layout`.

    Members
    -------
    i : In(stream)
        Transfers of the source.
    o : Out(stream)
        Words of the windows, with the layout :attr:`layout`.
    waits : Out(1)
        Whether the next window waits for rows and no word of the one before is left.
    """

    def __init__(self, plan: ConnectionPlan, lane_groups: int, depth: int) -> None:
        self.plan = plan
        self.lane_groups = lane_groups
        self.depth = depth
        self.layout = reader_layout(plan.stream.values, plan.windows.buffer.word_values, depth)
        super().__init__(
            {
                "i": In(plan.source.signature),
                "o": Out(stream.Signature(self.layout)),
                "waits": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, windows = self.plan, self.plan.windows
        m.submodules.buffer = buffer = RowBuffer(windows.buffer)
        m.submodules.scanner = scanner = Scanner(windows, self.lane_groups, plan.first, self.depth)
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
        m.d.comb += [
            scanner.rows.eq(buffer.rows),
            buffer.release.eq(scanner.release),
            buffer.releases.eq(scanner.releases),
            buffer.address.eq(scanner.address),
            buffer.enable.eq(scanner.enable),
            scanner.o.ready.eq(self.o.ready),
            self.o.valid.eq(scanner.o.valid),
            self.o.payload.base.eq(scanner.o.payload.base),
            self.o.payload.last.eq(scanner.o.payload.last),
            self.waits.eq(scanner.waiting & ~scanner.o.valid),
        ]
        if windows.buffer.marked:
            m.d.comb += scanner.marks.eq(buffer.marks)
        value = shape_of(plan.stream.values)
        for k in range(windows.buffer.word_values):
            under = Signal(value, name=f"under{k}")
            kept = scanner.o.payload.keep[k].replicate(value.width)
            m.d.comb += [
                under.eq(buffer.word.word_select(k, value.width) & kept),
                self.o.payload.values[k].eq(under),
            ]
        return m
