"""Plane sums against dot products: all inputs of small kernels, and the extremes of large ones."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from support.hw.components import STALLS, Bench, through

from spikeloom.hw.engine.planes import PlaneSums
from spikeloom.hw.planning.planes import PlaneSumsPlan
from spikeloom.sw.network import Range


def planned(
    kernel: list[list[int]] | np.ndarray[Any, Any], values: Range, planes: int
) -> PlaneSumsPlan:
    """Return a plan whose sums have exactly the width that they need."""
    weights = np.asarray(kernel, np.int64)
    high = np.where(weights > 0, values.high, values.low)
    low = np.where(weights > 0, values.low, values.high)
    sums = Range(int((weights * low).sum(1).min()), int((weights * high).sum(1).max()))
    return PlaneSumsPlan(weights, values, sums | Range(0, 0), planes)


def check(plan: PlaneSumsPlan, windows: np.ndarray[Any, Any], stall: float = 0.0) -> None:
    """Require the dot products of windows, of shape (windows, values)."""
    seen = through(
        PlaneSums(plan), (windows - plan.offset).tolist(), len(windows), stall, stall, seed=1
    )
    assert seen == (windows @ plan.kernel.T).tolist()


def all_windows(values: Range, number: int) -> np.ndarray[Any, Any]:
    each = range(values.low, values.high + 1)
    return np.array(list(itertools.product(each, repeat=number)))


@pytest.mark.parametrize("planes", [1, 2, 3])
@pytest.mark.parametrize("values", [Range(0, 7), Range(-4, 3), Range(-5, 1), Range(-2, -1)])
def test_all_windows_of_two_values(values: Range, planes: int) -> None:
    plan = planned([[3, -4], [-7, 0], [0, 0], [127, 127]], values, min(planes, 2))
    check(plan, all_windows(values, 2), STALLS[1])


@pytest.mark.parametrize("planes", [1, 2])
def test_all_windows_of_more_than_a_table(planes: int) -> None:
    values = Range(-1, 2)
    plan = planned([[3, -4, 1, 2, -5], [1, 1, 1, 1, 1]], values, planes)
    assert [len(tables) for tables in plan.tables] == [2, 2]
    check(plan, all_windows(values, 5))


@pytest.mark.parametrize("planes", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("values", [Range(0, 255), Range(-128, 127), Range(-200, 55)])
def test_extremes(values: Range, planes: int) -> None:
    """The least and the largest sums, where weights have one sign and where they have both."""
    rng = np.random.default_rng(planes)
    kernel = np.stack(
        [
            np.full(27, 127),
            np.full(27, -128),
            np.where(np.arange(27) % 2, 127, -128),
            rng.integers(-128, 128, 27),
        ]
    )
    plan = planned(kernel, values, planes)
    ends = [values.low, values.high, 0]
    windows = [np.full(27, end) for end in ends]
    for weights in kernel:
        windows += [np.where(weights > 0, values.high, values.low)]
        windows += [np.where(weights > 0, values.low, values.high)]
    windows += list(rng.integers(values.low, values.high + 1, (10, 27)))
    check(plan, np.array(windows))


def test_partial_sums_may_wrap() -> None:
    """A sum that fits is right, though the sum of its first planes does not fit its width."""
    plan = PlaneSumsPlan(np.array([[100, -100]]), Range(0, 255), Range(-128, 127), planes=1)
    windows = np.array([[255, 254], [200, 201], [0, 1], [127, 126]])
    check(plan, windows)


@pytest.mark.parametrize(("planes", "steps"), [(1, 8), (2, 4), (3, 3), (8, 1)])
def test_windows_follow_one_another_without_a_pause(planes: int, steps: int) -> None:
    plan = planned(np.arange(1, 28).reshape(3, 9), Range(0, 255), planes)
    dut = PlaneSums(plan)
    bench = Bench(dut)
    bench.put(dut.i, np.arange(90).reshape(10, 9).tolist())
    bench.get(dut.o, 10)
    cycles = bench.watch(dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready, dut.issued)
    bench.run()
    taken = [n for n, (window, *_) in enumerate(cycles) if window]
    left = [n for n, (_, sums, _) in enumerate(cycles) if sums]
    assert np.diff(taken).tolist() == np.diff(left).tolist() == [steps] * 9
    assert left[0] - taken[0] == PlaneSums.stages(plan) + PlaneSums.OFFERED
    assert sum(issued for *_, issued in cycles) == 10 * steps


def test_stands_still_only_where_sums_would_be_lost() -> None:
    """While the first sums wait, the next window goes on as far as the accumulators."""
    plan = planned(np.arange(1, 10).reshape(1, 9), Range(0, 255), 2)
    dut = PlaneSums(plan)
    bench = Bench(dut)
    bench.put(dut.i, np.arange(90).reshape(10, 9).tolist())

    async def patient(ctx: Any) -> None:
        for _ in range(60):
            await ctx.tick()

    bench.simulator.add_testbench(patient)
    cycles = bench.watch(dut.issued, dut.busy)
    bench.run()
    issued = sum(taken for taken, _ in cycles)
    # A whole window, and one step in each stage ahead of the accumulators.
    assert issued == plan.steps + PlaneSums.stages(plan)
    assert cycles[-1] == (0, 1)
