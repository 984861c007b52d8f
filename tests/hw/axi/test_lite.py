"""AXI4-Lite alone: orders of address and data, pauses, and what stays steady while it waits."""

from __future__ import annotations

from typing import Any

import pytest
from support.hw.components import Bench

from spikeloom.hw.axi.lite import OKAY, SLVERR, Lite

#: Word that is refused.
WRONG = 3


class Bus:
    """A subordinate of four words behind the bus, and the manager's side of it."""

    def __init__(self) -> None:
        self.dut = Lite(12)
        self.bench = Bench(self.dut)
        self.words = {0: 0, 1: 0xDEADBEEF, 2: 0, WRONG: 0}
        self.writes: list[tuple[int, int, int]] = []

        async def subordinate(ctx: Any) -> None:
            dut = self.dut
            signals = (dut.write, dut.write_word, dut.write_data, dut.strobes, dut.read_word)
            ctx.set(dut.read_data, self.words[0])
            async for _, _, write, word, value, strobes, _ in ctx.tick().sample(*signals):
                if write:
                    self.writes.append((word, value, strobes))
                    if word != WRONG and strobes == 15:
                        self.words[word] = value

        async def answers(ctx: Any) -> None:
            dut = self.dut
            async for write, read in ctx.changed(dut.write_word, dut.read_word):
                ctx.set(dut.write_fault, write == WRONG)
                ctx.set(dut.read_fault, read == WRONG)
                ctx.set(dut.read_data, self.words.get(read, 0))

        self.bench.simulator.add_process(subordinate)
        self.bench.simulator.add_testbench(answers, background=True)

    def run(self, *drives: Any) -> None:
        for drive in drives:
            self.bench.simulator.add_testbench(drive)
        self.bench.run()

    async def address(self, ctx: Any, word: int, wait: int = 0) -> None:
        bus = self.dut.bus
        await ctx.tick().repeat(wait + 1)
        ctx.set(bus.awaddr, 4 * word + 3)  # the lowest bits are ignored
        ctx.set(bus.awvalid, 1)
        await ctx.tick().until(bus.awready)
        ctx.set(bus.awvalid, 0)

    async def data(self, ctx: Any, value: int, strobes: int = 15, wait: int = 0) -> None:
        bus = self.dut.bus
        await ctx.tick().repeat(wait + 1)
        ctx.set(bus.wdata, value)
        ctx.set(bus.wstrb, strobes)
        ctx.set(bus.wvalid, 1)
        await ctx.tick().until(bus.wready)
        ctx.set(bus.wvalid, 0)

    async def response(self, ctx: Any, wait: int = 0) -> int:
        bus = self.dut.bus
        while not ctx.get(bus.bvalid):
            await ctx.tick()
        found = ctx.get(bus.bresp)
        for _ in range(wait):
            await ctx.tick()
            assert (ctx.get(bus.bvalid), ctx.get(bus.bresp)) == (1, found)
        ctx.set(bus.bready, 1)
        await ctx.tick()
        ctx.set(bus.bready, 0)
        return int(found)

    async def read(self, ctx: Any, word: int, wait: int = 0) -> tuple[int, int]:
        bus = self.dut.bus
        ctx.set(bus.araddr, 4 * word + 1)
        ctx.set(bus.arvalid, 1)
        await ctx.tick().until(bus.arready)
        ctx.set(bus.arvalid, 0)
        while not ctx.get(bus.rvalid):
            await ctx.tick()
        found = ctx.get(bus.rresp), ctx.get(bus.rdata)
        for _ in range(wait):
            await ctx.tick()
            assert (ctx.get(bus.rresp), ctx.get(bus.rdata)) == found
            assert ctx.get(bus.rvalid)
        ctx.set(bus.rready, 1)
        await ctx.tick()
        ctx.set(bus.rready, 0)
        assert not ctx.get(bus.rvalid), "one answer to one question"
        return found


@pytest.mark.parametrize(("late_address", "late_data"), [(0, 0), (3, 0), (0, 3)])
@pytest.mark.parametrize("wait", [0, 4])
def test_writes_in_either_order(late_address: int, late_data: int, wait: int) -> None:
    bus = Bus()
    found: list[int] = []
    words = [(2, 0x12345678, 15), (WRONG, 7, 15), (1, 0xFFFFFFFF, 5), (0, 9, 15)]

    async def addresses(ctx: Any) -> None:
        for word, _, _ in words:
            await bus.address(ctx, word, late_address)

    async def values(ctx: Any) -> None:
        for _, value, strobes in words:
            await bus.data(ctx, value, strobes, late_data)

    async def responses(ctx: Any) -> None:
        for _ in words:
            found.append(await bus.response(ctx, wait))
        for _ in range(8):
            assert not ctx.get(bus.dut.bus.bvalid)
            await ctx.tick()

    bus.run(addresses, values, responses)
    assert found == [OKAY, SLVERR, OKAY, OKAY]
    assert bus.writes == words


def test_an_address_waits_for_its_data_and_takes_no_other() -> None:
    bus = Bus()
    port = bus.dut.bus

    async def drive(ctx: Any) -> None:
        assert ctx.get(port.awready) == ctx.get(port.wready) == ctx.get(port.arready) == 1
        await bus.address(ctx, 2)
        assert (ctx.get(port.awready), ctx.get(port.wready)) == (0, 1)
        await ctx.tick().repeat(3)
        assert ctx.get(port.bvalid) == 0
        assert bus.writes == []
        await bus.data(ctx, 5)
        assert (ctx.get(port.awready), ctx.get(port.wready)) == (0, 0)
        assert await bus.response(ctx) == OKAY
        assert (ctx.get(port.awready), ctx.get(port.wready)) == (1, 1)
        await bus.data(ctx, 6)
        assert (ctx.get(port.awready), ctx.get(port.wready)) == (1, 0)
        await ctx.tick().repeat(3)
        await bus.address(ctx, 0)
        assert await bus.response(ctx) == OKAY

    bus.run(drive)
    assert bus.writes == [(2, 5, 15), (0, 6, 15)]


@pytest.mark.parametrize("wait", [0, 3])
def test_reads(wait: int) -> None:
    bus = Bus()

    async def drive(ctx: Any) -> None:
        for _ in range(2):
            assert await bus.read(ctx, 1, wait) == (OKAY, 0xDEADBEEF)
            assert await bus.read(ctx, WRONG, wait) == (SLVERR, 0)
            assert await bus.read(ctx, 0, wait) == (OKAY, 0)

    bus.run(drive)


def test_the_next_question_waits_while_an_answer_is_not_taken() -> None:
    bus = Bus()
    port = bus.dut.bus

    async def drive(ctx: Any) -> None:
        for word in (1, WRONG):
            ctx.set(port.araddr, 4 * word)
            ctx.set(port.arvalid, 1)
            await ctx.tick().until(port.arready)
        ctx.set(port.arvalid, 0)
        await ctx.tick().repeat(3)
        assert (ctx.get(port.rvalid), ctx.get(port.rdata)) == (1, 0xDEADBEEF)
        assert not ctx.get(port.arready)
        ctx.set(port.rready, 1)
        await ctx.tick()
        assert ctx.get(port.rvalid) == 0
        await ctx.tick()
        assert (ctx.get(port.rvalid), ctx.get(port.rresp)) == (1, SLVERR)

    bus.run(drive)
