"""Boards for a host to talk to: hardware in Amaranth's simulator, and a model of the protocol."""

from __future__ import annotations

import random
import struct
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from amaranth.lib import wiring
from amaranth.sim import Simulator

from spikeloom.sw.link import Client, Decoder, encode
from spikeloom.sw.link.frames import FLAG


class Uart:
    """Receiver of a UART, fed with the pin's level in each clock cycle.

    Written independently of the hardware.
    """

    def __init__(self, cycles: float) -> None:
        self.cycles = cycles
        self.data = bytearray()
        self._levels: list[int] = []

    def feed(self, level: int) -> None:
        if not self._levels and level:
            return
        self._levels.append(level)
        if len(self._levels) >= 9.5 * self.cycles + 1:
            bits = [self._levels[int((k + 0.5) * self.cycles)] for k in range(10)]
            assert bits[0] == 0, "no start bit"
            assert bits[9] == 1, "no stop bit"
            self.data.append(sum(bit << k for k, bit in enumerate(bits[1:9])))
            self._levels.clear()

    @staticmethod
    def levels(data: bytes, cycles: float) -> list[int]:
        """Return the pin's levels, one for each clock cycle, that transmit ``data``."""
        bits = [b for x in data for b in (0, *(x >> k & 1 for k in range(8)), 1)]
        found: list[int] = []
        for position, bit in enumerate(bits):
            found += [bit] * (round((position + 1) * cycles) - len(found))
        return found


class SimulatedBoard:
    """Line to a component with pins ``rx`` and ``tx``, in simulated time.

    Attributes
    ----------
    damage_levels : callable
        Changes the levels of each write; does nothing unless it is replaced.
    damage_bytes : callable
        Changes the bytes of each read; does nothing unless it is replaced.
    """

    def __init__(self, dut: wiring.Component, clock: int, baud: int) -> None:
        self.clock, self.cycles = clock, clock / baud
        self.levels: deque[int] = deque()
        self.uart = Uart(self.cycles)
        self.now = 0
        self.damage_levels: Callable[[list[int]], list[int]] = list
        self.damage_bytes: Callable[[bytes], bytes] = bytes
        self.simulator = Simulator(dut)
        self.simulator.add_clock(1 / clock)

        async def pins(ctx: Any) -> None:
            self.context = ctx
            async for _, _, tx in ctx.tick().sample(dut.tx):
                self.now += 1
                self.uart.feed(tx)
                ctx.set(dut.rx, self.levels.popleft() if self.levels else 1)

        self.simulator.add_testbench(pins, background=True)

    def time(self) -> float:
        return self.now / self.clock

    def write(self, data: bytes) -> None:
        self.levels += self.damage_levels(Uart.levels(data, self.cycles))

    def read(self, timeout: float) -> bytes:
        end = self.now + max(1, round(timeout * self.clock))
        while self.now < end:
            step = min(end - self.now, int(20 * self.cycles))
            self.simulator.run_until((self.now + step) / self.clock)
            if self.uart.data:
                break
        data, self.uart.data = bytes(self.uart.data), bytearray()
        return self.damage_bytes(data)

    def peek(self, signal: Any) -> int:
        """Return the current value of a signal."""
        return int(self.context.get(signal))

    def close(self) -> None:
        pass


class ModelBoard:
    """Model of a board in Python, written from the protocol's page alone, with its own time.

    It is a line to itself. An image's logits are ``logits(image)``, which are ready when the
    host has asked for them ``delay`` times.
    """

    #: Bytes of an image, bytes of a logit, and number of logits.
    size, logit_bytes, classes = 7, 2, 3
    #: For each record, bytes of a word and number of words.
    records: Sequence[tuple[int, int]] = ((2, 4),)

    identity = struct.pack(
        "<32sIIIBHBBHHH", b"\x5a" * 32, 12_000_000, 7, 7, 8, 3, 2, 2, 3, 64, 2
    ) + struct.pack("<HI", 2, 4)

    def __init__(self, delay: int = 2) -> None:
        self.delay = delay
        self.now = 0.0
        self.outgoing: deque[bytes] = deque()
        self.decoder = Decoder(300)
        self.images = [bytearray(self.size), bytearray(self.size)]
        self.reset()

    def reset(self) -> None:
        self.state, self.wait = [0, 0], [0, 0]
        nothing = bytes(self.classes * self.logit_bytes)
        self.done: list[tuple[int, bytes]] = [(0, bytes(6) + nothing)] * 2
        self.last: bytes | None = None

    @staticmethod
    def logits(image: bytes) -> list[int]:
        return [sum(image) - 900, image[0] - image[1], zlib.crc32(image) % 1000 - 500]

    def counters(self) -> list[int]:
        return [7, 1 << 31]

    def words(self, record: int, image: bytes) -> bytes:
        return image + b"\0"

    def time(self) -> float:
        return self.now

    def write(self, data: bytes) -> None:
        self.now += len(data) * 3e-6
        for content in self.decoder.feed(data):
            self.outgoing.append(encode(self.answer(content)))

    def read(self, timeout: float) -> bytes:
        if not self.outgoing:
            self.now += timeout
            return b""
        data = self.outgoing.popleft()
        self.now += len(data) * 3e-6
        return data

    def close(self) -> None:
        pass

    def answer(self, content: bytes) -> bytes:
        version, kind, sequence = struct.unpack("<BBH", content[:4])
        body = content[4:]
        reason, reply = (1, b"") if version != 1 else self.serve(kind, body)
        if reason:
            return struct.pack("<BBHBB", 1, 0xFF, sequence, reason, kind)
        return struct.pack("<BBH", 1, kind | 0x80, sequence) + reply

    def serve(self, kind: int, body: bytes) -> tuple[int, bytes]:
        sizes = {1: 0, 2: 0, 3: 5, 4: 5, 5: 1, 6: 0, 7: 7, 8: 0}
        if kind not in sizes:
            return 2, b""
        if len(body) != sizes[kind] and not (kind == 3 and len(body) > 5):
            return 3, b""
        if kind == 3 and len(body) == 5:
            return 3, b""
        bank = body[0] if body else 0
        if kind in (3, 4, 5) and bank > 1:
            return 4, b""
        if kind == 1:
            return 0, self.identity
        if kind == 2:
            return 0, bytes(self.state) + struct.pack("<HH", self.decoder.damaged & 0xFFFF, 0)
        if kind == 3:
            (offset,) = struct.unpack("<I", body[1:5])
            return self.store(bank, offset, body[5:]), b""
        if kind == 4:
            self.run(bank, *struct.unpack("<I", body[1:]))
        if kind == 5:
            return 0, self.result(bank)
        if kind == 6:
            return 0, b"".join(struct.pack("<I", value) for value in self.counters())
        if kind == 7:
            return self.counts(*struct.unpack("<BIH", body))
        if kind == 8:
            self.reset()
        return 0, b""

    def store(self, bank: int, offset: int, data: bytes) -> int:
        if offset >= self.size:
            return 4
        if self.state[bank] == 1:
            return 5
        self.state[bank] = 0
        self.images[bank][offset : offset + len(data)] = data[: self.size - offset]
        return 4 if offset + len(data) > self.size else 0

    def run(self, bank: int, crc: int) -> None:
        if self.state[bank] == 1 or (self.state[bank] == 2 and self.done[bank][0] == crc):
            return
        self.state[bank], self.wait[bank] = 1, self.delay
        self.last = bytes(self.images[bank])

    def result(self, bank: int) -> bytes:
        if self.state[bank] == 1:
            self.wait[bank] -= 1
            if self.wait[bank] <= 0:
                image = bytes(self.images[bank])
                logits = self.logits(image)
                found = struct.pack("<IH", 77, logits.index(max(logits)))
                for logit in logits:
                    found += logit.to_bytes(self.logit_bytes, "little", signed=True)
                self.done[bank] = (zlib.crc32(image), found)
                self.state[bank] = 2
        crc, rest = self.done[bank]
        return struct.pack("<BI", self.state[bank], crc) + rest

    def counts(self, record: int, first: int, words: int) -> tuple[int, bytes]:
        if record >= len(self.records) or words == 0:
            return 4, b""
        size, number = self.records[record]
        if first + words > number:
            return 4, b""
        if 1 in self.state:
            return 5, b""
        if self.last is None:
            return 6, b""
        whole = self.words(record, self.last)[size * first : size * (first + words)]
        return 0, struct.pack("<I", zlib.crc32(self.last)) + whole


class Answers(ModelBoard):
    """A board that answers with whatever ``change`` makes of its reply's content."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.change = change

    def answer(self, content: bytes) -> bytes:
        return bytes(self.change(super().answer(content)))


class Fire:
    """Line that damages the data of another line.

    Parameters
    ----------
    inner : Line
        The other line.
    rate : float
        Probability that a write or read is damaged.
    seed : int
        Seed of the random damage.
    """

    def __init__(self, inner: Any, rate: float, seed: int) -> None:
        self.inner, self.rate = inner, rate
        self.random = random.Random(seed)
        self.late: list[bytes] = []
        self.damaged = 0
        self.passed = 0

    def write(self, data: bytes) -> None:
        self.inner.write(self.damage(data))

    def read(self, timeout: float) -> bytes:
        data = self.inner.read(timeout)
        if data:
            return self.damage(data)
        # Now and then noise, while the line should be quiet.
        return self.noise() if self.random.random() < self.rate / 4 else b""

    def close(self) -> None:
        self.inner.close()

    def noise(self) -> bytes:
        return bytes(
            self.random.choice((FLAG, 0x7D, self.random.randrange(256)))
            for _ in range(self.random.randrange(1, 12))
        )

    def damage(self, data: bytes) -> bytes:
        self.passed += 1
        if self.random.random() >= self.rate:
            return data
        self.damaged += 1
        return damaged(data, self.random, self.late)


def client_of(board: Any, **choices: Any) -> Client:
    """Return a client of a model board, perhaps under fire, by the clock of the board."""
    inner = board
    while isinstance(inner, Fire):
        inner = inner.inner
    return Client(board, timeout=0.01, clock=inner.time, **choices)


def damaged(data: bytes, chance: random.Random, late: list[bytes]) -> bytes:
    """Return damaged bytes: changed, lost, repeated or moved, as on a bad wire and beyond that.

    ``late`` keeps messages that can come again later.
    """
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        if not found:
            break
        place = chance.randrange(len(found))
        end = place + chance.randrange(1, 9)
        what = chance.randrange(10)
        if what == 0:
            found[place] ^= 1 << chance.randrange(8)
        elif what == 1:
            del found[place:end]
        elif what == 2:
            found[place:place] = found[place:end]
        elif what == 3:
            del found[place:]
        elif what == 4:
            del found[:place]
        elif what == 5:
            found[place:end] = chance.randbytes(len(found[place:end]))
        elif what == 6:
            found[place:end] = reversed(found[place:end])
        elif what == 7:
            found[place:place] = bytes([FLAG])
        elif what == 8:
            found += bytes(found)
        else:
            # A whole earlier message comes again.
            late.append(bytes(data))
            found[:0] = late[chance.randrange(len(late))]
            del late[:-4]
    return bytes(found)
