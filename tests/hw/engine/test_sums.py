"""Sums on their way to the neurons: in the order of windows, from one copy or several."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from support.hw.components import Bench, plain_if, plan_of

from spikeloom.hw.engine.sums import connect_sums
from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import Conv2d


def layer_plan(copies: int, lanes: int = 2, channels: int = 2) -> LayerPlan:
    """Return the plan of a layer with five windows in a row."""
    conv = Conv2d(np.ones((channels, 1, 1, 1), np.int64))
    neuron = plain_if(channels, 9)
    return plan_of((1, 2, 5), conv, neuron, lanes=lanes, copies={"layer": copies})["layer"]


class Order(wiring.Component):
    """The way of sums to neurons that take some in each cycle after one with ``wants``."""

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan
        self.sums = data.ArrayLayout(shape_of(plan.ranges.accumulator), plan.lanes)
        arriving = In(stream.Signature(self.sums))
        super().__init__(
            {f"i{k}": arriving for k in range(plan.copies)}
            | {"wants": In(1), "takes": Out(1), "taken": Out(self.sums), "waits": Out(1)}
            | {"ready": Out(plan.copies), "taking": Out(plan.copies)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shown = stream.Signature(self.sums).create()
        taking = Signal()
        m.d.comb += taking.eq(self.wants)
        m.d.sync += shown.ready.eq(taking)
        summed = [wiring.flipped(getattr(self, f"i{k}")) for k in range(self.plan.copies)]
        population: Any = SimpleNamespace(i=shown, taking=taking)
        waits, ahead = connect_sums(m, self.plan, summed, population)
        m.d.comb += [
            self.waits.eq(waits),
            self.taking.eq(Cat(ahead)),
            self.ready.eq(Cat(sums.ready for sums in summed)),
            self.takes.eq(shown.valid & shown.ready),
            self.taken.eq(shown.payload),
        ]
        return m


@pytest.mark.parametrize("copies", [2, 1, 3, 5])
@pytest.mark.parametrize(("lanes", "channels"), [(1, 2), (2, 2), (1, 3)])
@pytest.mark.parametrize("stall", [0.0, 0.6])
def test_come_in_the_order_of_windows(copies: int, lanes: int, channels: int, stall: float) -> None:
    plan = layer_plan(copies, lanes, channels)
    groups_of_each = channels // lanes
    assert plan.queue == (1 if copies == 1 else groups_of_each)
    dut = Order(plan)
    bench = Bench(dut, seed=copies)
    # Window x of a row comes from copy x mod C, with all of its lane groups.
    windows = [[[x, g] for g in range(groups_of_each)] for x in range(20)]
    expected = [[x % 5 + 1, g][:lanes] for x, groups in enumerate(windows) for _, g in groups]
    for copy in range(copies):
        mine = [w for x, w in enumerate(windows) if x % 5 % copies == copy]
        sent = [[x % 5 + 1, g][:lanes] for groups in mine for x, g in groups]
        bench.put(getattr(dut, f"i{copy}"), sent, stall)
    seen: list[list[int]] = []

    async def neurons(ctx: Any) -> None:
        rng = random.Random(lanes)
        taking = None
        for _ in range(2_000):
            ctx.set(dut.wants, rng.random() >= stall)
            sampled = await ctx.tick().sample(dut.takes, dut.taken, dut.ready, dut.taking)
            _, _, takes, taken, ready, now = sampled
            # Whether sums are taken is known a cycle ahead.
            assert taking in (None, ready)
            taking = now
            if takes:
                seen.append([taken[k] for k in range(lanes)])
            if len(seen) == len(expected):
                break
        await ctx.tick()
        assert not ctx.get(dut.waits)

    bench.simulator.add_testbench(neurons)
    bench.run()
    assert seen == expected


@pytest.mark.parametrize(("copies", "lanes"), [(1, 2), (2, 2), (2, 1), (5, 1)])
def test_as_many_wait_as_planned_and_one_in_each_cycle_goes(copies: int, lanes: int) -> None:
    plan = layer_plan(copies, lanes)
    dut = Order(plan)
    bench = Bench(dut)
    for k in range(copies):
        # Enough for ever: whoever is not taken waits.
        bench.put(getattr(dut, f"i{k}"), [[1] * lanes] * 60)
    ports = [getattr(dut, f"i{k}") for k in range(copies)]
    taken = bench.watch(*(port.valid & port.ready for port in ports))
    shown = bench.watch(dut.takes)

    async def neurons(ctx: Any) -> None:
        await ctx.tick().repeat(12)
        ctx.set(dut.wants, 1)
        await ctx.tick().repeat(20)

    bench.simulator.add_testbench(neurons)
    bench.run()
    assert [sum(column) for column in zip(*taken[:12], strict=True)] == [plan.queue] * copies
    # The neurons want some from cycle 13 on, and then there are some in every cycle.
    assert [takes for (takes,) in shown[:32]] == [0] * 13 + [1] * 19
