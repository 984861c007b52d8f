from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from amaranth.lib import data, stream
from hypothesis import given, settings
from support.hw.components import Bench, numbered

from spikeloom.hw.engine import Fork

SIGNATURE = stream.Signature(data.ArrayLayout(5, 2))


@given(
    stall_in=st.sampled_from([0.0, 0.5]),
    stalls=st.lists(st.sampled_from([0.0, 0.3, 0.9]), min_size=1, max_size=4),
    seed=st.integers(0, 999),
)
@settings(max_examples=30)
def test_every_reader_gets_everything(stall_in: float, stalls: list[float], seed: int) -> None:
    sent = numbered(30)
    dut = Fork(SIGNATURE, len(stalls))
    bench = Bench(dut, seed)
    bench.put(dut.i, sent, stall_in)
    seen = [bench.get(getattr(dut, f"o{k}"), len(sent), stall) for k, stall in enumerate(stalls)]
    bench.run()
    assert seen == [sent] * len(stalls)


def test_a_transfer_in_every_cycle() -> None:
    dut = Fork(SIGNATURE, 3)
    bench = Bench(dut)
    bench.put(dut.i, numbered(20))
    for k in range(3):
        bench.get(getattr(dut, f"o{k}"), 20)
    cycles = bench.watch(dut.i.valid & dut.i.ready)
    bench.run()
    assert [taken for (taken,) in cycles[:21]] == [1] * 20 + [0]


def test_readers_take_a_transfer_in_different_cycles() -> None:
    """Two that wait for each other's transfer would otherwise wait for ever."""
    dut = Fork(SIGNATURE, 2)
    bench = Bench(dut)
    bench.put(dut.i, numbered(6))
    cycles = bench.watch(dut.i.ready, dut.o0.valid & dut.o0.ready, dut.o1.valid & dut.o1.ready)

    async def in_turn(ctx: Any) -> None:
        for cycle in range(12):
            ctx.set(dut.o0.ready, cycle % 2 == 0)
            ctx.set(dut.o1.ready, cycle % 2 == 1)
            await ctx.tick()

    bench.simulator.add_testbench(in_turn)
    bench.run()
    assert cycles[:12] == [(0, 1, 0), (1, 0, 1)] * 6


def test_nobody_is_ahead_by_more_than_a_transfer() -> None:
    dut = Fork(SIGNATURE, 2)
    bench = Bench(dut)
    bench.put(dut.i, numbered(4))
    cycles = bench.watch(dut.i.ready, dut.o0.valid, dut.o1.valid)

    async def one_alone(ctx: Any) -> None:
        ctx.set(dut.o0.ready, 1)
        await ctx.tick().repeat(8)

    bench.simulator.add_testbench(one_alone)
    bench.run()
    assert cycles[:8] == [(0, 1, 1)] + [(0, 0, 1)] * 7
