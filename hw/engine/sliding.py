"""Sliding maximum: a max-pool whose windows may overlap and reach beyond the feature map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring

from spikeloom.hw.planning.connection import PoolPlan


class SlidingMaximum(wiring.Component):
    """Maximum over windows that may overlap, as values stream past.

    A maximum over a window is one over its columns of those over its rows' values. So each transfer
    goes through two stages in one cycle: *across* extends the windows of its row, and where one of
    these ends, *down* extends the windows below one another that it belongs to. Each stage keeps
    the maxima so far of all windows that have begun, newest first, in one word of a memory: across
    for each lane group, down for each column of windows as well.

    Padding takes no time at the top and on the left: the first row and the first column begin all
    windows that lie on them. Where windows reach beyond the bottom or the right, positions that
    nothing is taken for end them.

    Parameters
    ----------
    plan : PoolPlan

    Members
    -------
    i, o, busy
        As of :class:`~spikeloom.hw.engine.pool.PoolUnit`, which also gives the clock cycles. A
        position behind the source takes as many as a transfer.
    """

    def __init__(self, plan: PoolPlan) -> None:
        self.plan = plan
        super().__init__(plan.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        source, target = self.plan.source, self.plan.target
        rows, columns = self.plan.extent
        inner = source.lane_groups * source.steps
        down, across = self._stages()
        m.submodules.windows = line = memory.Memory(
            shape=down.layout(target.layout), depth=target.width * inner, init=[]
        )
        m.submodules.row = strip = memory.Memory(
            shape=across.layout(target.layout), depth=inner, init=[]
        )
        strip_read, strip_write = strip.read_port(), strip.write_port()
        line_read, line_write = line.read_port(), line.write_port()

        # Position of the transfer, and the transfer among those of one position; then the address
        # of the first result for the next window that ends in this row.
        x, y = Signal(range(columns)), Signal(range(rows))
        place = Signal(range(inner))
        base = Signal(range(target.width * inner + 1))
        given = (x < source.width) & (y < source.height)
        last_place, last_column = place == inner - 1, x == columns - 1
        last_row = y == rows - 1

        # The first cycle looks up the windows so far, the second one extends them.
        looked_up, done = Signal(), Signal()
        arrived = Signal()
        m.d.comb += arrived.eq(self.i.valid | ~given)
        row_begins, row_ends = down.track(m, y, done & last_place & last_column, last_row)
        begins, ends = across.track(m, x, done & last_place, last_column)
        # In the second cycle, the position has been the same for a cycle.
        emit, taken = Signal(), Signal()
        m.d.sync += [emit.eq(row_ends & ends), taken.eq(given)]
        result = Signal(target.layout)
        for k in range(source.lanes):
            row = across.extended(
                m,
                f"across{k}",
                target.layout.elem_shape,
                [strip_read.data[j][k] for j in range(across.kept)],
                self.i.payload[k],
                x == 0,
                begins,
                x < source.width,
            )
            window = down.extended(
                m,
                f"down{k}",
                target.layout.elem_shape,
                [line_read.data[j][k] for j in range(down.kept)],
                row[-1],
                y == 0,
                row_begins,
                y < source.height,
            )
            m.d.comb += result[k].eq(window[-1])
            m.d.comb += [strip_write.data[j][k].eq(row[j]) for j in range(across.kept)]
            m.d.comb += [line_write.data[j][k].eq(window[j]) for j in range(down.kept)]
        m.d.comb += [
            strip_read.addr.eq(place),
            strip_read.en.eq(arrived & ~looked_up),
            strip_write.addr.eq(place),
            strip_write.en.eq(done),
            line_read.addr.eq(base + place),
            line_read.en.eq(arrived & ~looked_up),
            line_write.addr.eq(base + place),
            line_write.en.eq(done & ends),
            done.eq(looked_up & (self.i.valid | ~taken) & ~(emit & self.o.valid & ~self.o.ready)),
            self.i.ready.eq(done & taken),
            self.busy.eq(arrived | self.o.valid),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(done & emit):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(result)]
        m.d.sync += looked_up.eq(arrived & ~done)

        with m.If(done):
            m.d.sync += place.eq(place + 1)
            with m.If(last_place):
                m.d.sync += [place.eq(0), x.eq(x + 1)]
                with m.If(ends):
                    m.d.sync += base.eq(base + inner)
                with m.If(last_column):
                    m.d.sync += [x.eq(0), base.eq(0), y.eq(y + 1)]
                    with m.If(last_row):
                        m.d.sync += y.eq(0)
        return m

    def _stages(self) -> tuple[_Stage, _Stage]:
        """Return the stages over rows (down) and columns (across)."""
        pool = self.plan.pool
        down, across = (
            _Stage(
                name, pool.size[axis], pool.stride[axis], self.plan.ends[axis], pool.padding[axis]
            )
            for axis, name in enumerate(("down", "across"))
        )
        return down, across


@dataclass(frozen=True)
class _Stage:
    """The windows along one axis.

    Parameters
    ----------
    name : str
        For signals.
    size, stride, padding : int
        Of the windows.
    ends : sequence of int
        Last index of each window.
    """

    name: str
    size: int
    stride: int
    ends: Sequence[int]
    padding: int

    @property
    def open(self) -> int:
        """Number of windows that an index can lie in, the one that ends there included."""
        return (self.size - 1) // self.stride + 1

    @property
    def kept(self) -> int:
        """Number of windows to keep: where one ends as another begins, it is not kept itself."""
        return max(-(-(self.size - 1) // self.stride), 1)

    def layout(self, transfer: data.ArrayLayout) -> data.ArrayLayout:
        """Return the layout of the windows that are kept."""
        return data.ArrayLayout(transfer, self.kept)

    def track(self, m: Module, index: Value, move: Value, wraps: Value) -> tuple[Value, Value]:
        """Return whether a window begins at the index, and whether one ends there.

        ``move`` goes on to the next index, and with ``wraps`` to the first one.
        """
        start = self.padding % self.stride
        phase = Signal(range(self.stride), init=start, name=f"{self.name}_phase")
        first = self.ends[0]
        end = Signal(range(self.ends[-1] + self.stride + 1), init=first, name=f"{self.name}_end")
        with m.If(move):
            m.d.sync += phase.eq(Mux(phase == self.stride - 1, 0, phase + 1))
            with m.If(index == end):
                m.d.sync += end.eq(end + self.stride)
            with m.If(wraps):
                m.d.sync += [phase.eq(start), end.eq(first)]
        return phase == 0, index == end

    def extended(
        self,
        m: Module,
        name: str,
        shape: object,
        kept: Sequence[Value],
        value: Value,
        first: Value,
        begins: Value,
        given: Value,
    ) -> list[Signal]:
        """Return the maxima of the open windows, newest first, extended by one value.

        Parameters
        ----------
        m : Module
        name : str
            For signals.
        shape : ShapeLike
            Of a value.
        kept : sequence of Value
            The maxima so far of the windows that are kept.
        value : Value
        first : Value
            Whether it is the first along the axis, with which all open windows begin.
        begins : Value
            Whether a window begins with it.
        given : Value
            Whether it is one of the source; any other changes no maximum.
        """
        found = []
        for j in range(self.open):
            so_far = Signal(shape, name=f"{name}_so_far{j}")
            now = Signal(shape, name=f"{name}_now{j}")
            # As a window begins, each of the others is one place older.
            older = kept[j - 1] if j else value
            m.d.comb += so_far.eq(Mux(begins, older, kept[j]) if j < self.kept else older)
            fresh = first | begins if j == 0 else first
            larger = given & (value > so_far)
            m.d.comb += now.eq(Mux(fresh | larger, value, so_far))
            found.append(now)
        return found
