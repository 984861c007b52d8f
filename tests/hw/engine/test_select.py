from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module, Signal, signed
from amaranth.sim import Simulator

from spikeloom.hw.engine.select import selected


def test_the_choice_whose_bit_is_set() -> None:
    m = Module()
    one_hot = Signal(3)
    choices = [Const(5, 4), Const(-3, signed(3)), Const(9, 4)]
    result = selected(one_hot, choices)
    out = Signal(result.shape())
    m.d.comb += out.eq(result)

    async def check(ctx: Any) -> None:
        for bits, expected in ((0, 0), (1, 5), (2, -3), (4, 9)):
            ctx.set(one_hot, bits)
            assert ctx.get(out) == expected

    simulator = Simulator(m)
    simulator.add_testbench(check)
    simulator.run()
