from __future__ import annotations

import random
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings
from support.hw.components import Bench

from spikeloom.hw.engine.buffer import RowBuffer
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.planning.windows import BufferPlan
from spikeloom.sw.network import Range


@st.composite
def buffer_plans(draw: st.DrawFn) -> BufferPlan:
    lanes = draw(st.integers(1, 3))
    stream = StreamPlan(
        lanes,
        Range(draw(st.sampled_from([0, -4])), 5),
        channels=draw(st.integers(lanes, 5)),
        height=3,
        width=draw(st.integers(1, 4)),
        steps=draw(st.integers(1, 3)),
    )
    return BufferPlan(stream, draw(st.integers(1, 5)), rows=draw(st.integers(1, 5)))


class Rows:
    """Random rows, the transfers that carry them, and the words that must store them."""

    def __init__(self, plan: BufferPlan, count: int, seed: int) -> None:
        self.plan = plan
        stream, rng = plan.stream, random.Random(seed)
        low, high = stream.values.low, stream.values.high
        self.transfers = [
            [rng.choice([0, rng.randint(low, high)]) for _ in range(stream.lanes)]
            for _ in range(count * self.per_row)
        ]

    @property
    def per_row(self) -> int:
        return self.plan.stream.width * self.plan.stream.lane_groups * self.plan.stream.steps

    def word(self, row: int, address: int) -> list[int]:
        """Return the values of a row's word, at its address in the row; the last may be short."""
        step, word = divmod(address, self.plan.row_words)
        steps = self.plan.stream.steps
        mine = self.transfers[row * self.per_row : (row + 1) * self.per_row][step::steps]
        chunks = mine[word * self.plan.chunks : (word + 1) * self.plan.chunks]
        return [value for chunk in chunks for value in chunk]


def values_of(plan: BufferPlan, word: int, count: int) -> list[int]:
    width = plan.stream.values.width
    values = [word >> k * width & ((1 << width) - 1) for k in range(count)]
    wrap = 1 << width if plan.stream.values.signed else 0
    return [v - wrap if wrap and v >> width - 1 else v for v in values]


@given(plan=buffer_plans(), seed=st.integers(0, 999), hurry=st.sampled_from([0.1, 0.5, 0.9]))
@settings(max_examples=40)
def test_is_a_ring_of_rows(plan: BufferPlan, seed: int, hurry: float) -> None:
    total = 3 * plan.capacity + 2
    rows, rng = Rows(plan, total, seed), random.Random(seed)
    dut = RowBuffer(plan)
    bench = Bench(dut, seed)
    bench.put(dut.i, rows.transfers, stall=0.3)

    async def reader(ctx: Any) -> None:
        arrived = given_back = idle = 0
        shown = None
        while given_back < total:
            complete = arrived // rows.per_row - given_back
            assert ctx.get(dut.rows[0]) == complete
            assert ctx.get(dut.i.ready) == (complete < plan.capacity)
            if plan.marked:
                marks = ctx.get(dut.marks)
                for row in range(given_back, given_back + complete):
                    for address in range(plan.row_depth):
                        mark = marks >> (row % plan.capacity * plan.row_depth + address) & 1
                        assert mark == any(rows.word(row, address))
            if shown is not None:
                assert values_of(plan, ctx.get(dut.word[0]), len(shown)) == shown
            release = rng.randint(0, complete) if rng.random() < hurry else 0
            enable = complete > 0 and rng.random() < 0.7
            # Without ``releases``, ``release`` has no effect.
            ctx.set(dut.release[0], release or rng.randint(0, plan.capacity))
            ctx.set(dut.releases[0], release > 0)
            ctx.set(dut.enable[0], enable)
            if enable:
                # Also a row that is given back in the same cycle: the scanner does just that.
                row, address = given_back + rng.randrange(complete), rng.randrange(plan.row_depth)
                shown = rows.word(row, address)
                ctx.set(dut.address[0], row % plan.capacity * plan.row_depth + address)
            _, _, valid, ready = await ctx.tick().sample(dut.i.valid, dut.i.ready)
            arrived += valid & ready
            given_back += release
            idle = 0 if release or (valid and ready) else idle + 1
            assert idle < 500, "the ring is stuck"

    bench.simulator.add_testbench(reader)
    bench.run()


def test_keeps_rows_until_all_readers_have_released_them() -> None:
    stream = StreamPlan(1, Range(0, 5), channels=1, height=3, width=2, steps=1)
    plan = BufferPlan(stream, chunks=1, rows=2)
    rows = Rows(plan, 3, seed=0)
    dut = RowBuffer(plan, readers=2)
    bench = Bench(dut)
    bench.put(dut.i, rows.transfers)

    async def check(ctx: Any) -> None:
        for _ in range(2 * rows.per_row):
            await ctx.tick()
        assert [ctx.get(number) for number in dut.rows] == [2, 2]
        for reader, left in enumerate([[1, 2], [1, 1]]):
            assert not ctx.get(dut.i.ready)
            ctx.set(dut.release[reader], 1)
            ctx.set(dut.releases[reader], 1)
            await ctx.tick()
            ctx.set(dut.releases[reader], 0)
            assert [ctx.get(number) for number in dut.rows] == left
        assert ctx.get(dut.i.ready)
        # The second row is still there, for each reader by itself.
        for reader, address in enumerate((3, 2)):
            ctx.set(dut.address[reader], address)
            ctx.set(dut.enable[reader], 1)
        await ctx.tick()
        for reader, address in enumerate((3, 2)):
            assert values_of(plan, ctx.get(dut.word[reader]), 1) == rows.word(1, address - 2)

    bench.simulator.add_testbench(check)
    bench.run()


@given(plan=buffer_plans(), seed=st.integers(0, 999))
@settings(max_examples=15)
def test_takes_what_fits_and_no_more(plan: BufferPlan, seed: int) -> None:
    rows = Rows(plan, plan.capacity + 1, seed)
    dut = RowBuffer(plan)
    bench = Bench(dut)
    bench.put(dut.i, rows.transfers)

    async def check(ctx: Any) -> None:
        # A transfer in every cycle until the last row that fits.
        for transfer in range(plan.capacity * rows.per_row):
            assert ctx.get(dut.rows[0]) == transfer // rows.per_row
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            assert ready
        for _ in range(5):
            assert ctx.get(dut.rows[0]) == plan.capacity
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            assert not ready
        ctx.set(dut.release[0], plan.capacity)
        ctx.set(dut.releases[0], 1)
        await ctx.tick()
        ctx.set(dut.releases[0], 0)
        assert ctx.get(dut.rows[0]) == 0
        _, _, ready = await ctx.tick().sample(dut.i.ready)
        assert ready

    bench.simulator.add_testbench(check)
    bench.run()
