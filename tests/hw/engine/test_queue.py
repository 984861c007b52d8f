"""Word queue: order and timing of words, the same in both of its forms."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest
from amaranth.hdl import Fragment, Module
from amaranth.lib import data
from amaranth.sim import Simulator

from spikeloom.hw.engine.queue import WordQueue

LAYOUT = data.StructLayout({"word": 6})
PLATFORMS = {"memory": None, "registers": SimpleNamespace(family="iCE40")}


def played(platform: object, depth: int, coming: int, going: int) -> list[tuple[int, ...]]:
    """Return ready, valid and word (if valid) of each cycle, under random traffic."""
    queue = WordQueue(LAYOUT, depth)
    m = Module()
    # Elaborated here, since a simulator has no platform.
    m.submodules.queue = Fragment.get(queue, platform)
    seen: list[tuple[int, ...]] = []

    async def drive(ctx: Any) -> None:
        chance = random.Random(depth)
        number = 0
        for _ in range(600):
            ctx.set(queue.i.valid, chance.randrange(4) < coming)
            ctx.set(queue.i.payload.word, number % 64)
            ctx.set(queue.o.ready, chance.randrange(4) < going)
            await ctx.delay(1e-7)
            ready, valid = ctx.get(queue.i.ready), ctx.get(queue.o.valid)
            word = ctx.get(queue.o.payload.word) if valid else 0
            seen.append((ready, valid, word))
            number += ready & ctx.get(queue.i.valid)
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return seen


def expected(depth: int, coming: int, going: int) -> list[tuple[int, ...]]:
    """Return the same by the documentation, from a list of words and their arrival."""
    chance = random.Random(depth)
    held: list[int] = []
    number = 0
    seen: list[tuple[int, ...]] = []
    for _ in range(600):
        comes, goes = chance.randrange(4) < coming, chance.randrange(4) < going
        ready = len(held) < depth
        seen.append((ready, bool(held), held[0] if held else 0))
        if goes:
            held = held[1:]
        if comes and ready:
            held.append(number % 64)
            number += 1
    return seen


class TestWordQueue:
    @pytest.mark.parametrize("form", PLATFORMS)
    @pytest.mark.parametrize("depth", [1, 2, 3, 7])
    @pytest.mark.parametrize(("coming", "going"), [(4, 4), (3, 1), (1, 3), (2, 2)])
    def test_does_what_it_says_in_every_cycle(
        self, form: str, depth: int, coming: int, going: int
    ) -> None:
        found = played(PLATFORMS[form], depth, coming, going)
        assert found == expected(depth, coming, going)
        # Every word went through at least once.
        assert len({word for _, valid, word in found if valid}) == 64
