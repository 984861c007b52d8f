from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from support.hw.components import STALLS, Bench, through
from support.link.board import damaged

from spikeloom.hw.link.frames import CONTENT, Deframer, FrameQueue, Framer
from spikeloom.sw.link import Decoder, encode


class Inbox(wiring.Component):
    """A deframer and a queue, as the link has them."""

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(CONTENT)),
                "bad": Out(1),
                "dropped": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.deframer = deframer = Deframer()
        m.submodules.queue = queue = FrameQueue(64)
        wiring.connect(m, wiring.flipped(self.i), deframer.i)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        for name in ("put", "byte", "last", "good", "bad"):
            m.d.comb += getattr(queue, name).eq(getattr(deframer, name))
        m.d.comb += [self.bad.eq(deframer.bad), self.dropped.eq(queue.dropped)]
        return m


def deframed(wire: bytes, held: int = 0) -> tuple[list[bytes], int, int]:
    """Contents that leave an inbox, pieces that were bad, and frames that were dropped.

    Nothing is taken from it in the first ``held`` cycles; from then on it is faster than the wire.
    """
    dut = Inbox()
    bench = Bench(dut)
    seen: list[bytes] = []
    part = bytearray()
    bad = dropped = 0

    async def run(ctx: Any) -> None:
        nonlocal bad, dropped
        outputs = (dut.o.valid, dut.o.ready, dut.o.payload, dut.bad, dut.dropped)
        for cycle, byte in enumerate([*wire, *[None] * (held + 150)]):
            ctx.set(dut.i.valid, byte is not None)
            ctx.set(dut.i.payload, byte or 0)
            ctx.set(dut.o.ready, cycle >= held)
            _, _, valid, ready, payload, is_bad, is_dropped = await ctx.tick().sample(*outputs)
            bad, dropped = bad + is_bad, dropped + is_dropped
            if valid and ready:
                part.append(payload.byte)
                if payload.last:
                    seen.append(bytes(part))
                    part.clear()

    bench.simulator.add_testbench(run)
    bench.run()
    assert not part
    return seen, bad, dropped


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_host_decoder(seed: int) -> None:
    """On what is damaged in every way, both sides find the same frames."""
    chance = random.Random(seed)
    late: list[bytes] = []
    wire = chance.randbytes(5)
    for _ in range(120):
        content = bytes(chance.choices([0x7D, 0x7E, 0x5E, 1, 2], k=chance.randrange(4, 20)))
        frame = encode(content)
        wire += damaged(frame, chance, late) if chance.random() < 0.6 else frame
    decoder = Decoder()
    contents = decoder.feed(wire)
    assert len(contents) > 40
    assert decoder.damaged > 20
    assert deframed(wire) == (contents, decoder.damaged, 0)


def test_a_full_queue_is_full_wherever_it_begins() -> None:
    depth = 4
    dut = FrameQueue(depth)
    bench = Bench(dut)
    contents = [[16 * turn + k for k in range(depth)] for turn in range(9)]
    seen = []

    async def put(ctx: Any, content: list[int]) -> int:
        ctx.set(dut.put, 1)
        for k, byte in enumerate(content):
            ctx.set(dut.byte, byte)
            ctx.set(dut.last, k == len(content) - 1)
            await ctx.tick()
        ctx.set(dut.put, 0)
        ctx.set(dut.good, 1)
        dropped = ctx.get(dut.dropped)
        await ctx.tick()
        ctx.set(dut.good, 0)
        return int(dropped)

    async def drive(ctx: Any) -> None:
        for content in contents:
            # While it is not whole, nothing of a content leaves.
            assert await put(ctx, [*content, 255]) == 1
            assert await put(ctx, content) == 0
            ctx.set(dut.o.ready, 1)
            for _ in content:
                seen.append((await ctx.tick().sample(dut.o.payload.byte).until(dut.o.valid))[0])
            ctx.set(dut.o.ready, 0)

    bench.simulator.add_testbench(drive)
    bench.run()
    assert seen == [byte for content in contents for byte in content]


def test_what_finds_no_room_is_dropped_whole() -> None:
    contents = [bytes([k] * 20) for k in range(5)]
    wire = b"".join(map(encode, contents))
    # One byte waits at the output, 64 in memory.
    assert deframed(wire, held=len(wire)) == (contents[:3], 0, 2)
    assert deframed(encode(bytes(99)) + encode(b"fits")) == ([b"fits"], 0, 1)
    exactly = [bytes(65), b"none"]
    wire = b"".join(map(encode, exactly))
    assert deframed(wire, held=200) == (exactly[1:], 0, 1)
    assert deframed(encode(bytes(64)), held=200) == ([bytes(64)], 0, 0)


@pytest.mark.parametrize("stall_in", STALLS)
@pytest.mark.parametrize("stall_out", STALLS)
def test_framer_equals_the_host_encoder(stall_in: float, stall_out: float) -> None:
    chance = random.Random(3)
    contents = [bytes(chance.choices([0x7D, 0x7E, 0x5E, 1], k=n)) for n in (1, 4, 5, 30)]
    contents += [chance.randbytes(20) for _ in range(20)]
    wire = b"".join(map(encode, contents))
    sent = [
        {"byte": byte, "last": int(k == len(content) - 1)}
        for content in contents
        for k, byte in enumerate(content)
    ]
    assert bytes(through(Framer(), sent, len(wire), stall_in, stall_out)) == wire
