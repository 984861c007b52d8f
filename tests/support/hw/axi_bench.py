"""cocotb tests of an accelerator on AXI, which run inside the simulator.

``tests/hw/axi/test_cocotb.py`` starts them, and writes ``job.json`` to the simulator's folder:
images, the golden model's results, and registers and cycles from the plan.
"""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

PERIOD = 2
JOB = json.loads(Path("job.json").read_text()) if Path("job.json").exists() else {}


class Bench:
    """Bench around the accelerator: cocotbext-axi's stream source and sink, and AXI-Lite master."""

    def __init__(self, dut: Any, pause: float = 0.0, seed: int = 0) -> None:
        self.dut, self.random = dut, random.Random(seed)
        Clock(dut.aclk, PERIOD, "ns").start()
        dut.aresetn.value = 0
        dut.s_axi_awprot.value = 0
        dut.s_axi_arprot.value = 0
        common = {"clock": dut.aclk, "reset": dut.aresetn, "reset_active_level": False}
        lanes = {"byte_lanes": 1}  # a value, or a logit, is one
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), **common, **lanes)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), **common, **lanes)
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), **common)
        if pause:
            write, read = self.lite.write_if, self.lite.read_if
            for channel in (
                self.source, self.sink,
                write.aw_channel, write.w_channel, write.b_channel,
                read.ar_channel, read.r_channel,
            ):  # fmt: skip
                channel.set_pause_generator(self.pauses(pause))
        self.at = {name: register["offset"] for name, register in JOB["registers"].items()}

    def pauses(self, share: float) -> Any:
        """Return pauses of random lengths, with longer times without any."""
        return (
            paused
            for _ in itertools.count()
            for paused in [self.random.random() < share] * self.random.choice([1, 1, 2, 7, 40])
        )

    async def start(self) -> None:
        await ClockCycles(self.dut.aclk, 4)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 2)

    async def reset(self) -> None:
        self.dut.aresetn.value = 0
        await self.start()

    async def read(self, name: str) -> int:
        found = await self.lite.read(self.at[name], 4)
        assert found.resp == AxiResp.OKAY, name
        return int.from_bytes(found.data, "little")

    async def write(self, name: str, value: int) -> AxiResp:
        answer = await self.lite.write(self.at[name], value.to_bytes(4, "little"))
        return answer.resp

    async def send(self, values: list[int]) -> None:
        await self.source.send(AxiStreamFrame(values))

    async def receive(self) -> tuple[list[int], bool]:
        """Return the logits of a packet, and whether it is marked as damaged."""
        frame = await with_timeout(self.sink.recv(), JOB["timeout_cycles"] * PERIOD, "ns")
        values = [x - (1 << 32) if x >> 31 else x for x in frame.tdata]
        user = frame.tuser if isinstance(frame.tuser, list) else [frame.tuser]
        return values, bool(user[-1])

    async def settle(self) -> None:
        """Wait until the accelerator is idle, and require that no packet is left over."""
        for _ in range(JOB["timeout_cycles"]):
            if not await self.read("STATUS"):
                break
        else:
            raise AssertionError("it stays busy")
        await ClockCycles(self.dut.aclk, 50)
        assert self.sink.empty()


def joined(parts: list[list[int]]) -> list[int]:
    return [value for part in parts for value in part]


class Steady:
    """Checker of AXI's rule that a valid payload stays the same until it is taken."""

    def __init__(self, dut: Any, valid: str, ready: str, *payload: str) -> None:
        self.names = (valid, ready, *payload)
        cocotb.start_soon(self.watch(dut))

    async def watch(self, dut: Any) -> None:
        valid, ready, *payload = (getattr(dut, name) for name in self.names)
        before = None
        while True:
            await RisingEdge(dut.aclk)
            if not dut.aresetn.value:
                before = None
                continue
            now = [int(signal.value) for signal in payload] if valid.value else None
            assert before is None or now == before, (self.names[0], before, now)
            before = None if now is None or ready.value else now


def steady(dut: Any) -> None:
    Steady(dut, "m_axis_tvalid", "m_axis_tready", "m_axis_tdata", "m_axis_tlast", "m_axis_tuser")
    Steady(dut, "s_axi_rvalid", "s_axi_rready", "s_axi_rdata", "s_axi_rresp")
    Steady(dut, "s_axi_bvalid", "s_axi_bready", "s_axi_bresp")


@cocotb.test()
async def facts(dut: Any) -> None:
    """Every constant register has its value, read in any order and with pauses."""
    bench = Bench(dut, pause=0.4, seed=1)
    steady(dut)
    await bench.start()
    for name, register in JOB["registers"].items():
        if register["value"] is not None:
            assert await bench.read(name) == register["value"], name
    digest = b"".join([(await bench.read(f"DIGEST{k}")).to_bytes(4, "little") for k in range(8)])
    assert digest.hex() == JOB["digest"]
    assert await bench.read("PACKET") == 1


@cocotb.test()
async def counters(dut: Any) -> None:
    """Several images without pauses, and one alone, take the predicted number of cycles."""
    bench = Bench(dut)
    await bench.start()
    await bench.send(JOB["images"][0])
    assert await bench.receive() == (JOB["logits"][0], False)
    assert await bench.read("CYCLES") == JOB["latency"]
    assert await bench.write("CONTROL", 1) == AxiResp.OKAY
    await bench.settle()
    for name in JOB["counters"]:
        if not name.endswith(".starved"):
            assert await bench.read(name) == 0, name
    for image in JOB["images"]:
        await bench.send(image)
    for logits in JOB["logits"]:
        assert await bench.receive() == (logits, False)
    for name, value in JOB["counters"].items():
        if not name.endswith(".starved"):
            assert await bench.read(name) == value, name
    assert await bench.read("IMAGES") == len(JOB["images"])
    assert await bench.read("BROKEN") == await bench.read("ERRORS") == 0


@cocotb.test()
async def images_with_few_pauses(dut: Any) -> None:
    """Logits are golden's despite pauses, with one or several images in a packet."""
    await images(dut, 0.1)


@cocotb.test()
async def images_with_many_pauses(dut: Any) -> None:
    """The same when every channel pauses most of the time."""
    await images(dut, 0.8)


async def images(dut: Any, share: float) -> None:
    bench = Bench(dut, pause=share, seed=2)
    steady(dut)
    await bench.start()
    assert len(JOB["images"]) % 3 == 0, "so that each image is sent twice"
    for size in (1, 3):
        assert await bench.write("PACKET", size) == AxiResp.OKAY
        starts = range(0, len(JOB["images"]), size)
        for k in starts:
            await bench.send(joined(JOB["images"][k : k + size]))
        for k in starts:
            assert await bench.receive() == (joined(JOB["logits"][k : k + size]), False)
            assert await bench.read("ID") == JOB["registers"]["ID"]["value"]
        await bench.settle()
    assert await bench.read("IMAGES") == 2 * len(JOB["images"])
    # Pauses change the times of events, but not their number.
    for name, value in JOB["counters"].items():
        if name.endswith(".events"):
            assert await bench.read(name) == 2 * value, name
    assert await bench.read("ERRORS") == 0


@cocotb.test()
async def damaged(dut: Any) -> None:
    """Packets that are too short or long, or hold too large values, are answered and reported."""
    bench = Bench(dut, pause=0.3, seed=3)
    steady(dut)
    await bench.start()
    size, limit = len(JOB["images"][0]), 1 << JOB["bits"]
    broken = 0
    for k in range(20):
        kind = bench.random.choice(["good", "short", "long", "range"])
        index = bench.random.randrange(len(JOB["images"]))
        image, logits = JOB["images"][index], JOB["logits"][index]
        wanted = 0
        if kind == "short":
            cut = bench.random.randrange(1, size)
            image, wanted = image[:cut], 1
            logits = JOB["cut"][index][cut]
        elif kind == "long":
            image, wanted = image + [1] * bench.random.randrange(1, 2 * size), 2
        elif kind == "range":
            place = bench.random.randrange(size)
            image, wanted = list(image), 4
            image[place] += limit
        await bench.send(image)
        assert await bench.receive() == (logits, wanted != 0), (k, kind)
        await bench.settle()
        assert await bench.read("ERRORS") == wanted, kind
        broken += wanted != 0
        assert await bench.read("BROKEN") == broken
        # Clearing another bit, or another byte, changes nothing.
        assert await bench.write("ERRORS", ~wanted & 0xFFFFFFFF) == AxiResp.OKAY
        assert (await bench.lite.write(bench.at["ERRORS"] + 1, b"\xff\xff")).resp == AxiResp.OKAY
        assert await bench.read("ERRORS") == wanted
        assert await bench.write("ERRORS", wanted) == AxiResp.OKAY
        assert await bench.read("ERRORS") == 0
    # A packet of three that is cut within the second image.
    assert await bench.write("PACKET", 3) == AxiResp.OKAY
    await bench.send(JOB["images"][0] + JOB["images"][1][:5])
    expected = JOB["logits"][0] + JOB["cut"][1][5] + JOB["cut"][1][0]
    assert await bench.receive() == (expected, True)
    await bench.settle()
    assert await bench.read("BROKEN") == broken + 2
    await bench.send(joined(JOB["images"]))
    assert await bench.receive() == (joined(JOB["logits"]), False)


@cocotb.test()
async def resets(dut: Any) -> None:
    """After a reset at any time, a packet in the output is completed, and the next one is right."""
    bench = Bench(dut, pause=0.3, seed=4)
    steady(dut)
    await bench.start()
    seen: set[str] = set()
    for k in range(40):
        # During an image, or during its logits.
        await bench.send(JOB["images"][0])
        await bench.send(JOB["images"][1])
        if k % 4 == 1:
            # The packet waits half out until it is reset: by chance, that would be seldom.
            await first_logit(dut)
            bench.sink.clear_pause_generator()
            bench.sink.pause = True
        else:
            await ClockCycles(dut.aclk, bench.random.randrange(4 * JOB["latency"]))
        if k % 4 == 3:
            await bench.reset()
            bench.source.clear()
            bench.sink.clear()
        else:
            # With `skip`, the source goes on with the packet that it was sending.
            assert await bench.write("CONTROL", 3) == AxiResp.OKAY
            await bench.source.wait()
            bench.sink.set_pause_generator(bench.pauses(0.3))
        await drained(bench, k % 4 == 3, seen)
        await bench.send(JOB["images"][2])
        assert await bench.receive() == (JOB["logits"][2], False), k
        await bench.settle()
    assert seen == {"whole", "completed", "nothing"}, seen


async def first_logit(dut: Any) -> None:
    """Wait until the first logit of a packet is taken."""
    while True:
        await RisingEdge(dut.aclk)
        if dut.m_axis_tvalid.value and dut.m_axis_tready.value:
            return


async def drained(bench: Bench, hard: bool, seen: set[str]) -> None:
    """Receive the rest of images 0 and 1, and require that it is one of the allowed results."""
    for _ in range(JOB["timeout_cycles"]):
        if not await bench.read("STATUS"):
            break
    await ClockCycles(bench.dut.aclk, 200)
    if hard:
        bench.sink.clear()
        return
    found = 0
    while not bench.sink.empty():
        values, broken = await bench.receive()
        assert len(values) == len(JOB["logits"][0])
        if broken:
            wanted = JOB["logits"]
            begun = next((n for n, v in enumerate(reversed(values)) if v), len(values))
            kept = values[: len(values) - begun]
            assert any(kept == logits[: len(kept)] for logits in wanted[:2])
            seen.add("completed")
        else:
            assert values in JOB["logits"][:2]
            seen.add("whole")
        found += 1
    if not found:
        seen.add("nothing")


@cocotb.test()
async def unmapped(dut: Any) -> None:
    """Accesses to missing registers, and writes to read-only ones, are refused without effect."""
    bench = Bench(dut, pause=0.3, seed=5)
    steady(dut)
    await bench.start()
    mapped = {register["offset"]: register for register in JOB["registers"].values()}
    free = [a for a in range(0, 1 << JOB["address_bits"], 4) if a not in mapped]
    for address in [*free[:3], *bench.random.sample(free, 40), free[-1]]:
        found = await bench.lite.read(address, 4)
        assert (found.resp, found.data) == (AxiResp.SLVERR, bytes(4)), hex(address)
        assert (await bench.lite.write(address, b"\xff" * 4)).resp == AxiResp.SLVERR
    for address, register in mapped.items():
        if register["access"] == "ro":
            before = await bench.lite.read(address, 4)
            assert (await bench.lite.write(address, b"\xff" * 4)).resp == AxiResp.SLVERR
            if register["value"] is not None:
                assert (await bench.lite.read(address, 4)).data == before.data
    for wrong in (0, 1 << 16, 0xFFFFFFFF):
        assert await bench.write("PACKET", wrong) == AxiResp.SLVERR
    assert await bench.read("PACKET") == 1
    # Byte by byte.
    expected = bytearray(4)
    for _ in range(30):
        first = bench.random.randrange(4)
        data = bench.random.randbytes(bench.random.randrange(1, 5 - first))
        expected[first : first + len(data)] = data
        await bench.lite.write(bench.at["SCRATCH"] + first, data)
        assert await bench.read("SCRATCH") == int.from_bytes(expected, "little")
    assert await bench.write("CONTROL", 0) == AxiResp.OKAY
    assert await bench.read("CONTROL") == 0
    # PACKET is refused while an image is half in.
    bench.source.pause = False
    bench.source.clear_pause_generator()
    await bench.send(JOB["images"][0])
    await RisingEdge(dut.s_axis_tvalid)
    bench.sink.clear_pause_generator()
    bench.sink.pause = True
    assert await bench.write("PACKET", 2) == AxiResp.SLVERR
    bench.sink.pause = False
    assert await bench.receive() == (JOB["logits"][0], False)
