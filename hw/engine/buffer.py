"""Row buffer: a ring of feature-map rows between a layer and an engine that reads it."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.options import APART
from spikeloom.hw.planning.windows import BufferPlan


class RowBuffer(wiring.Component):
    """Stores rows from their arrival until the engine releases them.

    Rows are written one after another, image after image, into a ring; nothing is ever copied. A
    memory word holds ``plan.chunks`` transfers. The words of a row lie together, all words of one
    timestep before those of the next. Words that are read lie in complete rows, and only other rows
    are written: so the memory needs no logic for a word that is read and written in the same cycle.

    Parameters
    ----------
    plan : BufferPlan
    readers : int
        Number of scanners, each of which reads all rows.

    Attributes
    ----------
    LATENCY : int
        Clock cycles until a change shows: from taking the last transfer of a row to ``rows``
        counting it, and from the last reader's release of a row to taking a transfer into its
        place.

    Members
    -------
    i : In(stream)
        Transfers of ``plan.stream``; refused while the ring is full.
    rows : Out(range(capacity + 1)), for each reader
        Complete rows that it has not released.
    release : In(range(capacity + 1)), releases : In(1), for each reader
        Number of rows to release, at most ``rows``, and whether to release them in this cycle.
    address : In(range(depth)), enable : In(1), for each reader
        Address of the word to read, and whether to read it.
    word : Out(word bits), for each reader
        The word that was read in the last cycle in which ``enable`` was high; lane 0 of the first
        transfer is in the lowest bits.
    marks : Out(depth)
        Present if ``plan.marked``: for each word of a complete row, whether it holds a non-zero
        value.
    """

    LATENCY = 1

    def __init__(self, plan: BufferPlan, readers: int = 1) -> None:
        self.plan = plan
        self.readers = readers
        reading = {
            "rows": Out(range(plan.capacity + 1)),
            "release": In(range(plan.capacity + 1)),
            "releases": In(1),
            "address": In(range(plan.depth)),
            "enable": In(1),
            "word": Out(plan.word_bits),
        }
        members = {name: member.array(readers) for name, member in reading.items()}
        members["i"] = In(plan.stream.signature)
        if plan.marked:
            members["marks"] = Out(plan.depth)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, stream = self.plan, self.plan.stream
        # A memory for each reader: block RAM has a single port beside the one that is written.
        writes = [self._ring(m, reader) for reader in range(self.readers)]
        step = Signal(range(stream.steps))
        chunk = Signal(range(plan.chunks))
        column = Signal(range(stream.width * stream.lane_groups))
        # Address of the word that is being filled at timestep 0, and the distance from it to the
        # word of the current timestep.
        base = Signal(range(plan.depth))
        plane = Signal(range(plan.row_depth))
        row_end = Signal()
        transfer = Signal()
        m.d.comb += [
            # There are never more: a comparison for equality is the shorter way to ready.
            self.i.ready.eq(Cat(rows != plan.capacity for rows in self.rows).all()),
            transfer.eq(self.i.valid & self.i.ready),
        ]
        for write in writes:
            m.d.comb += [
                write.addr.eq(base + plane),
                write.data.eq(self.i.payload.as_value().replicate(plan.chunks)),
                write.en.eq(Mux(transfer, 1 << chunk, 0)),
            ]
        if plan.marked:
            found = self.i.payload.as_value().any()
            mark = self.marks.bit_select(base, 1)
            with m.If(transfer):
                m.d.sync += mark.eq(found | ((chunk != 0) & mark))
        with m.If(transfer):
            m.d.sync += [step.eq(step + 1), plane.eq(plane + plan.row_words)]
            with m.If(step == stream.steps - 1):
                m.d.sync += [step.eq(0), plane.eq(0), chunk.eq(chunk + 1), column.eq(column + 1)]
                last_column = column == stream.width * stream.lane_groups - 1
                with m.If((chunk == plan.chunks - 1) | last_column):
                    m.d.sync += [chunk.eq(0), base.eq(base + 1)]
                with m.If(last_column):
                    # The row's other timesteps lie between this word and the next row.
                    behind = base + 1 + plan.row_depth - plan.row_words
                    m.d.comb += row_end.eq(1)
                    m.d.sync += [column.eq(0), base.eq(Mux(behind == plan.depth, 0, behind))]
        # Whether rows are released is known late, their number early.
        for rows, release, releases in zip(self.rows, self.release, self.releases, strict=True):
            m.d.sync += rows.eq(Mux(releases, rows - release + row_end, rows + row_end))
        return m

    def _ring(self, m: Module, reader: int) -> memory.WritePort:
        """Add a reader's memory; return the port that it is written by."""
        plan = self.plan
        ring = memory.Memory(
            shape=unsigned(plan.word_bits), depth=plan.depth, init=[], attrs={APART: 1}
        )
        m.submodules[f"ring{reader}" if self.readers > 1 else "ring"] = ring
        read = ring.read_port()
        m.d.comb += [
            read.addr.eq(self.address[reader]),
            read.en.eq(self.enable[reader]),
            self.word[reader].eq(read.data),
        ]
        return ring.write_port(granularity=plan.word_bits // plan.chunks)
