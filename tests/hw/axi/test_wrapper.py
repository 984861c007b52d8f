"""The wrapper's registers and packets in Amaranth's simulator, from its pins."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from amaranth.sim import Simulator
from support.hw.components import small_plan
from support.hw.pysim import pixels

from spikeloom.hw.axi.accelerator import AxiAccelerator
from spikeloom.hw.axi.lite import OKAY, SLVERR
from spikeloom.hw.planning.plan import plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.sw.golden import Golden

PLAN = plan(small_plan().network, dataclasses.replace(small_plan().config, counters=True))
NETWORK = PLAN.network
IMAGES = np.random.default_rng(0).integers(
    0, 1 << PLAN.input.values.width, (3, *NETWORK.input.shape)
)
STREAMS = [pixels(NETWORK, image[None]) for image in IMAGES]
LOGITS = Golden(NETWORK).run(IMAGES).logits.tolist()
SHORT, LONG, RANGE = 1, 2, 4


class Pins:
    """The wrapper, and a manager's side of its buses. All happens at falling edges of the clock."""

    def __init__(self) -> None:
        self.dut = AxiAccelerator(PLAN)
        self.simulator = Simulator(self.dut)
        self.at = {register.name: register for register in self.dut.plan.registers}
        self.found: list[tuple[int, int, int]] = []
        self.taking = True
        signed = 1 << 31

        async def clock(ctx: Any) -> None:
            while True:
                await ctx.delay(5e-7)
                ctx.set(self.dut.aclk, 1)
                await ctx.delay(5e-7)
                ctx.set(self.dut.aclk, 0)

        async def take(ctx: Any) -> None:
            dut = self.dut
            while True:
                ctx.set(dut.m_axis_tready, self.taking)
                if self.taking and ctx.get(dut.m_axis_tvalid):
                    value = ctx.get(dut.m_axis_tdata)
                    last = ctx.get(dut.m_axis_tlast)
                    user = ctx.get(dut.m_axis_tuser) if last else 0
                    self.found.append(((value ^ signed) - signed, last, user))
                await self.tick(ctx)

        self.simulator.add_testbench(clock, background=True)
        self.simulator.add_testbench(take, background=True)

    def run(self, drive: Any) -> None:
        async def whole(ctx: Any) -> None:
            await self.reset(ctx)
            await drive(ctx)

        self.simulator.add_testbench(whole)
        self.simulator.run()

    async def tick(self, ctx: Any, times: int = 1) -> None:
        for _ in range(times):
            await ctx.negedge(self.dut.aclk)

    async def reset(self, ctx: Any) -> None:
        ctx.set(self.dut.aresetn, 0)
        await self.tick(ctx, 3)
        ctx.set(self.dut.aresetn, 1)

    async def until(self, ctx: Any, signal: Any) -> None:
        for _ in range(2_000):
            if ctx.get(signal):
                return
            await self.tick(ctx)
        raise AssertionError(f"{signal} stays low")

    async def write(self, ctx: Any, address: int | str, value: int, strobes: int = 15) -> int:
        dut = self.dut
        at = self.at[address].offset if isinstance(address, str) else address
        ctx.set(dut.s_axi_awaddr, at)
        ctx.set(dut.s_axi_wdata, value)
        ctx.set(dut.s_axi_wstrb, strobes)
        ctx.set(dut.s_axi_awvalid, 1)
        ctx.set(dut.s_axi_wvalid, 1)
        await self.tick(ctx)
        ctx.set(dut.s_axi_awvalid, 0)
        ctx.set(dut.s_axi_wvalid, 0)
        await self.until(ctx, dut.s_axi_bvalid)
        answer = ctx.get(dut.s_axi_bresp)
        ctx.set(dut.s_axi_bready, 1)
        await self.tick(ctx)
        ctx.set(dut.s_axi_bready, 0)
        return int(answer)

    async def read(self, ctx: Any, address: int | str) -> int | None:
        """Return the value of a register, None if it is refused."""
        dut = self.dut
        at = self.at[address].offset if isinstance(address, str) else address
        ctx.set(dut.s_axi_araddr, at)
        ctx.set(dut.s_axi_arvalid, 1)
        await self.tick(ctx)
        ctx.set(dut.s_axi_arvalid, 0)
        await self.until(ctx, dut.s_axi_rvalid)
        value = ctx.get(dut.s_axi_rdata) if ctx.get(dut.s_axi_rresp) == OKAY else None
        ctx.set(dut.s_axi_rready, 1)
        await self.tick(ctx)
        ctx.set(dut.s_axi_rready, 0)
        return value

    async def send(self, ctx: Any, values: list[int], last: bool = True) -> None:
        dut = self.dut
        for k, value in enumerate(values):
            ctx.set(dut.s_axis_tdata, value)
            ctx.set(dut.s_axis_tlast, last and k == len(values) - 1)
            ctx.set(dut.s_axis_tvalid, 1)
            await self.until(ctx, dut.s_axis_tready)
            await self.tick(ctx)
        ctx.set(dut.s_axis_tvalid, 0)

    async def idle(self, ctx: Any) -> None:
        for _ in range(500):
            if await self.read(ctx, "STATUS") == 0:
                return
        raise AssertionError("it stays busy")


def joined(parts: list[list[Any]]) -> list[Any]:
    return [one for part in parts for one in part]


def packet(logits: list[int], user: int = 0) -> list[tuple[int, int, int]]:
    """Return what leaves for the logits of a packet."""
    end = len(logits) - 1
    return [(value, int(k == end), user if k == end else 0) for k, value in enumerate(logits)]


def test_facts_and_what_is_refused() -> None:
    pins = Pins()

    async def drive(ctx: Any) -> None:
        for name, register in pins.at.items():
            if register.value is not None:
                assert await pins.read(ctx, name) == register.value
                assert await pins.write(ctx, name, 0) == SLVERR
        assert await pins.read(ctx, 0xFFC) is None
        assert await pins.write(ctx, 0xFFC, 1) == SLVERR
        assert await pins.read(ctx, "PACKET") == 1
        for wrong in (0, 1 << 16, (1 << 16) + 1):
            assert await pins.write(ctx, "PACKET", wrong) == SLVERR
        assert await pins.write(ctx, "PACKET", (1 << 16) - 1) == OKAY
        assert await pins.read(ctx, "PACKET") == (1 << 16) - 1
        assert await pins.write(ctx, "SCRATCH", 0x89ABCDEF) == OKAY
        for strobes, value, expected in (
            (1, 0x11111111, 0x89ABCD11),
            (6, 0x22222222, 0x89222211),
            (8, 0x33333333, 0x33222211),
            (0, 0x44444444, 0x33222211),
        ):
            assert await pins.write(ctx, "SCRATCH", value, strobes) == OKAY
            assert await pins.read(ctx, "SCRATCH") == expected
        assert await pins.write(ctx, "CONTROL", 0) == OKAY
        assert await pins.read(ctx, "CONTROL") == 0
        assert await pins.read(ctx, "SCRATCH") == 0x33222211

    pins.run(drive)


def test_images_their_number_and_their_counters() -> None:
    pins = Pins()
    predicted = predict(PLAN, activity(NETWORK, IMAGES))

    async def drive(ctx: Any) -> None:
        assert await pins.read(ctx, "STATUS") == 0
        for image in STREAMS:
            await pins.send(ctx, image)
        await pins.idle(ctx)
        assert await pins.read(ctx, "IMAGES") == len(IMAGES)
        assert await pins.read(ctx, "BROKEN") == await pins.read(ctx, "ERRORS") == 0
        for layer in predicted.layers:
            for name in ("cycles", "events", "blocked"):
                expected = int(getattr(layer, name).sum())
                assert await pins.read(ctx, f"{layer.name}.{name}") == expected
        assert await pins.write(ctx, "PACKET", 3) == OKAY
        await pins.send(ctx, joined(STREAMS))
        await pins.idle(ctx)

    pins.run(drive)
    single = [value for logits in LOGITS for value in packet(logits)]
    assert pins.found == single + packet(joined(LOGITS))


def test_damaged_packets_are_reported_until_their_bit_is_cleared() -> None:
    pins = Pins()
    first = STREAMS[0]
    wide = [*first[:-1], first[-1] | 1 << PLAN.input.values.width]
    cut = np.zeros_like(np.array(first))
    cut[0] = first[0]
    as_image = np.moveaxis(cut.reshape(*IMAGES.shape[2:], IMAGES.shape[1]), -1, 0)[None]
    of_cut = Golden(NETWORK).run(as_image).logits.tolist()[0]

    async def drive(ctx: Any) -> None:
        cases = ((first[:1], SHORT), ([*first, 1, 1], LONG), (wide, RANGE))
        for broken, (values, error) in enumerate(cases, 1):
            await pins.send(ctx, values)
            await pins.idle(ctx)
            # Nothing is reset unless the bit for it is written.
            assert await pins.write(ctx, "CONTROL", 2) == OKAY
            assert await pins.write(ctx, "CONTROL", 1, strobes=14) == OKAY
            assert await pins.read(ctx, "ERRORS") == error
            assert await pins.read(ctx, "BROKEN") == broken
            assert await pins.write(ctx, "ERRORS", 7 ^ error) == OKAY
            assert await pins.write(ctx, "ERRORS", 7, strobes=14) == OKAY
            assert await pins.read(ctx, "ERRORS") == error
            assert await pins.write(ctx, "ERRORS", error) == OKAY
            assert await pins.read(ctx, "ERRORS") == 0
        # One image that is damaged marks the end of its packet, whichever it is.
        assert await pins.write(ctx, "PACKET", 2) == OKAY
        for pair in (wide + first, first + wide, first + first):
            await pins.send(ctx, pair)
        await pins.idle(ctx)
        assert await pins.write(ctx, "PACKET", 1) == OKAY
        await pins.send(ctx, first[:1])
        await pins.idle(ctx)
        assert await pins.write(ctx, "CONTROL", 1) == OKAY
        await pins.idle(ctx)
        for name in ("ERRORS", "BROKEN", "IMAGES"):
            assert await pins.read(ctx, name) == 0

    pins.run(drive)
    expected = [packet(logits, 1) for logits in (of_cut, LOGITS[0], LOGITS[0])]
    expected += [packet(LOGITS[0] * 2, user) for user in (1, 1, 0)]
    assert pins.found == joined([*expected, packet(of_cut, 1)])


def test_a_packet_that_is_half_in_keeps_it_busy_until_it_is_skipped() -> None:
    pins = Pins()
    busy, opened = 1, 2

    async def drive(ctx: Any) -> None:
        await pins.send(ctx, STREAMS[0][:2], last=False)
        assert await pins.read(ctx, "STATUS") == busy | opened
        assert await pins.write(ctx, "PACKET", 2) == SLVERR
        assert await pins.write(ctx, "CONTROL", 3) == OKAY
        # The source goes on with its packet, which is left out.
        await pins.send(ctx, STREAMS[0][2:])
        await pins.idle(ctx)
        assert await pins.read(ctx, "ERRORS") == await pins.read(ctx, "IMAGES") == 0
        await pins.send(ctx, STREAMS[1])
        await pins.idle(ctx)
        # Without skip, what comes after a reset is the beginning of an image.
        await pins.send(ctx, STREAMS[0][:2], last=False)
        assert await pins.write(ctx, "CONTROL", 1) == OKAY
        await pins.tick(ctx, 20)
        assert await pins.read(ctx, "STATUS") == busy | opened
        await pins.send(ctx, STREAMS[2])
        await pins.idle(ctx)

    pins.run(drive)
    assert pins.found == packet(LOGITS[1]) + packet(LOGITS[2])


def test_logits_wait_until_they_are_taken() -> None:
    pins = Pins()

    async def drive(ctx: Any) -> None:
        pins.taking = False
        await pins.send(ctx, STREAMS[0])
        await pins.tick(ctx, 200)
        assert pins.found == []
        assert ctx.get(pins.dut.m_axis_tvalid)
        pins.taking = True
        await pins.idle(ctx)

    pins.run(drive)
    assert pins.found == packet(LOGITS[0])
