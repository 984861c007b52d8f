"""The whole device side, against the host's, with a stand-in for the accelerator."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.hw.components import plan_of, small_plan
from support.link.board import SimulatedBoard
from support.link.stub import SLOW, StubDevice, stub_logits, stub_plan, stub_record
from support.link.verilated import VerilatedBoard, build, under_fire

from spikeloom.hw.link import LinkPlan
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.link import Client, Decoder, Message, RefusedError, State, encode, unpack_words
from spikeloom.sw.link.messages import (
    AskCounts,
    AskResult,
    AskStatus,
    Reason,
    Run,
    Status,
    Write,
    content,
    parse,
)
from spikeloom.sw.network import Linear

pytestmark = pytest.mark.xdist_group("link")

PLAN = stub_plan()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(StubDevice(PLAN), tmp_path_factory.mktemp("link"))


@pytest.fixture
def board(program: Path) -> Iterator[VerilatedBoard]:
    found = VerilatedBoard(program, 0, 0)
    yield found
    found.close()


def client_of(board: VerilatedBoard) -> Client:
    return Client(board, timeout=1e-3, clock=board.time, image_timeout=1)


def images(count: int) -> list[bytes]:
    chance = random.Random(count)
    return [chance.randbytes(PLAN.image_bytes) for _ in range(count)]


class TestDevice:
    def test_identity(self, board: VerilatedBoard) -> None:
        client = client_of(board)
        assert client.identity == PLAN.identity
        client.require(PLAN.digest)

    def test_results_counts_and_counters(self, board: VerilatedBoard) -> None:
        client = client_of(board)
        batch = images(7)
        results = list(client.infer(batch))
        assert [list(r.logits(2)) for r in results] == [stub_logits(list(x)) for x in batch]
        # The values, their way through the link, and 64 cycles of thought.
        assert all(70 < r.cycles < 100 for r in results)
        assert client.counters() == (7, 7 * PLAN.transfers)
        words = client.counts(0, batch[-1])
        assert unpack_words(words, 2, 2, 8, True).tolist() == stub_record(list(batch[-1]))
        traffic = client.traffic
        assert (traffic.resent, traffic.stray, traffic.repeated) == (0, 0, 0)
        assert client.status().damaged == client.status().dropped == 0

    @pytest.mark.parametrize(
        ("request_", "reason"),
        [
            (Write(2, 0, b"x"), Reason.RANGE),
            (Write(0, PLAN.image_bytes, b"x"), Reason.RANGE),
            (Write(0, 0xFFFFFFFF, b"x"), Reason.RANGE),
            (Write(0, PLAN.image_bytes - 1, b"xy"), Reason.RANGE),
            (Write(0, 0, b""), Reason.LENGTH),
            (Run(2, 0), Reason.RANGE),
            (AskResult(2), Reason.RANGE),
            (AskCounts(1, 0, 1), Reason.RANGE),
            (AskCounts(0, 0, 0), Reason.RANGE),
            (AskCounts(0, 3, 1), Reason.RANGE),
            (AskCounts(0, 0xFFFFFFFF, 2), Reason.RANGE),
            (AskCounts(0, 0, 3), Reason.NOTHING),
        ],
    )
    def test_refusals(self, board: VerilatedBoard, request_: Message, reason: Reason) -> None:
        with pytest.raises(RefusedError) as caught:
            client_of(board).exchange([request_])
        assert caught.value.reason == reason

    @pytest.mark.parametrize(
        ("body", "reply"),
        [
            ("02 01 34 12", "01 ff 34 12 01 01"),
            ("02 03 34 12 00 00 00 00 00 00", "01 ff 34 12 01 03"),
            ("01 70 34 12", "01 ff 34 12 02 70"),
            ("01 88 34 12 00", "01 ff 34 12 02 88"),
            ("01 01 34 12 00", "01 ff 34 12 03 01"),
            ("01 04 34 12 00 00 00 00", "01 ff 34 12 03 04"),
            ("01 07 34 12" + " 00" * 300, None),
            ("01 05 34 12" + " 00" * 40, "01 ff 34 12 03 05"),
            ("01 08 34 12", "01 88 34 12"),
            ("01 02 34 12", "01 82 34 12 00 00 00 00 00 00"),
        ],
    )
    def test_bytes_for_bytes(self, board: VerilatedBoard, body: str, reply: str | None) -> None:
        board.write(encode(bytes.fromhex(body)))
        found = Decoder().feed(board.read(2e-3))
        assert found == ([] if reply is None else [bytes.fromhex(reply)])
        assert client_of(board).status().dropped == (reply is None)

    def test_banks(self, board: VerilatedBoard) -> None:
        client = client_of(board)
        first, second = images(2)
        client.write(0, first)
        assert client.result(0).state == State.EMPTY
        client.run(0, first)
        while client.result(0).state != State.DONE:
            pass
        # Asked for once more, it is not computed once more; another bank's image does not matter.
        client.run(0, first)
        client.write(1, second)
        assert client.result(0).state == State.DONE
        assert client.counters()[0] == 1
        client.write(0, second)
        assert client.result(0).state == State.EMPTY
        client.reset()
        assert client.counters() == (0, 0)

    def test_busy_and_reset(self, board: VerilatedBoard) -> None:
        client = client_of(board)
        slow = bytes([SLOW]) + images(1)[0][1:]
        (quick,) = images(1)
        client.write(0, slow)
        client.write(1, quick)
        client.run(0, slow)
        # Asked for once more, it goes on; the other bank waits, and is not written either.
        client.run(0, slow)
        client.run(1, quick)
        for request in (Write(0, 0, b"x"), Write(1, 0, b"x"), AskCounts(0, 0, 1)):
            with pytest.raises(RefusedError) as caught:
                client.exchange([request])
            assert caught.value.reason == Reason.BUSY
        assert client.status().bank0 == client.status().bank1 == State.RUNNING
        client.reset()
        assert client.status().bank0 == client.status().bank1 == State.EMPTY
        results = list(client.infer([quick, slow, slow, quick]))
        expected = [stub_logits(list(x)) for x in (quick, slow, slow, quick)]
        assert [list(r.logits(2)) for r in results] == expected
        assert client.counters()[0] == 4


def test_frames_that_are_damaged_or_find_no_room_are_counted() -> None:
    plan = stub_plan(1, counters=(), records=(), receive=16, chunk=1)
    board = SimulatedBoard(StubDevice(plan), plan.clock, plan.baud)
    decoder = Decoder()
    found: list[bytes] = []
    for number, wrong in enumerate((b"", b"~damaged~", encode(bytes(17)), b"~again~")):
        board.write(wrong + encode(content(AskStatus(), number)))
        while len(found) <= number:
            found += decoder.feed(board.read(1e-3))
    statuses = [parse(whole)[0] for whole in found]
    assert statuses == [Status(0, 0, *counts) for counts in ((0, 0), (1, 0), (1, 1), (2, 1))]


def test_under_fire(program: Path) -> None:
    outcome = under_fire(program, 1_000, 0.25)
    assert outcome.damaged >= 1_000
    assert outcome.images > 200
    assert outcome.counts > outcome.bursts / 2
    assert outcome.wrong == 0
    assert outcome.slow == 0


class TestPlan:
    def test_of_an_accelerator(self) -> None:
        plan = small_plan()
        link = LinkPlan.of(plan, 12_000_000, 115_200, records=["layer"])
        assert link.counters[:2] == ("layer.cycles", "layer.events")
        assert (link.value_bits, link.image_bytes, link.classes) == (4, 2, 1)
        assert link.description()["records"][0]["layer"] == "layer"

    def test_the_pace_of_the_line(self) -> None:
        link = LinkPlan.of(small_plan(), 12_000_000, 3_000_000, receive=64, chunk=1)
        # Two bytes in two pieces. A frame has two flags, a header of 4 bytes and a CRC of 4.
        frame = 2 + 4 + 4
        there = 2 * (frame + 5 + 1) + (frame + 5) + (frame + 1)
        back = 3 * frame + frame + 11 + link.logit_bytes
        assert (link.image_bytes, there > back) == (2, True)
        assert link.pace == 3_000_000 / (10 * there)

    def test_refusals(self) -> None:
        plan = small_plan()
        with pytest.raises(ConfigError, match=r"^records: there is no layer 'x', only layer, sum$"):
            LinkPlan.of(plan, 4, 1, records=["x"])
        with pytest.raises(ConfigError, match=r"^baud must be from 1 to 3000000, not 3000001$"):
            LinkPlan.of(plan, 100_000_000, 3_000_001)
        with pytest.raises(ConfigError, match=r"^9600 baud need a clock of at least 38400 Hz, not"):
            LinkPlan.of(plan, 38_399, 9_600)
        with pytest.raises(ConfigError, match=r"^receive must be a power of two, not 100$"):
            LinkPlan.of(plan, 4, 1, receive=100)
        with pytest.raises(ConfigError, match=r"^chunk must be from 1 to 55, as receive = 64 says"):
            LinkPlan.of(plan, 4, 1, receive=64, chunk=56)
        with pytest.raises(ConfigError, match=r"^chunk must be from 1 to -7, as receive = 2 says"):
            LinkPlan.of(plan, 4, 1, receive=2, chunk=1)
        with pytest.raises(ConfigError, match=r"^a link carries up to 65535 logits, not 65536$"):
            dataclasses.replace(PLAN, classes=65536)
        with pytest.raises(ConfigError, match=r"^a link keeps up to 255 layers, not 256$"):
            dataclasses.replace(PLAN, records=PLAN.records * 256)
        bare = plan_of((3,), Linear(np.ones((1, 3), np.int64)))
        with pytest.raises(
            ConfigError, match=r"^records need an accelerator that was planned with"
        ):
            LinkPlan.of(bare, 4, 1, records=["layer"])
