from __future__ import annotations

import random
import zlib
from typing import Any

import pytest
from amaranth.sim import Simulator

from spikeloom.hw.link.crc import RESIDUE, Crc32


@pytest.mark.parametrize("data", [b"", b"\0", b"123456789", random.Random(0).randbytes(60)])
def test_equals_zlib(data: bytes) -> None:
    dut = Crc32()
    whole = data + zlib.crc32(data).to_bytes(4, "little")

    async def run(ctx: Any) -> None:
        for _ in range(2):
            ctx.set(dut.take, 1)
            for count, byte in enumerate(whole):
                assert ctx.get(dut.value) == zlib.crc32(whole[:count])
                ctx.set(dut.byte, byte)
                await ctx.tick()
            assert ctx.get(dut.register) == RESIDUE
            ctx.set(dut.take, 0)
            await ctx.tick()
            assert ctx.get(dut.register) == RESIDUE
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
