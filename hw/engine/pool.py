"""Pools: sum or maximum over windows of the values between two layers."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import memory, wiring

from spikeloom.hw.engine.sliding import SlidingMaximum
from spikeloom.hw.planning.connection import PoolPlan
from spikeloom.hw.values import shape_of
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import MaxPool, SumPool
from spikeloom.sw.registry import Registered


class PoolUnit(Registered, wiring.Component):
    """Combines the values of each window as they stream past, storing one row of windows.

    A subclass is found by the ``kind`` of the contract's pool. To add a kind, write a subclass with
    a method :meth:`combine`.

    Parameters
    ----------
    plan : PoolPlan

    Attributes
    ----------
    LATENCY : int
        Clock cycles from taking the last transfer of a window to offering the result.

    Members
    -------
    i : In(stream)
        Transfers of ``plan.source``.
    o : Out(stream)
        Transfers of ``plan.target``.
    busy : Out(1)
        Whether a transfer is being combined or waits to be taken.
    """

    LATENCY = 1

    kinds: ClassVar[dict[str, type[PoolUnit]]] = {}

    def __init__(self, plan: PoolPlan) -> None:
        self.plan = plan
        super().__init__(plan.signature)

    @staticmethod
    def of(plan: PoolPlan) -> PoolUnit:
        """Return the unit for a plan's kind of pool.

        Raises
        ------
        UnsupportedError
            If there is no unit for this kind.
        """
        kind = plan.pool.kind
        message = f"no hardware for pools of kind {kind!r}; there is:"
        return PoolUnit.member(kind, UnsupportedError, message, alphabetical=True)(plan)

    @staticmethod
    def combine(so_far: Value, value: Value) -> Value:
        """Return the result for a window that so far gave ``so_far`` and has one more value."""
        raise NotImplementedError

    def elaborate(self, platform: object) -> Module:
        m = Module()
        source, target = self.plan.source, self.plan.target
        rows, columns = self.plan.pool.size
        inner = source.lane_groups * source.steps
        m.submodules.line = line = memory.Memory(
            shape=target.layout, depth=target.width * inner, init=[]
        )
        write = line.write_port()
        read = line.read_port(transparent_for=(write,) if self.plan.fast else ())

        # Position of the transfer in its window, of the window in the map, and of the transfer
        # among those of one position; then the address of the window's first result.
        row, column = Signal(range(rows)), Signal(range(columns))
        across = Signal(range(source.width // columns + 1))
        down = Signal(range(source.height // rows + 1))
        place = Signal(range(inner))
        x, y = Signal(range(source.width)), Signal(range(source.height))
        base = Signal(range(target.width * inner + 1))
        inside = (across < target.width) & (down < target.height)
        first = (row == 0) & (column == 0)
        complete = (row == rows - 1) & (column == columns - 1)

        combined = Signal(target.layout)
        done = Signal()
        emit, within, begins = Signal(), Signal(), Signal()
        value_shape = shape_of(target.values)
        for k in range(source.lanes):
            so_far, value = Signal(value_shape), Signal(value_shape)
            m.d.comb += [
                so_far.eq(read.data[k]),
                value.eq(self.i.payload[k]),
                combined[k].eq(Mux(begins, value, self.combine(so_far, value))),
            ]
        m.d.comb += [
            done.eq(self.i.valid & self.i.ready),
            write.addr.eq(base + place),
            write.data.eq(combined),
            write.en.eq(done & within),
            self.busy.eq(self.i.valid | self.o.valid),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(done & emit):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(combined)]
        known = [emit.eq(inside & complete), within.eq(inside), begins.eq(first)]
        if self.plan.fast:
            # What the next window holds so far is looked up while this one is combined.
            stays = Mux((column == columns - 1) & inside, base + inner, base)
            follows = Mux(x == source.width - 1, 0, stays)
            ahead = Mux(place == inner - 1, follows, base + place + 1)
            m.d.comb += [
                *known,
                read.addr.eq(Mux(done, ahead, base + place)),
                self.i.ready.eq(~(emit & self.o.valid & ~self.o.ready)),
            ]
        else:
            # The first cycle looks up what the window holds so far, the second one combines. What
            # is known of the position has been so for a cycle by then, and comes from registers.
            looked_up = Signal()
            m.d.sync += [*known, looked_up.eq(self.i.valid & ~done)]
            m.d.comb += [
                read.addr.eq(base + place),
                read.en.eq(self.i.valid & ~looked_up),
                self.i.ready.eq(looked_up & ~(emit & self.o.valid & ~self.o.ready)),
            ]

        with m.If(done):
            m.d.sync += place.eq(place + 1)
            with m.If(place == inner - 1):
                m.d.sync += [place.eq(0), column.eq(column + 1), x.eq(x + 1)]
                with m.If(column == columns - 1):
                    m.d.sync += [column.eq(0), across.eq(across + 1)]
                    with m.If(inside):
                        m.d.sync += base.eq(base + inner)
                with m.If(x == source.width - 1):
                    m.d.sync += [x.eq(0), column.eq(0), across.eq(0), base.eq(0)]
                    m.d.sync += [row.eq(row + 1), y.eq(y + 1)]
                    with m.If(row == rows - 1):
                        m.d.sync += [row.eq(0), down.eq(down + 1)]
                    with m.If(y == source.height - 1):
                        m.d.sync += [y.eq(0), row.eq(0), down.eq(0)]
        return m


class SumPoolUnit(PoolUnit, kind=SumPool.kind):
    """Sum over each window."""

    @staticmethod
    def combine(so_far: Value, value: Value) -> Value:
        return so_far + value


class MaxPoolUnit(PoolUnit, kind=MaxPool.kind):
    """Maximum over each window; see :class:`SlidingMaximum` for windows that overlap."""

    def elaborate(self, platform: object) -> Module:
        if self.plan.pool.tiled:
            return super().elaborate(platform)
        m = Module()
        m.submodules.sliding = sliding = SlidingMaximum(self.plan)
        wiring.connect(m, wiring.flipped(self.i), sliding.i)
        wiring.connect(m, sliding.o, wiring.flipped(self.o))
        m.d.comb += self.busy.eq(sliding.busy)
        return m

    @staticmethod
    def combine(so_far: Value, value: Value) -> Value:
        return Mux(value > so_far, value, so_far)
