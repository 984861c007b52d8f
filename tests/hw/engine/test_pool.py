from __future__ import annotations

import dataclasses
from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given, settings
from support.hw.components import STALLS, Bench, plan_of, pooled, random_values, through, transfers

from spikeloom.hw.engine.pool import PoolUnit
from spikeloom.hw.planning.connection import PoolPlan
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import Linear, MaxPool, Pool, Range, SumPool

KINDS: list[type[Pool]] = [SumPool, MaxPool]


def pool_plan(pool: Pool, source: StreamPlan) -> PoolPlan:
    channels, height, width = pool.shape((source.channels, source.height, source.width))
    target = dataclasses.replace(
        source, values=pool.values(source.values), channels=channels, height=height, width=width
    )
    return PoolPlan(pool, source, target)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_numpy(kind: Callable[..., Pool]) -> None:
    @given(data=st.data(), seed=st.integers(0, 999))
    @settings(max_examples=25)
    def check(data: st.DataObject, seed: int) -> None:
        lanes = data.draw(st.integers(1, 3))
        height, width = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7))
        size = (data.draw(st.integers(1, height)), data.draw(st.integers(1, width)))
        source = StreamPlan(
            lanes,
            Range(0, data.draw(st.sampled_from([1, 2, 7, 300]))),
            data.draw(st.integers(lanes, 5)),
            height,
            width,
            data.draw(st.integers(1, 3)),
        )
        plan = pool_plan(kind(size), source)
        plan = dataclasses.replace(plan, fast=data.draw(st.booleans()))
        values = random_values(source, 2, seed)
        expected = transfers(plan.target, pooled(plan.pool, values))
        stall_in, stall_out = (data.draw(st.sampled_from(STALLS)) for _ in range(2))
        arriving = transfers(source, values)
        dut = PoolUnit.of(plan)
        assert through(dut, arriving, len(expected), stall_in, stall_out, seed) == expected

    check()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (1, 4), (4, 1), (5, 5), (2, 3)])
def test_ends_of_the_range(kind: Callable[..., Pool], size: tuple[int, int]) -> None:
    source = StreamPlan(2, Range(0, 65535), 3, 5, 5, 2)
    plan = pool_plan(kind(size), source)
    full = np.full((1, 3, 5, 5, 2), 65535)
    values = np.concatenate([full, full * 0, full])
    expected = transfers(plan.target, pooled(plan.pool, values))
    seen = through(PoolUnit.of(plan), transfers(source, values), len(expected))
    assert seen == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fast", [False, True])
def test_a_transfer_every_other_cycle_or_every_cycle(kind: Callable[..., Pool], fast: bool) -> None:
    source = StreamPlan(1, Range(0, 7), 2, 5, 5, 1)
    plan = dataclasses.replace(pool_plan(kind((2, 2)), source), fast=fast)
    values = random_values(source, 2, seed=0)
    arriving = transfers(source, values)
    dut = PoolUnit.of(plan)
    bench = Bench(dut)
    bench.put(dut.i, arriving)
    bench.get(dut.o, 2 * plan.target.transfers)
    cycles = bench.watch(dut.i.valid, dut.i.ready, dut.busy, dut.o.valid)
    bench.run()
    taken = [valid & ready for valid, ready, *_ in cycles]
    # What a leftover row brings comes after the last transfer, and may still be on its way.
    assert plan.cycles == 2 - fast
    assert taken[: plan.cycles * 60] == ([1] if fast else [0, 1]) * 60
    assert all(busy for valid, _, busy, sent in cycles if valid or sent)


WINDOWS = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(1, 7))


@given(
    rows=WINDOWS,
    columns=WINDOWS,
    ceil=st.booleans(),
    values=st.sampled_from([Range(0, 1), Range(0, 300), Range(-4, 3), Range(-9, -2)]),
    lanes=st.integers(1, 3),
    channels=st.integers(1, 5),
    steps=st.sampled_from([1, 1, 2]),
    stalls=st.tuples(st.sampled_from(STALLS), st.sampled_from(STALLS)),
    seed=st.integers(0, 999),
)
@settings(max_examples=30)
def test_windows_that_overlap_equal_numpy(
    rows: tuple[int, ...],
    columns: tuple[int, ...],
    ceil: bool,
    values: Range,
    lanes: int,
    channels: int,
    steps: int,
    stalls: tuple[float, float],
    seed: int,
) -> None:
    size, stride, padding, source = zip(rows, columns, strict=True)
    assume(all(k > p and n + 2 * p >= k for k, p, n in zip(size, padding, source, strict=True)))
    stream = StreamPlan(min(lanes, channels), values, channels, *source, steps)
    plan = pool_plan(MaxPool(size, stride, padding, ceil), stream)
    shape = (2, channels, *source, steps)
    drawn = np.random.default_rng(seed).integers(values.low, values.high + 1, shape)
    expected = transfers(plan.target, pooled(plan.pool, drawn))
    dut = PoolUnit.of(plan)
    assert through(dut, transfers(stream, drawn), len(expected), *stalls, seed) == expected


@pytest.mark.parametrize(
    ("pool", "rows", "extent"),
    [
        (MaxPool((3, 3), (2, 2), (1, 1)), (0, 1, 0, 1, 0, 1), (6, 6)),
        (MaxPool((3, 3), (1, 1), (1, 1)), (0, 1, 1, 1, 1, 2), (7, 7)),
        (MaxPool((3, 3), (2, 2)), (0, 0, 1, 0, 1, 0), (6, 6)),
        (MaxPool((3, 3), (2, 2), ceil=True), (0, 0, 1, 0, 1, 1), (7, 7)),
        (MaxPool((2, 2)), (0, 1, 0, 1, 0, 1), (6, 6)),
        (MaxPool((4, 4)), (0, 0, 0, 1, 0, 0), (6, 6)),
    ],
)
def test_rows_that_are_completed(
    pool: Pool, rows: tuple[int, ...], extent: tuple[int, int]
) -> None:
    plan = pool_plan(pool, StreamPlan(1, Range(0, 7), 1, 6, 6, 1))
    assert plan.completed_rows == rows
    assert plan.extent == extent


def test_what_lies_behind_the_source_takes_time_but_no_transfer() -> None:
    source = StreamPlan(1, Range(0, 7), 1, 4, 4, 1)
    plan = pool_plan(MaxPool((3, 3), (1, 1), (1, 1)), source)
    dut = PoolUnit.of(plan)
    bench = Bench(dut)
    bench.put(dut.i, transfers(source, random_values(source, 2, seed=0)))
    bench.get(dut.o, 2 * plan.target.transfers)
    cycles = bench.watch(dut.i.valid, dut.i.ready, dut.busy, dut.o.valid)
    bench.run()
    # A column behind the right border, and a row of five positions below the last one.
    row = [0, 1] * 4 + [0, 0]
    image = row * 4 + [0] * 10
    taken = [valid & ready for valid, ready, *_ in cycles]
    assert taken[: len(image) + 8] == image + [0, 1] * 4
    assert all(busy for valid, _, busy, sent in cycles if valid or sent)


def test_what_follows_a_pool_sees_its_target() -> None:
    plan = plan_of((2, 4, 4), Linear(np.ones((1, 8), np.int64)), pool=SumPool((2, 2)))["layer"]
    (reader,) = plan.readers
    assert reader.pool is not None
    assert reader.pool.target is reader.stream


def test_kinds_without_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PoolUnit, "kinds", {"sum": PoolUnit.kinds["sum"]})
    plan = pool_plan(MaxPool((2, 2)), StreamPlan(1, Range(0, 7), 1, 4, 4, 1))
    expected = "^no hardware for pools of kind 'max'; there is: sum$"
    with pytest.raises(UnsupportedError, match=expected):
        PoolUnit.of(plan)
