"""Lines: the last rows of a feature map, from which whole windows pass by."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.planning.windows import WindowPlan


class LineWindow(wiring.Component):
    """Offers each window of a feature map as soon as its last value is there.

    It keeps all rows of a kernel but one in a memory, and the values under the kernel in registers,
    which move on by each transfer. While a window is not taken, nothing moves. Places in the
    padding behind a row or an image follow by themselves, one per clock cycle.

    Parameters
    ----------
    plan : WindowPlan
        Its buffer has the stream.
    offset : int
        What values are taken less, so that none is negative; at most 0.
    bits : int
        Width of a value less the offset.

    Attributes
    ----------
    LATENCY : int
        Clock cycles from taking the last transfer of a window to offering it.

    Members
    -------
    i : In(stream)
        Transfers of ``plan.buffer.stream``.
    o : Out(stream)
        Windows: values less the offset, in the order kernel row, column, channel, the last
        fastest. Padding is 0 less the offset.
    working : Out(1)
        Whether a window is offered, or one of this image is still to come and its values move.
    """

    LATENCY = 1

    def __init__(self, plan: WindowPlan, offset: int, bits: int) -> None:
        self.plan = plan
        self.offset = offset
        self.bits = bits
        source = plan.buffer.stream
        number = plan.kernel[0] * plan.kernel[1] * source.stored_channels
        window = data.ArrayLayout(unsigned(bits), number)
        super().__init__(
            {
                "i": In(source.signature),
                "o": Out(stream.Signature(window)),
                "working": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, source = self.plan, self.plan.buffer.stream
        groups = source.lane_groups
        rows, columns = plan.extent
        (down, across), places = plan.kernel, columns * groups
        zero = Const(-self.offset, unsigned(self.bits)).replicate(source.lanes)

        # Places count transfers along a row. Those behind the source are padding.
        place, row = Signal(range(places)), Signal(range(rows))
        inside, below = Const(1), Const(0)
        if columns > source.width:
            inside = place < source.width * groups
        if rows > source.height:
            below = row >= source.height
        given, free, moves = Signal(), Signal(), Signal()
        last = place == places - 1
        next_place = Signal.like(place)
        m.d.comb += [
            given.eq(inside & ~below),
            free.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(free & given),
            moves.eq(free & (self.i.valid | ~given)),
            next_place.eq(Mux(last, 0, place + 1)),
        ]
        bottoms, rights = plan.ends[0], [(x + 1) * groups - 1 for x in plan.ends[1]]
        ends = _among(place, rights) & _among(row, bottoms)
        # Nothing is made of what lies behind the last window.
        done = (row > bottoms[-1]) | ((row == bottoms[-1]) & (place > rights[-1]))
        m.d.comb += self.working.eq(self.o.valid | (moves & ~done))
        with m.If(moves):
            m.d.sync += [place.eq(next_place), self.o.valid.eq(ends)]
            with m.If(last):
                m.d.sync += row.eq(Mux(row == rows - 1, 0, row + 1))
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        newest = Signal(source.lanes * self.bits)
        values = Cat((self.i.payload[k] - self.offset)[: self.bits] for k in range(source.lanes))
        m.d.comb += newest.eq(Mux(given, values, zero))
        lines = self._above(m, newest, moves, inside, place, next_place)
        for k, line in enumerate(lines):
            # Above an image lies another one. Only windows with padding there see it.
            seen = k >= down - 1 - plan.padding[0]
            lines[k] = Mux(inside & (row > k) if seen else inside, line, zero)

        # The newest row is the lowest of the kernel.
        window: list[Signal] = []
        for line in [*reversed(lines), newest]:
            passed = Signal(across * groups * len(newest), name=f"passed{len(window)}")
            window.append(passed)
            kept = passed[len(newest) :]
            if plan.padding[1]:
                # What is left of the row ahead gives way to padding.
                kept = Mux(place == 0, zero.replicate(across * groups - 1), kept)
            with m.If(moves):
                m.d.sync += passed.eq(Cat(kept, line))
        m.d.comb += self.o.payload.as_value().eq(Cat(window))
        return m

    def _above(
        self,
        m: Module,
        newest: Value,
        moves: Value,
        inside: Value,
        place: Value,
        next_place: Value,
    ) -> list[Value]:
        """Return what lies above the newest values, row by row from the lowest, out of a memory.

        A word of it has a place of all these rows.
        """
        source, size = self.plan.buffer.stream, len(newest)
        number, depth = self.plan.kernel[0] - 1, source.width * source.lane_groups
        if not number:
            return []
        m.submodules.lines = lines = memory.Memory(
            shape=unsigned(number * size), depth=depth, init=[]
        )
        write = lines.write_port()
        # Where there is a single place, it is read again in the cycle in which it is written.
        again = [write] if len(next_place) == 0 else []
        read = lines.read_port(transparent_for=again)
        above = [read.data.word_select(k, size) for k in range(number)]
        m.d.comb += [
            read.addr.eq(next_place),
            read.en.eq(moves),
            write.addr.eq(place),
            write.en.eq(moves & inside),
            write.data.eq(Cat(newest, *above[:-1])),
        ]
        return above


def _among(value: Value, numbers: Sequence[int]) -> Value:
    """Return whether a value is among some numbers."""
    found = 0
    for number in numbers:
        found |= 1 << number
    return Const(found, 1 << len(value)).bit_select(value, 1)
