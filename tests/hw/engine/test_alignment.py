from __future__ import annotations

import dataclasses
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.hw.components import STALLS, Bench, random_values, through, transfers

from spikeloom.hw.engine.alignment import Aligner
from spikeloom.hw.planning.connection import AlignmentPlan
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.sw.network import Range

RANGES = [Range(0, 1), Range(-1, 1), Range(0, 7), Range(-4, 2), Range(-3, 0)]


def summing(source: StreamPlan) -> AlignmentPlan:
    total = Range(source.values.low * source.steps, source.values.high * source.steps)
    return AlignmentPlan(source, dataclasses.replace(source, steps=1, values=total), summed=True)


def dropping(source: StreamPlan, steps: int) -> AlignmentPlan:
    return AlignmentPlan(source, dataclasses.replace(source, steps=steps), summed=False)


def aligned(plan: AlignmentPlan, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if plan.summed:
        return values.sum(axis=-1, keepdims=True)
    return values[..., : plan.target.steps]


@given(data=st.data(), seed=st.integers(0, 999))
@settings(max_examples=60)
def test_equals_numpy(data: st.DataObject, seed: int) -> None:
    lanes = data.draw(st.integers(1, 3))
    source = StreamPlan(
        lanes,
        data.draw(st.sampled_from(RANGES)),
        data.draw(st.integers(lanes, 5)),
        data.draw(st.integers(1, 3)),
        data.draw(st.integers(1, 3)),
        data.draw(st.integers(1, 6)),
    )
    steps = data.draw(st.integers(0, source.steps))
    plan = dropping(source, steps) if steps else summing(source)
    values = random_values(source, 2, seed)
    expected = transfers(plan.target, aligned(plan, values))
    stall_in, stall_out = (data.draw(st.sampled_from(STALLS)) for _ in range(2))
    arriving = transfers(source, values)
    seen = through(Aligner(plan), arriving, len(expected), stall_in, stall_out, seed)
    assert seen == expected


@pytest.mark.parametrize("values", RANGES)
def test_sums_at_the_ends_of_the_range(values: Range) -> None:
    plan = summing(StreamPlan(2, values, 2, 1, 1, 5))
    ends = np.array([values.high, values.low, values.high, 0]).reshape(-1, 1, 1, 1, 1)
    images = np.broadcast_to(ends, (4, 2, 1, 1, 5))
    expected = [[5 * end] * 2 for end in ends.reshape(-1).tolist()]
    assert through(Aligner(plan), transfers(plan.source, images), 4) == expected


@pytest.mark.parametrize("summed", [True, False])
def test_a_transfer_in_every_cycle(summed: bool) -> None:
    source = StreamPlan(1, Range(0, 3), 4, 2, 2, 3)
    plan = summing(source) if summed else dropping(source, 2)
    values = random_values(source, 2, seed=0)
    dut = Aligner(plan)
    bench = Bench(dut)
    bench.put(dut.i, transfers(source, values))
    bench.get(dut.o, 2 * plan.target.transfers)
    cycles = bench.watch(dut.i.valid & dut.i.ready, dut.o.valid, dut.busy)
    bench.run()
    taken = [taken for taken, _, _ in cycles]
    assert taken[: 2 * source.transfers] == [1] * 2 * source.transfers
    assert all(busy == (summed and valid) for _, valid, busy in cycles)


def test_steps_that_are_dropped_wait_for_nobody() -> None:
    source = StreamPlan(1, Range(0, 1), 1, 1, 1, 4)
    dut = Aligner(dropping(source, 1))
    bench = Bench(dut)
    bench.put(dut.i, [[1]] * 8)
    taken = bench.watch(dut.i.valid & dut.i.ready)

    async def one_transfer(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        await ctx.tick()
        ctx.set(dut.o.ready, 0)
        await ctx.tick().repeat(10)

    bench.simulator.add_testbench(one_transfer)
    bench.run()
    assert [t for (t,) in taken][:10] == [1] * 4 + [0] * 6, "then the next position's first"
