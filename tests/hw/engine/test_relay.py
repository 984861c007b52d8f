from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from amaranth.lib import data, stream
from hypothesis import given, settings
from support.hw.components import STALLS, Bench, numbered, through

from spikeloom.hw.engine import Relay

SIGNATURE = stream.Signature(data.ArrayLayout(5, 2))


@given(stall_in=st.sampled_from(STALLS), stall_out=st.sampled_from(STALLS), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_nothing_is_lost_or_doubled(stall_in: float, stall_out: float, seed: int) -> None:
    dut = Relay(SIGNATURE)
    assert through(dut, numbered(30), 30, stall_in, stall_out, seed) == numbered(30)


def test_a_transfer_in_every_cycle_one_later() -> None:
    dut = Relay(SIGNATURE)
    bench = Bench(dut)
    bench.put(dut.i, numbered(20))
    bench.get(dut.o, 20)
    cycles = bench.watch(dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready)
    bench.run()
    assert Relay.LATENCY == 1
    assert cycles[:22] == [(1, 0), *[(1, 1)] * 19, (0, 1), (0, 0)]


def test_as_long_as_nothing_is_taken_two_transfers_wait() -> None:
    dut = Relay(SIGNATURE)
    bench = Bench(dut)
    bench.put(dut.i, numbered(6))
    cycles = bench.watch(dut.i.valid & dut.i.ready, dut.o.valid, dut.o.payload[0])

    async def pauses(ctx: Any) -> None:
        for ready in (0, 0, 0, 0, 1, 1, 1, 1):
            ctx.set(dut.o.ready, ready)
            await ctx.tick()

    bench.simulator.add_testbench(pauses)
    bench.run()
    assert cycles[:8] == [
        (1, 0, 0),
        (1, 1, 0),
        (0, 1, 0),
        (0, 1, 0),
        (0, 1, 0),
        (1, 1, 1),
        (1, 1, 2),
        (1, 1, 3),
    ]
