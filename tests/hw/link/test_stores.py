from __future__ import annotations

import random
import zlib
from typing import Any

import pytest
from amaranth.back import verilog
from support.hw.components import STALLS, Bench, through
from support.link.stub import stub_plan

from spikeloom.hw.link import Link, RecordPlan, UartReceiver, UartTransmitter
from spikeloom.hw.link.frames import Deframer, FrameQueue, Framer
from spikeloom.hw.link.scheduler import Scheduler
from spikeloom.hw.link.server import Server
from spikeloom.hw.link.stores import ImageStore, LogitStore, Recorder, Unpacker
from spikeloom.sw.link import pack
from spikeloom.sw.network import Range


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 8, 9, 16])
@pytest.mark.parametrize("count", [1, 7, 8])
def test_unpacker(bits: int, count: int) -> None:
    plan = stub_plan(count, bits)
    chance = random.Random(bits)
    images = [[chance.randrange(1 << bits) for _ in range(count)] for _ in range(3)]
    packed = b"".join(pack(image, plan.value_bits) for image in images)
    assert len(packed) == 3 * plan.image_bytes
    expected = [value for image in images for value in image]
    for stall in STALLS:
        assert through(Unpacker(plan), packed, len(expected), stall, stall) == expected


def test_logits_and_the_largest() -> None:
    dut = LogitStore(stub_plan())
    bench = Bench(dut)
    images = [(-5, -5, -9), (1, 3, 2), (-9, -8, 32767), (0, 0, 0)]
    sent = [
        {"value": value, "last": int(k == 2)} for image in images for k, value in enumerate(image)
    ]
    bench.put(dut.i, sent)
    seen = bench.watch(dut.done, dut.label)

    async def wait(ctx: object) -> None:
        await ctx.tick().repeat(15)  # type: ignore[attr-defined]

    bench.simulator.add_testbench(wait)
    bench.run()
    late = LogitStore.LATENCY
    labels = [seen[k + late][1] for k, (done, _) in enumerate(seen[:-late]) if done]
    assert labels == [0, 1, 2, 0]


@pytest.mark.parametrize("stall", STALLS)
def test_the_crc_is_that_of_the_image_handed_out(stall: float) -> None:
    plan = stub_plan()
    dut = ImageStore(plan)
    bench = Bench(dut)
    chance = random.Random(1)
    images = [chance.randbytes(plan.image_bytes) for _ in range(2)]
    order = [1, 0, 0, 1]
    seen = bench.get(dut.o, len(order) * plan.transfers, stall)

    async def run(ctx: Any) -> None:
        ctx.set(dut.write, 1)
        for address, byte in enumerate(b"".join(images)):
            ctx.set(dut.address, address)
            ctx.set(dut.byte, byte)
            await ctx.tick()
        ctx.set(dut.write, 0)
        for bank in order:
            ctx.set(dut.bank, bank)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            while ctx.get(dut.busy):
                await ctx.tick()
            assert ctx.get(dut.crc) == zlib.crc32(images[bank])

    bench.simulator.add_testbench(run)
    bench.run()
    assert bytes(seen) == b"".join(images[bank] for bank in order)


def test_a_recorder_keeps_the_transfers_of_the_last_image() -> None:
    plan = stub_plan().records[0]
    dut = Recorder(plan)
    bench = Bench(dut)
    chance = random.Random(2)
    images = [[chance.randrange(1 << plan.width) for _ in range(plan.transfers)] for _ in range(3)]

    async def drive(ctx: Any) -> None:
        for number, image in enumerate(images):
            for value in image:
                assert ctx.get(dut.images) == number
                ctx.set(dut.sent, 0)
                ctx.set(dut.value, ~value & ((1 << plan.width) - 1))
                await ctx.tick()
                ctx.set(dut.sent, 1)
                ctx.set(dut.value, value)
                await ctx.tick()
            ctx.set(dut.sent, 0)
            assert ctx.get(dut.images) == number + 1
            for address, value in enumerate(image):
                ctx.set(dut.address, address)
                await ctx.tick()
                assert ctx.get(dut.word) & ((1 << plan.width) - 1) == value

    bench.simulator.add_testbench(drive)
    bench.run()


def test_images_are_counted_modulo_256() -> None:
    dut = Recorder(RecordPlan("layer", 1, Range(0, 1), 1))
    bench = Bench(dut)
    seen = bench.watch(dut.images)

    async def drive(ctx: Any) -> None:
        ctx.set(dut.sent, 1)
        await ctx.tick().repeat(300)

    bench.simulator.add_testbench(drive)
    bench.run()
    assert [images for (images,) in seen] == [number % 256 for number in range(300)]


COMPONENTS = {
    "Deframer": lambda plan: Deframer(),
    "FrameQueue": lambda plan: FrameQueue(plan.receive),
    "Framer": lambda plan: Framer(),
    "ImageStore": ImageStore,
    "Link": Link,
    "LogitStore": LogitStore,
    "Recorder": lambda plan: Recorder(plan.records[0]),
    "Scheduler": Scheduler,
    "Server": Server,
    "UartReceiver": lambda plan: UartReceiver(plan.clock, plan.baud),
    "UartTransmitter": lambda plan: UartTransmitter(plan.clock, plan.baud),
    "Unpacker": Unpacker,
}


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("bits", [1, 8, 16])
def test_every_component_converts_alone(component: str, bits: int) -> None:
    plan = stub_plan(bits=bits)
    text = verilog.convert(COMPONENTS[component](plan), name="alone", emit_src=False)
    assert "module alone(" in text
    assert " * " not in text.replace("(*", "").replace("*)", "")


def test_the_smallest_link_converts() -> None:
    plan = stub_plan(1, 1, classes=1, counters=(), records=(), receive=16, chunk=1)
    assert "module alone(" in verilog.convert(Link(plan), name="alone", emit_src=False)
