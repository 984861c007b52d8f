"""Engine: one layer against the golden model, and its counters against their definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.hw.components import Bench, plain_if, plan_of, pooled, transfers
from support.hw.engine_bench import require_blocked, require_starved, run, weight

from spikeloom.hw.engine import Engine
from spikeloom.hw.options import COUNTERS_LATENCY
from spikeloom.hw.planning import LayerPlan, Plan
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Conv2d, Ladder, Linear, Logits, MaxPool, SumPool

Values = np.ndarray[Any, Any]


def conv_plan() -> Plan:
    conv = Conv2d(weight(5, 3, 3, 2), (2, 1), (1, 1))
    return plan_of((3, 6, 5), conv, plain_if(5, 50), lanes=2, events=3, timesteps=3)


def pool_plan() -> Plan:
    conv = Conv2d(weight(2, 2, 2, 2), padding=(1, 0))
    ladder = Ladder(np.array([[-9, 30, 99], [0, 1, 2]]))
    return plan_of((2, 5, 7), conv, ladder, pool=SumPool((2, 3)), timesteps=3, events=2)


def spikes_plan() -> Plan:
    conv = Conv2d(weight(3, 3, 3, 3), (1, 2), (1, 1))
    return plan_of(
        (3, 4, 5),
        conv,
        plain_if(3, 20),
        incoming="spikes",
        outgoing="spikes",
        timesteps=3,
        source_lanes=2,
        lanes=2,
        events=2,
    )


def spikes_pool_plan() -> Plan:
    linear = Linear(weight(3, 12))
    return plan_of(
        (2, 5, 6), linear, pool=SumPool((2, 2)), incoming="spikes", timesteps=4, source_lanes=2
    )


def linear_plan() -> Plan:
    logits = Logits(np.array([3, -7, 0, 9, 1]), fraction_bits=1)
    linear = Linear(weight(5, 12))
    return plan_of((3, 5, 5), linear, logits, pool=MaxPool((2, 2)), lanes=3, events=5)


def copies_plan() -> Plan:
    """Three engines for the six windows of a row, of marked words, in two lane groups."""
    conv = Conv2d(weight(4, 3, 3, 2), (2, 1), (1, 1))
    planned = plan_of(
        (3, 6, 5),
        conv,
        plain_if(4, 50),
        lanes=2,
        events=3,
        timesteps=3,
        units={"layer": 1},
        copies={"layer": 3},
    )
    (reader,) = planned["layer"].readers
    assert reader.windows.buffer.marked
    assert planned["layer"].target.width == 6
    return planned


def spikes_copies_plan() -> Plan:
    """Two engines for two windows in a row, each of three timesteps and two lane groups."""
    conv = Conv2d(weight(3, 3, 3, 3), (1, 2), (1, 1))
    return plan_of(
        (3, 4, 3),
        conv,
        plain_if(3, 20),
        incoming="spikes",
        outgoing="spikes",
        timesteps=3,
        source_lanes=2,
        lanes=2,
        copies={"layer": 2},
    )


PLANS = [
    conv_plan,
    pool_plan,
    spikes_plan,
    spikes_pool_plan,
    linear_plan,
    copies_plan,
    spikes_copies_plan,
]


class Case:
    """Random images, and the values that a layer receives and sends for them by golden."""

    def __init__(self, planned: Plan, count: int = 2) -> None:
        self.plan: LayerPlan = planned["layer"]
        network = planned.network
        rng = np.random.default_rng(5)
        shape = (count, *network.input.shape)
        images = rng.integers(0, 16, shape) * rng.integers(0, 2, shape)
        result = Golden(network).run(images, trace=True)
        assert result.trace is not None
        if network["layer"].connections[0].transport == "spikes":
            received = result.trace["source"].spikes.movedim(0, -1).numpy()
        else:
            received = images[..., None]
        trace = result.trace["layer"]
        sent = {
            "spikes": lambda: trace.spikes.movedim(0, -1),
            "count": lambda: result.counts["layer"][..., None],
            "logits": lambda: trace.potentials[-1][..., None],
        }[self.plan.sends]().numpy()
        self.received = self.as_maps(received)
        self.arriving = transfers(self.plan.readers[0].source, self.received)
        self.expected = transfers(self.plan.target, self.as_maps(sent))

    @staticmethod
    def as_maps(values: Values) -> Values:
        """Return (N, C, H, W, steps) for (N, C, H, W, steps) or (N, features, steps)."""
        return values if values.ndim == 5 else values[:, :, None, None]

    def events(self) -> int:
        """Return the non-zero digits under all windows, once for each group of outputs."""
        plan = self.plan
        pool = plan.readers[0].pool
        values = pooled(pool.pool, self.received) if pool else self.received
        digits = np.vectorize(lambda value: len(plan.digits.digits(value)))(values)
        synapses = plan.layer.connections[0].synapses
        if isinstance(synapses, Linear):
            return int(digits.sum()) * plan.target.lane_groups
        assert isinstance(synapses, Conv2d)
        (top, left), (rows, columns) = synapses.padding, synapses.kernel
        padded = np.pad(digits, ((0, 0), (0, 0), (top, top), (left, left), (0, 0)))
        return plan.target.lane_groups * sum(
            int(padded[:, :, y : y + rows, x : x + columns].sum())
            for y in range(0, padded.shape[2] - rows + 1, synapses.stride[0])
            for x in range(0, padded.shape[3] - columns + 1, synapses.stride[1])
        )


@pytest.mark.parametrize("make", PLANS)
@pytest.mark.parametrize(("stall_in", "stall_out"), [(0.0, 0.0), (0.5, 0.9)])
def test_equals_golden_and_counts(
    make: Callable[[], Plan], stall_in: float, stall_out: float
) -> None:
    case = Case(make())
    seen, counters = run(Engine(case.plan), case.arriving, len(case.expected), stall_in, stall_out)
    assert seen == case.expected
    for values in counters:
        assert values["events"] <= case.plan.events_per_cycle * values["cycles"]
    assert counters[-1]["events"] == case.events()


@pytest.mark.parametrize("make", [pool_plan, spikes_plan, copies_plan])
def test_starved_without_input(make: Callable[[], Plan]) -> None:
    require_starved(Engine(make()["layer"]))


@pytest.mark.parametrize("make", [linear_plan, spikes_plan, copies_plan])
def test_blocked_without_a_consumer(make: Callable[[], Plan]) -> None:
    case = Case(make(), count=5)
    require_blocked(Engine(case.plan), case.arriving, settled=500)


def test_works_from_the_last_value_in_to_the_last_value_out() -> None:
    plan = plan_of((6,), Linear(weight(3, 6)), plain_if(3, 9), timesteps=3, lanes=2)["layer"]
    dut = Engine(plan)
    bench = Bench(dut)
    bench.put(dut.i0, [[15]] * 6)
    bench.get(dut.o, 2)
    cycles = bench.watch(dut.i0.valid & dut.i0.ready, dut.o.valid, dut.counters.starved)
    bench.run()
    last_in = max(n for n, (taken, *_) in enumerate(cycles) if taken)
    last_out = max(n for n, (_, sent, _) in enumerate(cycles) if sent)
    assert last_out - last_in > 2 * 12, "two digits of six values, for two groups"
    late = COUNTERS_LATENCY
    for n in range(len(cycles) - 1 - late):
        starved = cycles[n + 1 + late][2] - cycles[n + late][2]
        assert starved == (not last_in < n <= last_out)


def test_waiting_for_a_slow_source_is_no_work() -> None:
    case = Case(conv_plan(), count=1)
    _, counters = run(Engine(case.plan), case.arriving, len(case.expected), 0.9, 0.0)
    assert counters[-1]["blocked"] == 0
    assert counters[-1]["starved"] > counters[-1]["cycles"]


def test_copies_share_the_work() -> None:
    """Windows of a convolution that are all alike take a share of the cycles."""
    conv = Conv2d(weight(2, 4, 3, 3), padding=(1, 1))
    cycles = {}
    for copies in (1, 2, 4):
        plan = plan_of((4, 8, 8), conv, plain_if(2, 9), bits=1, copies={"layer": copies})["layer"]
        bench = Bench(dut := Engine(plan))
        bench.put(dut.i0, [[1]] * 4 * 64)
        bench.get(dut.o, 2 * 64)
        worked = bench.watch(dut.counters.events, dut.counters.cycles)
        bench.run()
        events, cycles[copies] = worked[-1]
        # 22 rows of a kernel lie on the map, and as many columns, four channels, two lane groups.
        assert events == 22 * 22 * 4 * 2
    assert cycles[1] > 22 * 22 * 4 * 2
    assert cycles[2] < 0.6 * cycles[1]
    assert cycles[4] < 0.35 * cycles[1]


@pytest.mark.parametrize("events", [1, 2, 4])
def test_little_but_events_when_there_are_many(events: int) -> None:
    neurons, inputs, images = 8, 96, 3
    linear = Linear(weight(neurons, inputs))
    plan = plan_of((inputs,), linear, plain_if(neurons, 9), bits=1, events=events)["layer"]
    dut = Engine(plan)
    bench = Bench(dut)
    bench.put(dut.i0, [[1]] * inputs * images)
    bench.get(dut.o, neurons * images)
    cycles = bench.watch(dut.counters.events, dut.counters.cycles)
    bench.run()
    issued, worked = cycles[-1]
    assert issued == images * inputs * neurons
    assert issued / (events * worked) > 0.9
