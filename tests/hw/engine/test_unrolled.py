"""Unrolled engine: one layer against the golden model; its counters against their definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.hw.components import Bench, plain_if, plan_of, transfers
from support.hw.engine_bench import require_blocked, require_starved, run, weight

from spikeloom.hw.engine import UnrolledEngine
from spikeloom.hw.planning import Plan, UnrolledPlan
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Conv2d, Ladder, Linear, Logits

Values = np.ndarray[Any, Any]


def conv_plan(planes: int = 3) -> Plan:
    conv = Conv2d(weight(5, 3, 3, 2), (2, 1), (1, 1))
    neuron = plain_if(5, 50)
    return plan_of((3, 6, 5), conv, neuron, timesteps=3, lanes=5, planes={"layer": planes})


def ladder_plan() -> Plan:
    conv = Conv2d(weight(2, 2, 2, 2), padding=(1, 0))
    ladder = Ladder(np.array([[-9, 30, 99], [0, 1, 2]]))
    return plan_of((2, 5, 7), conv, ladder, timesteps=3, lanes=2, planes={"layer": 1})


def linear_plan() -> Plan:
    logits = Logits(np.array([3, -7, 0, 9, 1]), fraction_bits=1)
    return plan_of((3, 2, 2), Linear(weight(5, 12)), logits, lanes=5, planes={"layer": 4})


PLANS = [conv_plan, ladder_plan, linear_plan]


class Case:
    """Random images, and the values that a layer receives and sends for them by golden."""

    def __init__(self, planned: Plan, count: int = 2) -> None:
        plan = planned["layer"]
        assert isinstance(plan, UnrolledPlan)
        self.plan, self.count = plan, count
        network = planned.network
        images = np.random.default_rng(5).integers(0, 16, (count, *network.input.shape))
        result = Golden(network).run(images)
        sent = result.counts["layer"] if plan.layer.neuron.fires else result.logits
        maps = (
            sent.numpy()
            .astype(np.int64)
            .reshape(count, plan.target.channels, plan.target.height, plan.target.width, 1)
        )
        self.arriving = transfers(plan.readers[0].source, images[..., None])
        self.expected = transfers(plan.target, maps)


@pytest.mark.parametrize("make", PLANS)
@pytest.mark.parametrize(("stall_in", "stall_out"), [(0.0, 0.0), (0.5, 0.9)])
def test_equals_golden_and_counts(
    make: Callable[[], Plan], stall_in: float, stall_out: float
) -> None:
    case = Case(make())
    seen, counters = run(
        UnrolledEngine(case.plan), case.arriving, len(case.expected), stall_in, stall_out
    )
    assert seen == case.expected
    for values in counters:
        assert values["events"] <= values["cycles"]
    windows = case.count * case.plan.target.height * case.plan.target.width
    assert counters[-1]["events"] == windows * case.plan.sums.steps


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw a convolution of pixels with any kernel, stride and padding."""
    channels, outs = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kernel, stride, padding, side = [], [], [], []
    for _ in range(2):
        size = draw(st.integers(1, 4))
        kernel.append(size)
        stride.append(draw(st.integers(1, 3)))
        padding.append(draw(st.integers(0, size - 1)))
        side.append(draw(st.integers(max(1, size - 2 * padding[-1]), 5)))
    return plan_of(
        (channels, side[0], side[1]),
        Conv2d(weight(outs, channels, *kernel), (stride[0], stride[1]), (padding[0], padding[1])),
        plain_if(outs, draw(st.integers(1, 90))),
        timesteps=draw(st.integers(1, 4)),
        lanes=outs,
        planes={"layer": draw(st.integers(1, 4))},
    )


@settings(max_examples=15, deadline=None)
@given(planned=plans(), stalls=st.tuples(st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, 0.5])))
def test_random_convolutions(planned: Plan, stalls: tuple[float, float]) -> None:
    case = Case(planned)
    seen, _ = run(UnrolledEngine(case.plan), case.arriving, len(case.expected), *stalls)
    assert seen == case.expected


def test_starved_without_input() -> None:
    require_starved(UnrolledEngine(Case(conv_plan()).plan))


def test_blocked_without_a_consumer() -> None:
    case = Case(conv_plan(), count=3)
    require_blocked(UnrolledEngine(case.plan), case.arriving, settled=200)


@pytest.mark.parametrize("planes", [1, 2, 4])
def test_takes_the_planned_interval(planes: int) -> None:
    case = Case(conv_plan(planes), count=4)
    dut = UnrolledEngine(case.plan)
    bench = Bench(dut)
    bench.put(dut.i0, case.arriving)
    bench.get(dut.o, len(case.expected))
    cycles = bench.watch(dut.o.valid & dut.o.ready)
    bench.run()
    sent = [n for n, (moved,) in enumerate(cycles) if moved]
    number = len(case.expected) // case.count
    ends = sent[number - 1 :: number]
    # 6 rows and, with padding, 6 columns of 3 channels; and 3 by 6 windows.
    interval = 6 * 6 * 3 + 3 * 6 * (-(-4 // planes) - 1)
    assert np.diff(ends).tolist() == [interval] * 3
    assert case.plan.interval == interval
