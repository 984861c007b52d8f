from __future__ import annotations

from typing import Any

import pytest
from amaranth.back import verilog
from amaranth.sim import SimulatorContext
from support.hw.components import STALLS, Bench
from support.link.stub import stub_plan

from spikeloom.hw.link.replies import Replier, Source, sources_of
from spikeloom.sw.link.messages import Counts, Message, Refusal, Result, Status, Written, content

SOURCES = {"bytes": Source(1, 5), "words": Source(3, 9)}
CONTENTS = {"bytes": [7 * k for k in range(5)], "words": [0x010203 * k for k in range(9)]}


def test_sources_of_a_plan() -> None:
    plan = stub_plan()
    assert sources_of(plan) == {
        "identity": Source(1, len(plan.identity.body())),
        "logits": Source(2, 3),
        "counters": Source(4, 2),
        "record0": Source(2, 3),
    }
    assert list(sources_of(stub_plan(counters=(), records=()))) == ["identity", "logits"]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("stall", STALLS)
def test_replies(stall: float, late: bool) -> None:
    """Words of a memory come a cycle later than their address, those of signals at once."""
    dut = Replier(SOURCES)
    bench = Bench(dut)

    def reply(
        message: type[Message] | None = None, source: str = "", first: int = 0, words: int = 0
    ) -> Any:
        return {
            "fields": {message.__name__: dict.fromkeys(message.sizes(), 1)} if message else {},
            "source": {source: 1} if source else {},
            "first": first,
            "words": words,
        }

    words = b"".join(word.to_bytes(3, "little") for word in CONTENTS["words"])
    exchanges = [
        (reply(), Written()),
        (reply(Status), Status(1, 2, 0x0304, 0x0506)),
        (reply(Result, "words", 0, 9), Result(1, 2, 0x03040506, 7, words)),
        (reply(Counts, "words", 4, 2), Counts(0xDEADBEEF, words[12:18])),
        (reply(Counts, "bytes", 1, 4), Counts(0xDEADBEEF, bytes([7, 14, 21, 28]))),
        (reply(Refusal), Refusal(5, 6)),
    ]
    fields = {
        type(message).__name__: {name: getattr(message, name) for name in message.sizes()}
        for _, message in exchanges
        if message.fixed.size
    }
    bench.put(dut.i, [given for given, _ in exchanges], stall)
    wanted = b"".join(content(message, 0) for _, message in exchanges)
    seen = bench.get(dut.o, len(wanted), stall)

    async def constants(ctx: SimulatorContext) -> None:
        ctx.set(dut.fields, fields)

    async def headers(ctx: SimulatorContext) -> None:
        ctx.set(dut.header, {"version": 1, "kind": exchanges[0][1].kind})
        for _, message in exchanges[1:]:
            accepted = False
            while not accepted:
                _, _, accepted = await ctx.tick().sample(dut.i.valid & dut.i.ready)
            ctx.set(dut.header, {"version": 1, "kind": message.kind})

    def word_at(index: int) -> dict[str, int]:
        return {name: found[index] if index < len(found) else 0 for name, found in CONTENTS.items()}

    async def memories(ctx: SimulatorContext) -> None:
        async for _, _, index in ctx.tick().sample(dut.index):
            ctx.set(dut.words, word_at(index))

    async def signals(ctx: SimulatorContext) -> None:
        ctx.set(dut.words, word_at(0))
        async for (index,) in ctx.changed(dut.index):
            ctx.set(dut.words, word_at(index))

    bench.simulator.add_testbench(constants)
    bench.simulator.add_testbench(headers, background=True)
    bench.simulator.add_process(memories if late else signals)
    bench.run()
    assert bytes(one["byte"] for one in seen) == wanted
    ends = [k + 1 for k, one in enumerate(seen) if one["last"]]
    sizes = [len(content(message, 0)) for _, message in exchanges]
    assert ends == [sum(sizes[: k + 1]) for k in range(len(sizes))]


def test_converts_alone() -> None:
    text = verilog.convert(Replier(SOURCES), name="replier", emit_src=False)
    assert "module replier(" in text
