from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Const, Module, Signal, signed
from amaranth.sim import Simulator

from spikeloom.hw.engine.select import lowest, selected, several


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


@pytest.mark.parametrize("width", [1, 2, 4, 5, 9])
def test_the_lowest_bit_that_is_set(width: int) -> None:
    m = Module()
    bits, out = Signal(width), Signal(width)
    m.d.comb += out.eq(lowest(m, bits))

    async def check(ctx: Any) -> None:
        for value in range(1 << width):
            ctx.set(bits, value)
            assert ctx.get(out) == value & -value

    simulator = Simulator(m)
    simulator.add_testbench(check)
    simulator.run()


def test_the_lowest_of_many_bits() -> None:
    m = Module()
    bits, out = Signal(32), Signal(32)
    m.d.comb += out.eq(lowest(m, bits))

    async def check(ctx: Any) -> None:
        for k in range(32):
            ctx.set(bits, (1 << k) | (1 << 31) | (0xB7 << k & (1 << 31) - 1))
            assert ctx.get(out) == 1 << k

    simulator = Simulator(m)
    simulator.add_testbench(check)
    simulator.run()


@pytest.mark.parametrize("width", [1, 2, 3, 8])
def test_whether_several_bits_are_set(width: int) -> None:
    m = Module()
    bits, out = Signal(width), Signal()
    m.d.comb += out.eq(several(bits))

    async def check(ctx: Any) -> None:
        for value in range(1 << width):
            ctx.set(bits, value)
            assert ctx.get(out) == (value.bit_count() > 1)

    simulator = Simulator(m)
    simulator.add_testbench(check)
    simulator.run()
