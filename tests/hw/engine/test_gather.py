from __future__ import annotations

import random
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings
from support.hw.components import STALLS, Bench

from spikeloom.hw.engine.gather import Gather
from spikeloom.hw.engine.reader import reader_layout
from spikeloom.sw.network import Range

DEPTH = 16
Word = dict[str, Any]


def windows(rng: random.Random, values: Range, places: int, count: int) -> list[list[Word]]:
    """Return the words of each window of a connection."""
    drawn = []
    for _ in range(count):
        length = rng.randint(1, 3)
        drawn.append(
            [
                {
                    "values": [rng.randint(values.low, values.high) for _ in range(places)],
                    "base": rng.randrange(DEPTH),
                    "last": int(k == length - 1),
                }
                for k in range(length)
            ]
        )
    return drawn


@given(
    kinds=st.lists(
        st.tuples(st.sampled_from([Range(0, 1), Range(-2, 1), Range(0, 9)]), st.integers(1, 4)),
        min_size=1,
        max_size=4,
    ),
    stalls=st.tuples(st.sampled_from(STALLS), st.sampled_from(STALLS)),
    seed=st.integers(0, 999),
)
@settings(max_examples=40)
def test_words_of_each_window_follow_one_another(
    kinds: list[tuple[Range, int]], stalls: tuple[float, float], seed: int
) -> None:
    rng = random.Random(seed)
    widest = kinds[0][0]
    for values, _ in kinds[1:]:
        widest = widest | values
    places = max(places for _, places in kinds)
    count = 5
    drawn = [windows(rng, values, own, count) for values, own in kinds]
    expected = []
    for window in range(count):
        for k, connection in enumerate(drawn):
            for word in connection[window]:
                padded = word["values"] + [0] * (places - len(word["values"]))
                ends = word["last"] and k == len(drawn) - 1
                expected.append({"values": padded, "base": word["base"], "last": int(ends)})
    sources = [reader_layout(values, own, DEPTH) for values, own in kinds]
    dut = Gather(sources, reader_layout(widest, places, DEPTH))
    bench = Bench(dut, seed)
    for k, connection in enumerate(drawn):
        words = [word for window in connection for word in window]
        bench.put(getattr(dut, f"i{k}"), words, stalls[0])
    seen = bench.get(dut.o, len(expected), stalls[1], dut.taking)
    bench.run()
    assert seen == expected


def test_waits_for_the_connection_whose_turn_it_is() -> None:
    layout = reader_layout(Range(0, 1), 1, DEPTH)
    dut = Gather([layout, layout], layout)
    bench = Bench(dut)
    word = {"values": [1], "base": 3, "last": 1}
    seen = []

    async def turns(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.taking, 1)
        for waits0, waits1, valid0, valid1 in [
            (1, 0, 0, 1),
            (0, 1, 1, 0),
            (0, 1, 0, 0),
            (0, 1, 0, 0),
            (0, 0, 1, 1),
            (1, 0, 0, 0),
            (1, 0, 0, 0),
        ]:
            ctx.set(dut.waits0, waits0)
            ctx.set(dut.waits1, waits1)
            for port, valid in ((dut.i0, valid0), (dut.i1, valid1)):
                ctx.set(port.payload, word)
                ctx.set(port.valid, valid)
            await ctx.delay(1e-7)
            ready = (ctx.get(dut.i0.ready), ctx.get(dut.i1.ready))
            seen.append((ctx.get(dut.waits), ctx.get(dut.o.valid), ready))
            await ctx.tick()

    bench.simulator.add_testbench(turns)
    bench.run()
    first, second = (1, 0), (0, 1)
    assert seen == [
        (1, 0, first),
        (0, 0, first),
        (0, 1, second),
        (1, 0, second),
        (0, 0, second),
        (0, 1, first),
        (1, 0, first),
    ]
