"""The link under fire: the real client and the link's Verilog, with damaged frames between them.

``python -m support.link.verilated FRAMES`` (``make fire``) damages at least that many frames and
prints the :class:`Outcome`. It fails if the link hangs.
"""

from __future__ import annotations

import contextlib
import random
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import verilog
from amaranth.lib import wiring

from spikeloom.sim import program
from spikeloom.sw.errors import LinkError
from spikeloom.sw.link import Client, State, unpack_words
from support.link.board import damaged
from support.link.stub import BAUD, CLOCK, StubDevice, stub_logits, stub_plan, stub_record

PINS = Path(__file__).with_name("pins.cpp")
_CYCLES = CLOCK // BAUD


def build(dut: wiring.Component, folder: Path) -> Path:
    """Return a program that simulates ``dut``, and is controlled through pipes (``pins.cpp``)."""
    text = verilog.convert(dut, name="device", emit_src=False)
    defines = {"CYCLES_PER_BIT": _CYCLES}
    return program.build("device", {"device.v": text}, PINS.read_text(), folder, defines=defines)


class VerilatedBoard:
    """Line to a built device, in simulated time, that damages the data.

    Data for the device is damaged in its bytes or in the levels of the pin; data from the device is
    damaged in its bytes.

    Parameters
    ----------
    program : Path
        Program that :func:`build` made.
    rate : float
        Probability that a frame is damaged.
    seed : int
        Seed of the random damage.

    Attributes
    ----------
    frames, hurt : int
        Frames so far, and those of them that were damaged.
    """

    def __init__(self, program: Path, rate: float, seed: int) -> None:
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rate, self.random = rate, random.Random(seed)
        self.late: list[bytes] = []
        self.now = 0
        self.frames = self.hurt = 0
        self.arrived = bytearray()
        self._levels = [
            b"".join(bytes([bit]) * _CYCLES for bit in (0, *(byte >> k & 1 for k in range(8)), 1))
            for byte in range(256)
        ]

    def time(self) -> float:
        return self.now / CLOCK

    def write(self, data: bytes) -> None:
        self.frames += 1
        levels = self.levels(data)
        if self.random.random() < self.rate:
            self.hurt += 1
            if self.random.random() < 0.5:
                levels = self.levels(damaged(data, self.random, self.late))
            else:
                levels = self.pulses(levels)
        self.simulate(levels, 0)

    def read(self, timeout: float) -> bytes:
        noise = b""
        if self.random.random() < self.rate / 8:
            noise = self.levels(self.random.randbytes(self.random.randrange(1, 9)))
            noise = noise[self.random.randrange(40) :]
        self.simulate(noise, max(1, round(timeout * CLOCK)))
        data, self.arrived = bytes(self.arrived), bytearray()
        if data:
            self.frames += 1
            if self.random.random() < self.rate:
                self.hurt += 1
                return damaged(data, self.random, self.late)
        return data

    def close(self) -> None:
        self.process.communicate(timeout=10)

    def levels(self, data: bytes) -> bytes:
        return b"".join(self._levels[byte] for byte in data)

    def pulses(self, levels: bytes) -> bytes:
        """Return damaged levels: wrong, lost or repeated, for less or more than a bit's time."""
        found = bytearray(levels)
        for _ in range(self.random.randrange(1, 4)):
            start = self.random.randrange(len(found))
            end = start + self.random.randrange(1, 30)
            what = self.random.randrange(4)
            if what == 0:
                found[start:end] = bytes(len(found[start:end]))
            elif what == 1:
                found[start:end] = b"\1" * len(found[start:end])
            elif what == 2:
                del found[start:end]
            else:
                found[start:start] = found[start:end]
        return bytes(found)

    def simulate(self, levels: bytes, most: int) -> None:
        """Send levels to the device, and simulate for ``most`` cycles or until it has sent."""
        pipe_in, pipe_out = self.process.stdin, self.process.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        pipe_in.write(struct.pack("<II", most, len(levels)) + levels)
        pipe_in.flush()
        cycles, count = struct.unpack("<II", pipe_out.read(8))
        self.now += cycles
        self.arrived += pipe_out.read(count)


@dataclass
class Outcome:
    """Result of :func:`under_fire`."""

    #: All frames, and those that were damaged.
    frames: int
    damaged: int
    #: Images that were computed, and wrong results, of images and of counts.
    images: int
    wrong: int
    #: Records of counts that were read.
    counts: int
    #: Requests, and whole images, that the client sent again.
    resent: int
    repeated: int
    #: Bursts of damage, and those after which the first request had to be sent again.
    bursts: int
    slow: int
    #: Simulated clock cycles.
    cycles: int


def under_fire(program: Path, frames: int, rate: float, seed: int = 0) -> Outcome:
    """Compute random images until ``frames`` frames were damaged.

    After each burst of 20 images with damage there is a request without.

    Raises
    ------
    LinkError
        If a request was never answered, as the link hangs.
    """
    plan = stub_plan()
    chance = random.Random(seed)
    board = VerilatedBoard(program, rate, seed)
    client = Client(board, timeout=4e-4, attempts=500, image_timeout=1.0, clock=board.time)
    seen = Outcome(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    while board.hurt < frames:
        board.rate = rate
        batch = [bytes(chance.randbytes(plan.transfers)) for _ in range(20)]
        for image, result in zip(batch, client.infer(batch), strict=True):
            seen.images += 1
            seen.wrong += list(result.logits(2)) != stub_logits(list(image))
        with contextlib.suppress(LinkError):
            record = plan.records[0]
            words = client.counts(0, batch[-1])
            values = unpack_words(words, record.bytes, record.lanes, 8, True).tolist()
            seen.counts += 1
            seen.wrong += values != stub_record(list(batch[-1]))
        # Without damage, the first flag of the next frame ends one that was cut short.
        board.rate = 0
        seen.bursts += 1
        before = client.traffic.resent
        status = client.status()
        seen.slow += client.traffic.resent != before
        assert {status.bank0, status.bank1} <= set(State)
    board.close()
    seen.frames, seen.damaged, seen.cycles = board.frames, board.hurt, board.now
    seen.resent, seen.repeated = client.traffic.resent, client.traffic.repeated
    return seen


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(under_fire(build(StubDevice(stub_plan()), Path(name)), int(sys.argv[1]), 0.25))
