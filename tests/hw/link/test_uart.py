from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from support.hw.components import STALLS, Bench
from support.link.board import Uart

from spikeloom.hw.link import UartReceiver, UartTransmitter
from spikeloom.hw.link.uart import ratio
from spikeloom.sw.errors import ConfigError

#: Cycles per bit of 4, 8.33, 9, and 16 and a bit.
RATES = [(12_000_000, 3_000_000), (25_000_000, 3_000_000), (27, 3), (1_000_000, 61_000)]


def received(levels: list[int], clock: int, baud: int) -> list[int]:
    dut = UartReceiver(clock, baud)
    seen: list[int] = []

    # Whoever follows takes every byte at once.
    async def pins(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        for level in levels + [1] * 40:
            ctx.set(dut.pin, level)
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                seen.append(payload)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(pins)
    simulator.run()
    return seen


@pytest.mark.parametrize(("clock", "baud"), RATES)
@pytest.mark.parametrize("error", [-0.02, 0, 0.02])
def test_receives_at_a_rate_that_is_a_little_off(clock: int, baud: int, error: float) -> None:
    data = random.Random(0).randbytes(40) + bytes(range(250, 256)) + b"\0\x55\xaa"
    levels = [1] * 5 + Uart.levels(data, clock / baud * (1 + error))
    assert received(levels, clock, baud) == list(data)


@pytest.mark.parametrize(("clock", "baud"), RATES[:1] + RATES[3:])
def test_a_short_pulse_is_no_start(clock: int, baud: int) -> None:
    cycles = clock / baud
    pulse = [1] * 9 + [0] * (int(cycles / 2) - 1) + [1] * int(cycles)
    levels = pulse * 3 + Uart.levels(b"ok", cycles)
    assert received(levels, clock, baud) == list(b"ok")


def test_one_wrong_sample_is_outvoted() -> None:
    levels = [1] * 9 + Uart.levels(b"voted", 16)
    chance = random.Random(1)
    for start in range(20, len(levels) - 8, 8):
        levels[start + chance.randrange(5)] ^= 1
    assert received(levels, 16, 1) == list(b"voted")


def test_a_low_stop_bit_is_no_byte() -> None:
    broken = Uart.levels(b"A", 8)[:-8] + [0] * 200 + [1] * 8
    assert received(Uart.levels(b"1", 8) + broken + Uart.levels(b"2", 8), 8, 1) == list(b"12")


@pytest.mark.parametrize(("clock", "baud"), RATES)
@pytest.mark.parametrize("stall", STALLS)
def test_sends(clock: int, baud: int, stall: float) -> None:
    data = random.Random(2).randbytes(12) + b"\0\xff"
    dut = UartTransmitter(clock, baud)
    bench = Bench(dut)
    bench.put(dut.i, data, stall)
    levels = bench.watch(dut.pin)

    async def wait(ctx: Any) -> None:
        await ctx.tick().repeat(int((len(data) * 11 + 2) * clock / baud))

    bench.simulator.add_testbench(wait)
    bench.run()
    uart = Uart(clock / baud)
    for (level,) in levels:
        uart.feed(level)
    assert bytes(uart.data) == data
    # An idle line is high, before the first byte as after the last.
    assert levels[0] == levels[-1] == (1,)


class Loop(wiring.Component):
    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.tx = tx = UartTransmitter(25, 3)
        m.submodules.rx = rx = UartReceiver(25, 3)
        m.d.comb += rx.pin.eq(tx.pin)
        wiring.connect(m, wiring.flipped(self.i), tx.i)
        wiring.connect(m, rx.o, wiring.flipped(self.o))
        return m


def test_both_ends_agree_back_to_back() -> None:
    dut = Loop()
    bench = Bench(dut)
    bench.put(dut.i, range(0, 256, 3))
    seen = bench.get(dut.o, 86)
    bench.run()
    assert seen == list(range(0, 256, 3))


def test_a_byte_that_is_not_taken_stays() -> None:
    dut = Loop()
    bench = Bench(dut)
    bench.put(dut.i, [1, 2, 3])
    seen = bench.watch(dut.o.valid, dut.o.payload)

    async def wait(ctx: Any) -> None:
        await ctx.tick().repeat(400)

    bench.simulator.add_testbench(wait)
    bench.run()
    assert seen[-1] == (1, 1)


def test_what_cannot_be() -> None:
    expected = r"^3000000 baud need a clock of at least 12000000 Hz, not 11999999: choose a lower"
    with pytest.raises(ConfigError, match=expected):
        ratio(11_999_999, 3_000_000)
    with pytest.raises(ConfigError, match=r"^baud must be a whole number of Hz, not 0$"):
        ratio(1, 0)
    with pytest.raises(ConfigError, match=r"^clock must be a whole number of Hz, not 1\.5$"):
        ratio(1.5, 1)  # type: ignore[arg-type]
