"""The server in simulation, with constant values in place of banks, counters and records."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from amaranth.back import verilog
from support.hw.components import STALLS, Bench
from support.link.stub import stub_plan

from spikeloom.hw.link import LinkPlan, RecordPlan
from spikeloom.hw.link.server import Server
from spikeloom.sw.link import Message, Record
from spikeloom.sw.link.messages import (
    AskCounters,
    AskCounts,
    AskResult,
    AskStatus,
    Cleared,
    Counters,
    Counts,
    Identify,
    Identity,
    Reason,
    Refusal,
    Reset,
    Result,
    Run,
    Started,
    State,
    Status,
    Write,
    Written,
    content,
)
from spikeloom.sw.network import Range

RECORDS = (
    RecordPlan("first", 2, Range(-128, 127), 3),
    RecordPlan("second", 1, Range(0, (1 << 20) - 1), 70),
)
PLAN = stub_plan(records=RECORDS)
SEQUENCE = 0x1234
#: By bank.
CRCS, CYCLES, LABELS = (0xDEADBEEF, 0x01020304), (70_000, 5), (2, 1)
LOGITS = ((-2, 0x1234, 32767), (-32768, 0, 7))
COUNTERS = (0xCAFE0001, 7)
#: By record.
WORDS = ([0x0102, 0xFFFE, 0x8000], [0xF0000 + 3 * k for k in range(70)])
LAST_CRC = 0x89ABCDEF
#: Signals of the banks, once both have results.
DONE: dict[str, Any] = {
    "done": 0b11,
    "crc": list(CRCS),
    "cycles": list(CYCLES),
    "label": list(LABELS),
    "fed": 4,
    "any": 1,
    "last_crc": LAST_CRC,
}
#: Signals of the banks while one is running, and the other has a result.
RUNNING = {bank: DONE | {"running": 1 << bank, "done": 2 >> bank} for bank in range(2)}


def counts(number: int) -> list[int]:
    """Return values of that many counters, of which no two are equal."""
    return [*COUNTERS, *(0xFEDCBA98 - 0x01010101 * k for k in range(number))][:number]


def served(
    requests: Sequence[Message | bytes],
    replies: Sequence[Message],
    banks: dict[str, Any] | None = None,
    *,
    plan: LinkPlan = PLAN,
    images: tuple[int, ...] = (4, 4),
    stall: float = 0.0,
) -> list[tuple[Any, ...]]:
    """Assert that requests have certain replies, and return the commands to banks and device.

    Sequence numbers count from ``SEQUENCE``.

    Parameters
    ----------
    requests : sequence of Message or bytes
        Bytes are a whole content.
    banks : dict, optional
        Values of the banks' signals; empty banks if left out.
    images : tuple of int
        Images that each record is complete for.

    Returns
    -------
    list of tuple
        ``("write", address, byte)``, ``("empty", bank)``, ``("run", bank)`` and ``("clear",)``.
    """
    dut = Server(plan)
    bench = Bench(dut)
    contents = [
        request if isinstance(request, bytes) else content(request, SEQUENCE + k)
        for k, request in enumerate(requests)
    ]
    bench.put(
        dut.i,
        [
            {"byte": byte, "last": int(place == len(whole) - 1)}
            for whole in contents
            for place, byte in enumerate(whole)
        ],
        stall,
    )
    expected = [
        {"byte": byte, "last": int(place == len(whole) - 1)}
        for whole in (content(reply, SEQUENCE + k) for k, reply in enumerate(replies))
        for place, byte in enumerate(whole)
    ]
    seen = bench.get(dut.o, len(expected), stall)
    bus = dut.banks
    watched = bench.watch(bus.write, bus.address, bus.byte, bus.bank, bus.empty, bus.run, dut.clear)

    async def constants(ctx: Any) -> None:
        for name, value in (banks or {}).items():
            ctx.set(getattr(bus, name), value)
        ctx.set(dut.damaged, 300)
        ctx.set(dut.dropped, 2)
        if plan.counters:
            ctx.set(dut.counters, counts(len(plan.counters)))
        for k in range(len(plan.records)):
            ctx.set(getattr(dut, f"images{k}"), images[k])

    async def memories(ctx: Any) -> None:
        async for _, _, logit, address in ctx.tick().sample(bus.logit_address, dut.address):
            bank, index = divmod(logit, 1 << plan.label_bits)
            ctx.set(bus.logit, LOGITS[bank][index] if index < plan.classes else 0)
            for k, record in enumerate(plan.records):
                word = WORDS[k][address] if address < record.transfers else 0
                ctx.set(getattr(dut, f"word{k}"), word)

    bench.simulator.add_testbench(constants)
    bench.simulator.add_process(memories)
    bench.run()
    assert seen == expected
    commands: list[tuple[Any, ...]] = []
    for write, address, byte, bank, empty, run, clear in watched:
        commands += [("write", address, byte)] * write + [("empty", bank)] * empty
        commands += [("run", bank)] * run + [("clear",)] * clear
    return commands


def logits(bank: int) -> bytes:
    return b"".join(value.to_bytes(2, "little", signed=True) for value in LOGITS[bank])


def result(bank: int, state: State) -> Result:
    return Result(state, CRCS[bank], CYCLES[bank], LABELS[bank], logits(bank))


@pytest.mark.parametrize("stall", STALLS)
def test_a_conversation(stall: float) -> None:
    requests = [AskStatus(), AskResult(1), AskCounters(), AskCounts(1, 68, 2), Identify()]
    table = Identity.table_of((Record(2, 3), Record(3, 70)))
    identity = Identity(b"\x5a" * 32, 12_000_000, 12, 12, 8, 3, 2, 2, 8, 64, 2, table)
    replies = [
        Status(State.DONE, State.DONE, 300, 2),
        result(1, State.DONE),
        Counters(b"\x01\x00\xfe\xca" + b"\x07\x00\x00\x00"),
        Counts(LAST_CRC, b"\xcc\x00\x0f" + b"\xcf\x00\x0f"),
        identity,
    ]
    assert served(requests, replies, DONE, stall=stall) == []


@pytest.mark.parametrize(
    ("running", "done", "states"),
    [
        (0b00, 0b00, (State.EMPTY, State.EMPTY)),
        (0b01, 0b10, (State.RUNNING, State.DONE)),
        (0b10, 0b01, (State.DONE, State.RUNNING)),
    ],
)
def test_states(running: int, done: int, states: tuple[State, State]) -> None:
    banks = DONE | {"running": running, "done": done}
    replies = [Status(*states, 300, 2), result(0, states[0]), result(1, states[1])]
    assert served([AskStatus(), AskResult(0), AskResult(1)], replies, banks) == []


class TestWrite:
    @pytest.mark.parametrize("stall", STALLS)
    def test_of_pieces(self, stall: float) -> None:
        requests = [Write(0, 0, b"ab"), Write(1, 10, b"yz"), Write(1, 3, b"c")]
        assert served(requests, [Written()] * 3, DONE, stall=stall) == [
            ("empty", 0),
            ("write", 0, ord("a")),
            ("write", 1, ord("b")),
            ("empty", 1),
            ("write", 22, ord("y")),
            ("write", 23, ord("z")),
            ("empty", 1),
            ("write", 15, ord("c")),
        ]

    def test_beyond_the_end(self) -> None:
        # The bank is empty after it, as some bytes may have been written.
        commands = served([Write(0, 11, b"xyz")], [Refusal(Reason.RANGE, Write.kind)])
        assert commands == [("empty", 0), ("write", 11, ord("x"))]

    @pytest.mark.parametrize("bank", [0, 1])
    def test_of_a_bank_beside_a_running_one(self, bank: int) -> None:
        replies = [Refusal(Reason.BUSY, Write.kind), Written()]
        requests = [Write(bank, 0, b"no"), Write(1 - bank, 0, b"y")]
        assert served(requests, replies, RUNNING[bank]) == [
            ("empty", 1 - bank),
            ("write", 12 * (1 - bank), ord("y")),
        ]


@pytest.mark.parametrize("bank", [0, 1])
class TestRun:
    def test_of_an_image(self, bank: int) -> None:
        assert served([Run(bank, CRCS[bank])], [Started()]) == [("run", bank)]

    def test_of_an_image_like_the_one_before(self, bank: int) -> None:
        # The bank was emptied and written again: what is left of its CRC is no result.
        emptied = DONE | {"done": 0}
        assert served([Run(bank, CRCS[bank])], [Started()], emptied) == [("run", bank)]

    def test_of_one_with_a_result(self, bank: int) -> None:
        requests = [Run(bank, CRCS[bank]), Run(bank, CRCS[1 - bank])]
        assert served(requests, [Started()] * 2, DONE) == [("run", bank)]

    def test_of_one_that_is_running(self, bank: int) -> None:
        requests = [Run(bank, 5), Run(1 - bank, 5)]
        assert served(requests, [Started()] * 2, RUNNING[bank]) == [("run", 1 - bank)]


def test_counts() -> None:
    requests = [AskCounts(0, 0, 3), AskCounts(0, 1, 1), AskCounts(1, 0, 70)]
    replies = [
        Counts(LAST_CRC, bytes.fromhex("0201 feff 0080")),
        Counts(LAST_CRC, bytes.fromhex("feff")),
        Counts(LAST_CRC, b"".join(word.to_bytes(3, "little") for word in WORDS[1])),
    ]
    assert served(requests, replies, DONE) == []


def test_reset() -> None:
    assert served([Reset(), AskStatus()], [Cleared(), Status(0, 0, 300, 2)]) == [("clear",)]


@pytest.mark.parametrize("number", [1, 31, 32, 33, 48, 49, 80])
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_every_counter_of_many(number: int, stall: float) -> None:
    plan = stub_plan(counters=tuple(f"layer{k}.cycles" for k in range(number)))
    expected = [Counters(b"".join(x.to_bytes(4, "little") for x in counts(number)))] * 2
    assert served([AskCounters()] * 2, expected, plan=plan, stall=stall) == []


def test_a_link_without_counters_and_records() -> None:
    plan = stub_plan(counters=(), records=())
    requests = [AskCounters(), AskCounts(0, 0, 1), AskResult(0)]
    replies = [Counters(b""), Refusal(Reason.RANGE, AskCounts.kind), result(0, State.DONE)]
    assert served(requests, replies, DONE, plan=plan) == []


def refusals(
    requests: Sequence[Message | bytes], reason: Reason, banks: dict[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """Assert that all of several requests are refused for a reason, and return the commands."""
    kinds = [r[1] if isinstance(r, bytes) else r.kind for r in requests]
    return served(requests, [Refusal(reason, kind) for kind in kinds], banks)


class TestRefusals:
    def test_range(self) -> None:
        requests = [
            Write(2, 0, b"x"),
            Write(255, 0, b"x"),
            Write(0, 12, b"x"),
            Write(1, 0x80000000, b"xyz"),
            Run(2, 0),
            AskResult(2),
            AskResult(255),
            AskCounts(2, 0, 1),
            AskCounts(0, 0, 0),
            AskCounts(0, 0, 4),
            AskCounts(1, 70, 1),
            AskCounts(0, 0xFFFFFFFF, 2),
        ]
        assert refusals(requests, Reason.RANGE, DONE) == []

    def test_version(self) -> None:
        requests = [Identify(), Write(0, 0, b"xy"), Run(0, 0), Reset()]
        contents = [
            bytes([version]) + content(request, SEQUENCE + k)[1:]
            for k, (version, request) in enumerate(product((0, 2, 255), requests))
        ]
        assert refusals(contents, Reason.VERSION) == []

    def test_kind(self) -> None:
        contents = [
            bytes([1, kind]) + (SEQUENCE + k).to_bytes(2, "little") + bytes(6)
            for k, kind in enumerate((0x00, 0x09, 0x43, 0x70, 0x83, 0xFF))
        ]
        assert refusals(contents, Reason.KIND) == []

    def test_length(self) -> None:
        # A write that is too short has no data.
        wrong: list[tuple[Message, int]] = [(Write(0, 0, b""), size) for size in (0, 1, 4, 5)]
        # A length that was counted modulo 16 would be right again 16 bytes later.
        with_fields: list[Message] = [AskCounts(0, 0, 1), AskResult(0), Run(0, 0)]
        wrong += [(r, r.fixed.size + more) for r in with_fields for more in (-1, 1, 16)]
        without: list[Message] = [AskCounters(), AskStatus(), Identify(), Reset()]
        wrong += [(r, size) for r in without for size in (1, 16)]
        contents = [
            content(request, SEQUENCE + k)[:4] + bytes(size)
            for k, (request, size) in enumerate(wrong)
        ]
        assert refusals(contents, Reason.LENGTH, DONE) == []

    def test_busy(self) -> None:
        request, reply = AskCounts(1, 0, 1), Refusal(Reason.BUSY, AskCounts.kind)
        assert served([request], [reply], RUNNING[0]) == []
        assert served([request], [reply], RUNNING[1]) == []
        # The accelerator is done, but the layer's record is not complete yet.
        assert served([request], [reply], DONE, images=(4, 3)) == []
        done = Counts(LAST_CRC, WORDS[1][0].to_bytes(3, "little"))
        assert served([request], [done], DONE, images=(3, 4)) == []

    def test_nothing(self) -> None:
        request, reply = AskCounts(0, 0, 1), Refusal(Reason.NOTHING, AskCounts.kind)
        assert served([request], [reply], images=(0, 0)) == []

    def test_the_first_reason_is_given(self) -> None:
        requests: list[Message | bytes] = [
            bytes.fromhex("02 70 3412 00"),
            bytes.fromhex("01 05 3512 02 00"),
            Write(2, 0, b"x"),
            Write(0, 12, b"x"),
            AskCounts(0, 3, 1),
            AskCounts(0, 0, 1),
        ]
        replies = [
            Refusal(Reason.VERSION, 0x70),
            Refusal(Reason.LENGTH, AskResult.kind),
            Refusal(Reason.RANGE, Write.kind),
            Refusal(Reason.RANGE, Write.kind),
            Refusal(Reason.RANGE, AskCounts.kind),
            Refusal(Reason.BUSY, AskCounts.kind),
        ]
        assert served(requests, replies, {"running": 0b11}, images=(0, 0)) == []

    def test_a_refusal_leaves_nothing_behind(self) -> None:
        requests = [Write(2, 0, b"xyz"), AskCounts(9, 1, 2), Write(0, 0, b"a"), Run(0, 1)]
        replies = [
            Refusal(Reason.RANGE, Write.kind),
            Refusal(Reason.RANGE, AskCounts.kind),
            Written(),
            Started(),
        ]
        commands = served(requests, replies)
        assert commands == [("empty", 0), ("write", 0, ord("a")), ("run", 0)]


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        stub_plan(counters=(), records=()),
        stub_plan(1, 1, classes=1, counters=(), records=(), receive=16, chunk=1),
    ],
    ids=["counters and records", "neither", "smallest"],
)
def test_converts_to_verilog(plan: LinkPlan) -> None:
    text = verilog.convert(Server(plan), name="server", emit_src=False)
    assert "module server(" in text
    assert "counters" in text or not plan.counters
