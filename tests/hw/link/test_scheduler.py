"""The scheduler beside an accelerator that sums up: results, states and their order."""

from __future__ import annotations

import random
import zlib
from typing import Any

import pytest
from support.hw.components import STALLS, Bench
from support.link.stub import stub_plan

from spikeloom.hw.link.scheduler import Scheduler

PLAN = stub_plan()
#: Clock cycles of the accelerator from the last value of an image to its first logit.
PAUSE = 7


def logits_of(image: bytes) -> list[int]:
    return [sum(image) % 97 - 50, image[0] - image[-1], 3]


class Board:
    """A scheduler with images in its banks, and an accelerator that answers after some cycles.

    ``early`` has it answer after the first value: some networks do not look at the last ones.
    """

    def __init__(self, stall: float = 0.0, early: bool = False) -> None:
        self.dut = Scheduler(PLAN)
        self.bench = Bench(self.dut)
        self.started: list[bytes] = []
        chance = random.Random(int(8 * stall))
        self.images = [chance.randbytes(PLAN.image_bytes) for _ in range(2)]

        async def accelerator(ctx: Any) -> None:
            dut = self.dut
            while True:
                values: list[int] = []
                logits = None
                while len(values) < PLAN.transfers:
                    ready = chance.random() >= stall
                    ctx.set(dut.image.ready, ready)
                    _, _, valid, value = await ctx.tick().sample(dut.image.valid, dut.image.payload)
                    if valid and ready:
                        values.append(value)
                        if early and len(values) == 1:
                            ctx.set(dut.image.ready, 0)
                            logits = [len(values), 2, 1]
                            await self._answer(ctx, logits)
                ctx.set(dut.image.ready, 0)
                self.started.append(bytes(values))
                if logits is None:
                    await ctx.tick().repeat(PAUSE)
                    await self._answer(ctx, logits_of(bytes(values)))

        self.bench.simulator.add_testbench(accelerator, background=True)

    async def _answer(self, ctx: Any, logits: list[int]) -> None:
        port = self.dut.logits
        for k, value in enumerate(logits):
            ctx.set(port.payload, {"value": value, "last": k == len(logits) - 1})
            ctx.set(port.valid, 1)
            await ctx.tick()
        ctx.set(port.valid, 0)

    async def write(self, ctx: Any, bank: int) -> None:
        bus = self.dut.bus
        ctx.set(bus.bank, bank)
        ctx.set(bus.empty, 1)
        await ctx.tick()
        ctx.set(bus.empty, 0)
        ctx.set(bus.write, 1)
        for address, byte in enumerate(self.images[bank]):
            ctx.set(bus.address, bank * PLAN.image_bytes + address)
            ctx.set(bus.byte, byte)
            await ctx.tick()
        ctx.set(bus.write, 0)

    async def run(self, ctx: Any, bank: int) -> None:
        bus = self.dut.bus
        ctx.set(bus.bank, bank)
        ctx.set(bus.run, 1)
        await ctx.tick()
        ctx.set(bus.run, 0)

    async def until_done(self, ctx: Any, banks: int, limit: int = 400) -> None:
        for _ in range(limit):
            if ctx.get(self.dut.bus.done) == banks:
                return
            await ctx.tick()
        raise AssertionError(f"banks {ctx.get(self.dut.bus.done):02b} are done, not {banks:02b}")

    async def check(self, ctx: Any, bank: int, logits: list[int]) -> None:
        bus = self.dut.bus
        assert ctx.get(bus.crc[bank]) == zlib.crc32(self.images[bank])
        assert ctx.get(bus.label[bank]) == max(range(3), key=lambda k: (logits[k], -k))
        for index, logit in enumerate(logits):
            ctx.set(bus.logit_address, bank << PLAN.label_bits | index)
            await ctx.tick()
            assert ctx.get(bus.logit) == logit


@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_both_banks_in_the_order_of_the_requests(order: tuple[int, int], stall: float) -> None:
    board = Board(stall)
    bus = board.dut.bus

    async def drive(ctx: Any) -> None:
        assert not ctx.get(bus.any)
        for bank in order:
            await board.write(ctx, bank)
        for number in range(1, 4):
            for bank in order:
                await board.run(ctx, bank)
            assert ctx.get(bus.running) == 3
            assert ctx.get(bus.done) == 0, "a run takes away the last result"
            await board.until_done(ctx, 1 << order[0])
            assert ctx.get(bus.running) == 1 << order[1]
            await board.until_done(ctx, 3)
            assert ctx.get(bus.running) == 0
            assert (ctx.get(bus.fed), ctx.get(bus.any)) == (2 * number, 1)
            assert ctx.get(bus.last_crc) == zlib.crc32(board.images[order[1]])
            for bank in order:
                await board.check(ctx, bank, logits_of(board.images[bank]))
        await board.write(ctx, 1)
        assert ctx.get(bus.done) == 1, "what is about to be written has no result"

    board.bench.simulator.add_testbench(drive)
    board.bench.run()
    assert board.started == [board.images[bank] for bank in order] * 3


def test_cycles_are_those_from_the_start_to_the_last_logit() -> None:
    board = Board()
    bus = board.dut.bus
    seen = board.bench.watch(board.dut.image.valid, board.dut.logits.valid)
    cycles = []

    async def drive(ctx: Any) -> None:
        await board.write(ctx, 1)
        for _ in range(2):
            await board.run(ctx, 1)
            await board.until_done(ctx, 2)
            cycles.append(ctx.get(bus.cycles[1]))

    board.bench.simulator.add_testbench(drive)
    board.bench.run()
    # The store has the first value three cycles after the start, of which one is not counted.
    first = next(k for k, (value, _) in enumerate(seen) if value)
    last = next(k for k in range(first, len(seen)) if seen[k][1]) + 2
    assert cycles == [last - first + 2] * 2


@pytest.mark.parametrize("bank", [0, 1])
def test_a_bank_is_not_done_before_its_whole_image_is_in(bank: int) -> None:
    board = Board(STALLS[1], early=True)
    bus = board.dut.bus
    early = 0

    async def drive(ctx: Any) -> None:
        nonlocal early
        await board.write(ctx, bank)
        await board.run(ctx, bank)
        while not ctx.get(bus.done):
            early += ctx.get(board.dut.image.valid)
            assert ctx.get(bus.running) == 1 << bank
            await ctx.tick()
        await board.check(ctx, bank, [1, 2, 1])

    board.bench.simulator.add_testbench(drive)
    board.bench.run()
    assert early > PLAN.transfers
    assert board.started == [board.images[bank]]
