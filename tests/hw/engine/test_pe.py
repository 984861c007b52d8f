from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from amaranth.hdl import Cat
from hypothesis import given, settings
from support.hw.components import STALLS, Bench, plan_of

from spikeloom.hw.engine.pe import PeArray, address_bits, stages
from spikeloom.hw.planning import HardwareConfig, LayerPlan, plan
from spikeloom.sw.network import (
    Burst,
    Connection,
    Conv2d,
    DirectInput,
    Dual,
    Identity,
    If,
    Layer,
    Linear,
    Logits,
    Network,
    Neuron,
    Synapses,
)

Matrix = np.ndarray[Any, Any]


def linear(weight: Matrix, bits: int, lanes: int, events: int) -> LayerPlan:
    return plan_of((weight.shape[1],), Linear(weight), bits=bits, lanes=lanes, events=events)[
        "layer"
    ]


def bank_events(plan: LayerPlan, windows: Matrix, bank: int) -> list[dict[str, int]]:
    """Return the events for one bank: every window (a row of source values), per lane group."""
    events: list[dict[str, int]] = []
    for values in windows.tolist():
        for group in range(plan.target.lane_groups):
            mine = [
                {
                    "address": group * plan.readers[0].windows.span + index // plan.events,
                    "shift": shift,
                    "negative": int(sign < 0),
                    "null": 0,
                    "last": 0,
                }
                for index, value in enumerate(values)
                if index % plan.events == bank
                for sign, shift in plan.digits.digits(value)
            ]
            mine = mine or [{"address": 0, "shift": 0, "negative": 0, "null": 1, "last": 0}]
            mine[-1]["last"] = 1
            events += mine
    return events


def expected_sums(plan: LayerPlan, weight: Matrix, windows: Matrix) -> list[list[int]]:
    sums = np.zeros((len(windows), plan.target.stored_channels), np.int64)
    sums[:, : len(weight)] = windows @ weight.T
    grouped: list[list[int]] = sums.reshape(-1, plan.lanes).tolist()
    return grouped


def check(
    weight: Matrix, bits: int, windows: Matrix, lanes: int, events: int, stall: float = 0.0
) -> LayerPlan:
    plan = linear(weight, bits, lanes, events)
    expected = expected_sums(plan, weight, windows)
    dut = PeArray(plan)
    bench = Bench(dut)
    sent = [bank_events(plan, windows, e) for e in range(events)]
    for e in range(events):
        bench.put(getattr(dut, f"i{e}"), sent[e], stall)
    seen = bench.get(dut.o, len(expected), stall, dut.taking)
    cycles = bench.watch(dut.issued, dut.stalled, dut.busy, dut.o.valid, dut.o.ready)
    taken = bench.watch(Cat(port.valid & port.ready for port in ports(dut)).any())
    bench.run()
    assert seen == expected
    # What is taken goes one stage further in each cycle in which the elements do not stand still.
    held = [0] * dut.latency
    for (_, stalled, busy, _, _), (more,) in zip(cycles, taken, strict=True):
        assert busy == any(held)
        if not stalled:
            held = [more, *held[:-1]]
    assert sum(issued for issued, *_ in cycles) == sum(not e["null"] for bank in sent for e in bank)
    for issued, stalled, busy, valid, ready in cycles:
        assert busy or not valid
        assert stalled == (valid and not ready)
        assert not (stalled and issued)
    assert not cycles[-1][2], "nothing stays behind"
    return plan


def ports(dut: PeArray) -> list[Any]:
    return [getattr(dut, f"i{e}") for e in range(dut.plan.events)]


EXTREMES = {
    "highest": lambda bits, ins: np.full((2, ins), (1 << bits - 1) - 1),
    "lowest": lambda bits, ins: np.full((2, ins), -(1 << bits - 1)),
    "opposed": lambda bits, ins: np.array([[-(1 << bits - 1)], [(1 << bits - 1) - 1]]).repeat(
        ins, 1
    ),
    "one": lambda bits, ins: np.eye(2, ins, dtype=np.int64),
    "zero": lambda bits, ins: np.zeros((2, ins), np.int64),
}


@pytest.mark.parametrize("events", [1, 2, 3])
@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize(("weight_bits", "bits"), [(2, 1), (8, 8), (32, 3), (4, 16)])
def test_ends_of_the_range(extreme: str, weight_bits: int, bits: int, events: int) -> None:
    ins = 5
    weight = EXTREMES[extreme](weight_bits, ins)
    top = (1 << bits) - 1
    # All at the maximum, none, the maximum again: no window leaves a trace in the next.
    windows = np.array([[top] * ins, [0] * ins, [top] * ins, [top - 1] * ins, [0, top, 0, 0, 1]])
    check(weight, bits, windows, lanes=2, events=events)


@pytest.mark.parametrize("events", [4, 5, 7])
def test_many_banks_are_added_on_several_levels(events: int) -> None:
    rng = np.random.default_rng(events)
    weight = rng.integers(-128, 128, (2, 9))
    check(weight, 3, rng.integers(0, 8, (3, 9)), lanes=2, events=events)


def test_sums_may_wrap_on_the_way() -> None:
    # 255 = 256 - 1: after its first digit the sum is -127, in a register without a sign.
    plan = check(np.array([[127]]), 8, np.array([[255], [0], [255]]), lanes=1, events=1)
    assert plan.ranges.accumulator.low == 0
    assert plan.digits.digits(255)[0] == (-1, 0)


@given(data=st.data(), seed=st.integers(0, 999), stall=st.sampled_from(STALLS))
@settings(max_examples=30)
def test_random_windows(data: st.DataObject, seed: int, stall: float) -> None:
    outs, ins = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 7))
    bits = data.draw(st.sampled_from([1, 2, 3, 5]))
    lanes = data.draw(st.integers(1, outs))
    events = data.draw(st.sampled_from([1, 2, 3, 5]))
    rng = np.random.default_rng(seed)
    weight = rng.integers(-128, 128, (outs, ins))
    windows = rng.integers(0, 1 << bits, (3, ins)) * rng.integers(0, 2, (3, ins))
    check(weight, bits, windows, lanes, events, stall)


def test_banks_wait_for_the_slowest_alone() -> None:
    # Bank 0 has six events in the first window and one in the second, bank 1 the other way round.
    plan = linear(np.ones((1, 12), np.int64), bits=1, lanes=1, events=2)
    windows = np.zeros((2, 12), np.int64)
    windows[0, 0::2], windows[0, 1] = 1, 1
    windows[1, 1::2], windows[1, 0] = 1, 1
    dut = PeArray(plan)
    bench = Bench(dut)
    for e in range(2):
        bench.put(getattr(dut, f"i{e}"), bank_events(plan, windows, e))
    seen = bench.get(dut.o, 2, taking=dut.taking)
    cycles = bench.watch(dut.issued)
    bench.run()
    assert seen == [[7], [7]]
    issued = [n for (n,) in cycles]
    first = issued.index(2)
    assert issued[first : first + 13] == [2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 0]


def test_sums_are_held_while_the_next_window_comes() -> None:
    plan = linear(np.ones((1, 2), np.int64), bits=1, lanes=1, events=1)
    windows = np.ones((4, 2), np.int64)
    dut = PeArray(plan)
    bench = Bench(dut)
    bench.put(dut.i0, bank_events(plan, windows, 0))
    cycles = bench.watch(dut.o.valid, dut.o.payload, dut.stalled, dut.i0.ready)

    async def patient(ctx: Any) -> None:
        for _ in range(20):
            await ctx.tick()

    bench.simulator.add_testbench(patient)
    bench.run()
    assert cycles[-1] == (1, [2], 1, 0)


def residual(neuron: Neuron, dense: bool, shortcut: Synapses) -> LayerPlan:
    """Return the plan of a layer that adds a wide shortcut to narrow weights, or has it alone."""
    source = Layer("source", 1, neuron, (Connection("input", "count", Identity(np.ones(4, int))),))
    weight = np.array([[-8, 7, 0, 3], [1, -1, 5, -8], [7, 7, 7, 7], [-8, -8, -8, -8]])
    synapses = [Conv2d(weight.reshape(4, 4, 1, 1))] if dense else []
    connections = [Connection("source", "spikes", x) for x in [*synapses, shortcut]]
    reader = Layer("reader", 1, Logits(np.zeros(4, np.int64), 0), tuple(connections))
    network = Network(DirectInput((4, 1, 1), bits=2), (source, reader))
    return plan(network, HardwareConfig({"source": 1, "reader": 3}, {"source": 1, "reader": 2}))[
        "reader"
    ]


WIDE = np.array([1000, -300, 77, 1])
#: Which output channel each value meets: of an identity, and of a sparse convolution.
SHORTCUTS: dict[str, Synapses] = {
    "identity": Identity(WIDE),
    "sparse": Conv2d(
        np.eye(4, dtype=int)[[2, 0, 3, 1]][:, :, None, None] * WIDE[:, None, None, None]
    ),
}
SPIKES = {
    "plain": If(np.ones(4, int), np.zeros(4, int), np.zeros(4, int), 0),
    "negative": Dual(np.ones(4, int), np.zeros(4, int), np.zeros(4, int), 0),
    "shifted": Burst(np.ones(4, int), np.zeros(4, int), np.zeros(4, int), 0, largest=3),
}


@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("kind", SPIKES)
def test_every_address_adds_its_own_weights(kind: str, dense: bool, shortcut: str) -> None:
    plan = residual(SPIKES[kind], dense, SHORTCUTS[shortcut])
    assert [store.single for store in plan.stores] == [False, True][1 - dense :]
    dut = PeArray(plan)
    bench = Bench(dut)
    expected = np.zeros((plan.depth, plan.lanes), np.int64)
    for e in range(plan.events):
        events = []
        for address, weights in enumerate(plan.bank(e)):
            shift, negative = plan.digits.positions - 1, int(plan.digits.recoded)
            # The second bank has nothing to add in every third window.
            null = int(e == 1 and address % 3 == 0)
            expected[address] += (1 - null) * (1 - 2 * negative) * (weights << shift)
            event = {"address": address, "shift": shift, "negative": negative}
            events.append({**event, "null": null, "last": 1})
        bench.put(getattr(dut, f"i{e}"), events, 0.3)
    seen = bench.get(dut.o, plan.depth, 0.3, dut.taking)
    bench.run()
    assert seen == expected.tolist()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_weights_of_several_memories(bits: int) -> None:
    inputs = 1100
    plan = linear(np.arange(inputs)[None] - 500, bits, lanes=1, events=1)
    assert [memory.depth for memory in plan.memories] == [1024, 76]
    # A digit of -1 where there is one, and of the highest weight.
    shift, negative = plan.digits.positions - 1, int(plan.digits.recoded)
    addresses = [0, 500, 1023, 1024, 1099, 7, 1025, 1]
    event = {"shift": shift, "negative": negative, "null": 0, "last": 1}
    dut = PeArray(plan)
    bench = Bench(dut)
    bench.put(dut.i0, [{"address": address, **event} for address in addresses], 0.3)
    seen = bench.get(dut.o, len(addresses), 0.3, dut.taking)
    bench.run()
    assert seen == [[(1 - 2 * negative) * ((a - 500) << shift)] for a in addresses]


def test_sums_come_after_all_stages() -> None:
    # One to read, one behind each level of the shifter but the last, one to halve the terms.
    for bits, events, expected in ((1, 1, 2), (3, 1, 2), (8, 1, 4), (1, 2, 3), (8, 5, 7)):
        plan = linear(np.ones((1, 5), np.int64), bits, lanes=1, events=events)
        dut = PeArray(plan)
        assert dut.latency == stages(plan) == expected
        bench = Bench(dut)
        for e in range(events):
            bench.put(getattr(dut, f"i{e}"), bank_events(plan, np.ones((1, 5), np.int64), e)[-1:])
        assert bench.get(dut.o, 1, taking=dut.taking) == []
        cycles = bench.watch(dut.issued, dut.o.valid)
        bench.run()
        taken, offered = (next(t for t, c in enumerate(cycles) if c[k]) for k in range(2))
        assert offered - taken == expected


@pytest.mark.parametrize(("depth", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (1024, 10)])
def test_address_bits(depth: int, bits: int) -> None:
    assert address_bits(depth) == bits
