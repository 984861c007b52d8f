from __future__ import annotations

import dataclasses
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from amaranth.lib import memory
from hypothesis import given, settings
from support.hw.components import STALLS, Bench, pooled, random_values, transfers
from support.hw.windows import expected_words, window_plans

from spikeloom.hw.engine.reader import Reader
from spikeloom.hw.options import APART
from spikeloom.hw.planning.connection import AlignmentPlan, ConnectionPlan, PoolPlan
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.planning.windows import BufferPlan, WindowPlan
from spikeloom.sw.network import Connection, Linear, MaxPool, Pool, Range, SumPool

Array = np.ndarray[Any, Any]


@st.composite
def connection_plans(draw: st.DrawFn) -> tuple[ConnectionPlan, int]:
    """Random windows, perhaps behind a pool; timesteps are added up, left out or all carried."""
    windows: WindowPlan = draw(window_plans())
    stream = windows.buffer.stream
    pool = None
    if draw(st.booleans()):
        size = (draw(st.integers(1, 2)), draw(st.integers(1, 3)))
        kind: Pool = draw(st.sampled_from([SumPool, MaxPool]))(size)
        source = dataclasses.replace(
            stream,
            values=Range(0, 1),
            height=stream.height * size[0] + draw(st.integers(0, size[0] - 1)),
            width=stream.width * size[1] + draw(st.integers(0, size[1] - 1)),
        )
        target = dataclasses.replace(stream, values=kind.values(source.values))
        pool = PoolPlan(kind, source, target)
        windows = dataclasses.replace(
            windows, buffer=dataclasses.replace(windows.buffer, stream=target)
        )
    arriving = pool.source if pool else stream
    alignment = None
    if arriving.steps == 1 and draw(st.booleans()):
        steps = draw(st.integers(2, 3))
        summed = dataclasses.replace(
            arriving, values=Range(0, arriving.values.high // steps or 1), steps=steps
        )
        total = Range(0, summed.values.high * steps)
        target = dataclasses.replace(arriving, values=total)
        alignment = AlignmentPlan(summed, target, summed=True)
        if pool:
            values = pool.pool.values(total)
            pooled_stream = dataclasses.replace(pool.target, values=values)
            pool = PoolPlan(pool.pool, target, pooled_stream)
        kept = pool.target if pool else target
        windows = dataclasses.replace(
            windows, buffer=dataclasses.replace(windows.buffer, stream=kept)
        )
    elif draw(st.booleans()):
        longer = dataclasses.replace(arriving, steps=arriving.steps + draw(st.integers(1, 2)))
        alignment = AlignmentPlan(longer, arriving, summed=False)
    sent = alignment.source if alignment else pool.source if pool else stream
    connection = Connection("input", "count", Linear(np.ones((1, 1), np.int64)))
    target = StreamPlan(1, Range(0, 1), 1, 1, 1, 1)
    first = draw(st.integers(0, 9))
    plan = ConnectionPlan(connection, sent, alignment, pool, windows, target, first)
    lane_groups = len(windows.share.firsts) if windows.share else draw(st.integers(1, 2))
    return plan, lane_groups


def kept(plan: ConnectionPlan, values: Array) -> Array:
    """Return the values that are to be stored, after alignment and pool."""
    if plan.alignment:
        summed = plan.alignment.summed
        steps = plan.alignment.target.steps
        values = values.sum(axis=-1, keepdims=True) if summed else values[..., :steps]
    return pooled(plan.pool.pool, values) if plan.pool else values


def with_ring(dut: Reader, seed: int) -> tuple[Bench, list[Any]]:
    """Return a bench, and the ports of the memory that is said to need nothing for collisions."""
    found: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("read_port", "write_port"):
            create = getattr(memory.Memory, kind)

            def record(self: Any, *choices: Any, create: Any = create, **named: Any) -> Any:
                port = create(self, *choices, **named)
                if APART in self.attrs:
                    found.append(port)
                return port

            patch.setattr(memory.Memory, kind, record)
        # The rows of a window and those between two may take thousands of cycles to arrive.
        bench = Bench(dut, seed, idle_limit=8_000)
    return bench, found


@given(
    drawn=connection_plans(),
    stalls=st.tuples(st.sampled_from(STALLS), st.sampled_from(STALLS)),
    seed=st.integers(0, 999),
)
@settings(max_examples=60)
def test_aligns_pools_and_reads(
    drawn: tuple[ConnectionPlan, int], stalls: tuple[float, float], seed: int
) -> None:
    plan, lane_groups = drawn
    windows = plan.windows
    depth = plan.first + lane_groups * windows.kernel[0] * windows.span
    values = random_values(plan.source, 2, seed)
    expected = expected_words(windows, lane_groups, kept(plan, values), plan.first, depth)
    dut = Reader(plan, lane_groups, depth)
    bench, (reading, writing) = with_ring(dut, seed)
    used = bench.watch(writing.en, reading.en, writing.addr, reading.addr)
    bench.put(dut.i, transfers(plan.source, values), stalls[0])
    seen = bench.get(dut.o[0], len(expected), stalls[1])
    cycles = bench.watch(dut.o[0].valid, dut.waits[0])
    bench.run()
    assert seen == expected
    for writes, reads, *places in used:
        assert not (writes and reads and places[0] == places[1]), "in the same place"
    assert not any(valid and waits for valid, waits in cycles), "a word is left"
    assert cycles[0] == (0, 1)
    assert cycles[-1] == (0, 1), "the next image's rows are lacking"


def test_each_copy_reads_its_columns() -> None:
    """Windows of three columns: the first and third for one scanner, the second for the other."""
    stream = StreamPlan(1, Range(0, 3), 2, 4, 5, 1)
    windows = WindowPlan(BufferPlan(stream, 2, 3), (3, 3), (1, 1), (0, 0), (2, 3), 1, None, (0,))
    connection = Connection("input", "count", Linear(np.ones((1, 1), np.int64)))
    target = StreamPlan(1, Range(0, 1), 1, 1, 1, 1)
    plan = ConnectionPlan(connection, stream, None, None, windows, target, 0)
    depth = windows.kernel[0] * windows.span
    values = random_values(stream, 2, 3)
    words = expected_words(windows, 1, values, 0, depth)
    assert len(words) == 2 * 2 * 3 * 9, "a word for each position under a window"
    dut = Reader(plan, 1, depth, copies=2)
    bench = Bench(dut, 1)
    bench.put(dut.i, transfers(stream, values))
    seen, expected = [], []
    for copy in range(2):
        mine = [word for k, word in enumerate(words) if k // 9 % 3 % 2 == copy]
        expected.append(mine)
        seen.append(bench.get(dut.o[copy], len(mine), 0.5 * copy))
    bench.run()
    assert seen == expected
