from __future__ import annotations

import itertools
from typing import Any

import hypothesis.strategies as st
import pytest
from amaranth.back import verilog
from amaranth.sim import Simulator
from hypothesis import given, settings
from support.hw.components import Bench

from spikeloom.hw.engine import ZeroPoint
from spikeloom.sw.network import Range


@given(
    signed=st.booleans(),
    bits=st.integers(1, 16),
    zeros=st.lists(st.integers(-65535, 65535), min_size=2, max_size=4, unique=True),
    stalls=st.tuples(st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, 0.5])),
)
@settings(max_examples=40)
def test_subtracts_the_zero_point_of_the_channel(
    signed: bool, bits: int, zeros: list[int], stalls: tuple[float, float]
) -> None:
    low = -(1 << (bits - 1)) if signed else 0
    ends = [low, low + (1 << bits) - 1]
    sent = [pixel for pixel in ends * 3 for _ in zeros]
    dut = ZeroPoint(Range(*ends), zeros)
    bench = Bench(dut)
    bench.put(dut.i, sent, stalls[0])
    seen = bench.get(dut.o, len(sent), stalls[1])
    bench.run()
    assert seen == [pixel - zero for pixel, zero in zip(sent, itertools.cycle(zeros), strict=False)]
    assert {min(seen), max(seen)} == {dut.values.low, dut.values.high}


@pytest.mark.parametrize(("pixel", "value"), [(0, -128), (255, 127)])
def test_one_zero_point_for_all_needs_no_register(pixel: int, value: int) -> None:
    dut = ZeroPoint(Range(0, 255), [128] * 3)

    async def drive(ctx: Any) -> None:
        for valid, ready in itertools.product((0, 1), repeat=2):
            ctx.set(dut.i.payload, pixel)
            ctx.set(dut.i.valid, valid)
            ctx.set(dut.o.ready, ready)
            assert ctx.get(dut.o.payload) == value
            assert (ctx.get(dut.o.valid), ctx.get(dut.i.ready)) == (valid, ready)

    simulator = Simulator(dut)
    simulator.add_testbench(drive)
    simulator.run()


def test_takes_no_clock_cycle() -> None:
    dut = ZeroPoint(Range(0, 255), [3, 4])
    bench = Bench(dut)
    bench.put(dut.i, [7] * 6)
    bench.get(dut.o, 6)
    cycles = bench.watch(dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready)
    bench.run()
    assert cycles[:7] == [(1, 1)] * 6 + [(0, 0)]


@pytest.mark.parametrize("zeros", [[0], [128], [124, 116, 104]])
def test_becomes_verilog(zeros: list[int]) -> None:
    assert "module zero" in verilog.convert(ZeroPoint(Range(0, 255), zeros), name="zero")
