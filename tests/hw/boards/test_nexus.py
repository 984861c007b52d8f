"""The platform of Nexus: its pins, and the reset that it makes itself."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, Elaboratable, Fragment, Module, Signal
from amaranth.lib import io
from amaranth.sim import Simulator

from spikeloom.hw.boards import Board
from spikeloom.hw.boards.nexus import TIMER


class Blink(Elaboratable):
    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lit = Signal()
        m.d.sync += lit.eq(~lit)
        m.submodules.led = led = io.Buffer("o", platform.request("led", 0, dir="-"))
        m.d.comb += led.o.eq(lit)
        return m


def test_leds_light_at_a_low_level_and_the_clock_is_limited() -> None:
    made = Board.find("crosslink-nx-evn").platform().prepare(Blink(), "top", debug_verilog=False)
    pins = made.files["top.pdc"]
    text = pins if isinstance(pins, str) else pins.decode()
    assert "ldc_set_location -site {E17} [get_ports led_0__io]" in text
    assert '-period 83.33333333333333 [get_ports "clk12_0__io"]' in text
    port = Board.find("crosslink-nx-evn").platform().request("led", 0, dir="-")
    assert port.invert == (True,)


def test_no_cell_is_needed_that_the_tools_do_not_have() -> None:
    made = Board.find("crosslink-nx-evn").platform().prepare(Blink(), "top", debug_verilog=False)
    design = made.files["top.il"]
    text = design if isinstance(design, str) else design.decode()
    assert "cell \\IB " in text
    assert "cell \\GSR " not in text


def test_reset_ends_when_the_counter_is_full() -> None:
    clock = Signal()
    m = Module()
    m.submodules.reset = Board.find("crosslink-nx-evn").platform().reset(clock)
    m.domains.sync = sync = ClockDomain()
    seen: list[int] = []

    async def bench(ctx: Any) -> None:
        for _ in range(2**TIMER + 4):
            ctx.set(clock, 1)
            await ctx.delay(1e-8)
            ctx.set(clock, 0)
            await ctx.delay(1e-8)
            seen.append(ctx.get(sync.rst))

    simulator = Simulator(Fragment.get(m, None))
    simulator.add_testbench(bench)
    simulator.run()
    # The counter is full after 2**TIMER - 1 edges, and the flag follows one later.
    assert seen == [1] * (2**TIMER - 1) + [0] * 5
