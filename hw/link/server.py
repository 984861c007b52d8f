"""Requests in, replies out: what the protocol asks a device to do."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.engine import COUNTER_BITS
from spikeloom.hw.engine.select import selected
from spikeloom.hw.link.frames import CONTENT
from spikeloom.hw.link.plan import BANKS, LinkPlan
from spikeloom.hw.link.scheduler import bank_signature
from spikeloom.sw.link import messages as wire

#: Bytes of the longest fixed body of a request, that of a request for counts.
_ARGUMENTS = wire.AskCounts.fixed.size
_REQUESTS: tuple[type[wire.Message], ...] = (
    wire.Identify,
    wire.AskStatus,
    wire.Write,
    wire.Run,
    wire.AskResult,
    wire.AskCounters,
    wire.AskCounts,
    wire.Reset,
)


class Server(wiring.Component):
    """Takes contents of frames, does what they ask, and answers each of them, one by one.

    Parameters
    ----------
    plan : LinkPlan

    Members
    -------
    i : In(stream), o : Out(stream)
        Contents; see :data:`~spikeloom.hw.link.frames.CONTENT`.
    damaged, dropped : In(16)
        What the status says of the link.
    banks : Out
        See :func:`~spikeloom.hw.link.scheduler.bank_signature`.
    counters : In
        An array of 32 bits each.
    images0, images1, ... : In(8), word0, word1, ... : In
        Of each :class:`~spikeloom.hw.link.banks.Recorder`.
    address : Out
        To all recorders.
    clear : Out(1)
        Everything but the link itself is to be reset.
    """

    def __init__(self, plan: LinkPlan) -> None:
        self.plan = plan
        longest = max([record.transfers for record in plan.records], default=2)
        super().__init__(
            {
                "i": In(stream.Signature(CONTENT)),
                "o": Out(stream.Signature(CONTENT)),
                "damaged": In(16),
                "dropped": In(16),
                "banks": Out(bank_signature(plan)),
                "counters": In(data.ArrayLayout(COUNTER_BITS, len(plan.counters))),
                "address": Out(range(longest)),
                "clear": Out(1),
            }
            | {f"images{k}": In(8) for k in range(len(plan.records))}
            | {f"word{k}": In(8 * record.bytes) for k, record in enumerate(plan.records)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, banks = self.plan, self.banks
        byte, last = self.i.payload.byte, self.i.payload.last
        taken = self.i.valid & self.i.ready

        # --- the request ---
        header = Signal(data.StructLayout({"version": 8, "kind": 8, "sequence": 16}))
        arguments = Signal(8 * _ARGUMENTS)
        # Bytes of the body so far, up to one more than any but a write may have.
        length = Signal(range(_ARGUMENTS + 2))
        place = Signal(2)
        is_kind = {kind: Signal(name=f"is_{kind.__name__}") for kind in _REQUESTS}
        for kind, flag in is_kind.items():
            m.d.comb += flag.eq(header.kind == kind.kind)
        bank = arguments[:8]
        offset = arguments[8:40]
        room = Signal(range(plan.image_bytes + 1))
        reason = Signal(wire.Reason)
        no_bank = Signal()
        # A compare of all bits of an offset would be long.
        outside = Signal()
        runs = Signal()
        m.d.comb += [
            no_bank.eq(bank >= BANKS),
            outside.eq(offset[len(room) :].any() | (offset[: len(room)] >= plan.image_bytes)),
            runs.eq(Array(banks.running)[bank[0]]),
            banks.bank.eq(bank[0]),
            banks.byte.eq(byte),
        ]

        # --- the reply: fields, the lowest of those left first, then words of some memory ---
        fields = self._fields(header, bank[0], reason)
        sources = self._sources(m)
        pending, lowest = Signal(len(fields)), Signal(len(fields))
        source = Signal(len(sources))
        words = Signal(range(max(count for _, _, count in sources) + 1))
        index = Signal(range(max(count for _, _, count in sources)))
        self._addresses(m, index, bank[0])
        # Either may be the next one.
        parts = [*fields.values(), *(value for _, value, _ in sources)]
        sizes = [len(value) // 8 for value in fields.values()] + [size for size, _, _ in sources]
        chosen = Signal(len(parts))
        word = Signal(8 * max(sizes))
        word_left = Signal(range(max(sizes) + 1))
        m.d.comb += [
            lowest.eq(pending & -pending),
            chosen.eq(Cat(lowest, Mux(pending.any(), 0, source))),
        ]

        with m.FSM():
            with m.State("HEADER"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [length.eq(0), reason.eq(0)]
                with m.If(taken):
                    m.d.sync += [
                        place.eq(place + 1),
                        header.eq(Cat(header.as_value()[8:], byte)),
                    ]
                    with m.If(place == 3):
                        m.next = "ARGUMENTS"
                    # No content is shorter than a header, so this is its end.
                    with m.If(last):
                        m.d.sync += place.eq(0)
                        m.next = "CHECK"
            with m.State("ARGUMENTS"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    with m.If(length <= _ARGUMENTS):
                        m.d.sync += length.eq(length + 1)
                    with m.Switch(length):
                        for k in range(_ARGUMENTS):
                            with m.Case(k):
                                m.d.sync += arguments[8 * k : 8 * k + 8].eq(byte)
                    with m.If(last):
                        m.next = "CHECK"
                    with m.Elif(
                        is_kind[wire.Write]
                        & (header.version == wire.VERSION)
                        & (length == wire.Write.fixed.size - 1)
                    ):
                        m.next = "WRITE"
            with m.State("WRITE"):
                m.d.sync += [
                    room.eq(plan.image_bytes - offset),
                    banks.address.eq(offset + Mux(bank[0], plan.image_bytes, 0)),
                ]
                with m.If(no_bank | outside):
                    m.d.sync += reason.eq(wire.Reason.RANGE)
                with m.Elif(runs):
                    m.d.sync += reason.eq(wire.Reason.BUSY)
                with m.Else():
                    m.d.comb += banks.empty.eq(1)
                m.next = "DATA"
            with m.State("DATA"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    with m.If((reason == 0) & (room == 0)):
                        m.d.sync += reason.eq(wire.Reason.RANGE)
                    with m.Elif(reason == 0):
                        m.d.comb += banks.write.eq(1)
                        m.d.sync += [
                            banks.address.eq(banks.address + 1),
                            room.eq(room - 1),
                        ]
                    with m.If(last):
                        m.next = "ANSWER"
            with m.State("CHECK"):
                self._check(m, header, is_kind, length, arguments, runs, reason)
                m.next = "ANSWER"
            with m.State("ANSWER"):
                self._answer(
                    m, is_kind, arguments, reason, list(fields), pending, words, source, index
                )
                m.next = "LATCH"
            with m.State("FETCH"):
                # The memories take a cycle.
                m.next = "LATCH"
            with m.State("LATCH"):
                m.d.sync += [
                    word.eq(selected(chosen, parts)),
                    word_left.eq(selected(chosen, (Const(size) for size in sizes))),
                    pending.eq(pending & ~lowest),
                ]
                with m.If(~pending.any()):
                    m.d.sync += [index.eq(index + 1), words.eq(words - 1)]
                m.next = "WORD"
            with m.State("WORD"):
                over = ~pending.any() & (words == 0)
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.payload.byte.eq(word[:8]),
                    self.o.payload.last.eq((word_left == 1) & over),
                ]
                with m.If(self.o.ready):
                    m.d.sync += [word.eq(word >> 8), word_left.eq(word_left - 1)]
                    with m.If(word_left == 1):
                        m.next = "FETCH"
                        with m.If(over):
                            m.next = "HEADER"
        return m

    def _fields(
        self, header: data.View[data.StructLayout], bank: Value, reason: Signal
    ) -> dict[str, Value]:
        """Return what heads of replies are made of, in the order in which they are sent.

        Each is read at one moment, and has whole bytes.
        """
        banks = self.banks
        states = [
            Mux(banks.running[b], wire.State.RUNNING, Mux(banks.done[b], wire.State.DONE, 0))
            for b in range(BANKS)
        ]

        def whole(value: Value, size: int) -> Value:
            return Cat(value, Const(0, 8 * size))[: 8 * size]

        def by_bank(name: str, size: int) -> Value:
            values = getattr(banks, name)
            return whole(Mux(bank, values[1], values[0]), size)

        kind = Mux(reason == 0, header.kind | wire.REPLY, wire.Refusal.kind)
        return {
            "header": Cat(Const(wire.VERSION, 8), kind[:8], header.sequence),
            "refusal": Cat(whole(reason, 1), header.kind),
            "states": Cat(whole(state, 1) for state in states),
            "link": Cat(self.damaged, self.dropped),
            "state": whole(Mux(bank, states[1], states[0]), 1),
            "crc": by_bank("crc", 4),
            "cycles": by_bank("cycles", 4),
            "label": by_bank("label", 2),
            "last_crc": banks.last_crc,
        }

    def _sources(self, m: Module) -> list[tuple[int, Value, int]]:
        """Return where words come from: bytes of each, its value, and how many there are."""
        plan = self.plan
        body = plan.identity.body()
        m.submodules.identity = rom = memory.Memory(shape=8, depth=len(body), init=list(body))
        self._rom = rom.read_port()
        sources: list[tuple[int, Value, int]] = [
            (1, self._rom.data, len(body)),
            (plan.logit_bytes, self.banks.logit.as_unsigned(), plan.classes),
        ]
        self._counter = Signal(range(max(2, len(plan.counters))))
        if plan.counters:
            # Read at once, so that all bytes are of the same moment.
            counters = Array(self.counters[k] for k in range(len(plan.counters)))
            sources.append((COUNTER_BITS // 8, counters[self._counter], len(plan.counters)))
        else:
            sources.append((COUNTER_BITS // 8, Const(0), 0))
        for k, record in enumerate(plan.records):
            sources.append((record.bytes, getattr(self, f"word{k}"), record.transfers))
        return sources

    def _addresses(self, m: Module, index: Signal, bank: Value) -> None:
        logit_bits = len(self.banks.logit_address) - 1
        m.d.comb += [
            self._rom.addr.eq(index),
            self.banks.logit_address.eq(Cat(index[:logit_bits], bank)),
            self._counter.eq(index),
            self.address.eq(index),
        ]

    def _check(
        self,
        m: Module,
        header: data.View[object],
        is_kind: dict[type[wire.Message], Signal],
        length: Signal,
        arguments: Signal,
        runs: Signal,
        reason: Signal,
    ) -> None:
        """Find a reason to refuse any request but a write that has data."""
        banks = self.banks
        wanted = Signal.like(length)
        # A write that gets here has no data.
        fitting = {kind: flag for kind, flag in is_kind.items() if kind is not wire.Write}
        m.d.comb += wanted.eq(
            selected(
                Cat(fitting.values()), (Const(kind.fixed.size, len(wanted)) for kind in fitting)
            )
        )
        no_bank = (is_kind[wire.Run] | is_kind[wire.AskResult]) & (arguments[:8] >= BANKS)
        no_words, late = self._record_checks(m, arguments)
        counts = is_kind[wire.AskCounts]
        with m.If(header.version != wire.VERSION):
            m.d.sync += reason.eq(wire.Reason.VERSION)
        with m.Elif(~Cat(is_kind.values()).any()):
            m.d.sync += reason.eq(wire.Reason.KIND)
        with m.Elif(is_kind[wire.Write] | (length != wanted)):
            m.d.sync += reason.eq(wire.Reason.LENGTH)
        with m.Elif(no_bank | (counts & no_words)):
            m.d.sync += reason.eq(wire.Reason.RANGE)
        with m.Elif(counts & (banks.running.any() | late)):
            m.d.sync += reason.eq(wire.Reason.BUSY)
        with m.Elif(counts & ~banks.any):
            m.d.sync += reason.eq(wire.Reason.NOTHING)
        with m.Elif(is_kind[wire.Run] & ~runs):
            # What was asked twice is done once.
            there = Array(banks.done)[arguments[0]]
            same = Array(banks.crc[b] for b in range(BANKS))[arguments[0]] == arguments[8:40]
            m.d.comb += banks.run.eq(~(there & same))
        with m.Elif(is_kind[wire.Reset]):
            m.d.comb += self.clear.eq(1)

    def _record_checks(self, m: Module, arguments: Signal) -> tuple[Value, Value]:
        """Return whether a request for counts asks for what is not there, or not yet."""
        outside, late = Signal(init=1), Signal()
        record, first, words = arguments[:8], arguments[8:40], arguments[40:56]
        m.d.comb += outside.eq(1)
        for k, plan in enumerate(self.plan.records):
            with m.If(record == k):
                m.d.comb += [
                    outside.eq((words == 0) | (first + words > plan.transfers)),
                    late.eq(getattr(self, f"images{k}") != self.banks.fed),
                ]
        return outside, late

    def _answer(
        self,
        m: Module,
        is_kind: dict[type[wire.Message], Signal],
        arguments: Signal,
        reason: Signal,
        names: list[str],
        pending: Signal,
        words: Signal,
        source: Signal,
        index: Signal,
    ) -> None:
        """Choose the fields of the reply, and what follows them."""
        m.d.sync += [words.eq(0), source.eq(0), index.eq(0)]

        def reply(*fields: str) -> None:
            m.d.sync += pending.eq(sum(1 << names.index(name) for name in ("header", *fields)))

        def follow(position: int, count: Value | int) -> None:
            m.d.sync += [source.eq(1 << position), words.eq(count)]

        reply()
        with m.If(reason != 0):
            reply("refusal")
        with m.Elif(is_kind[wire.Identify]):
            follow(0, len(self.plan.identity.body()))
        with m.Elif(is_kind[wire.AskStatus]):
            reply("states", "link")
        with m.Elif(is_kind[wire.AskResult]):
            reply("state", "crc", "cycles", "label")
            follow(1, self.plan.classes)
        with m.Elif(is_kind[wire.AskCounters]):
            follow(2, len(self.plan.counters))
        with m.Elif(is_kind[wire.AskCounts]):
            reply("last_crc")
            m.d.sync += index.eq(arguments[8:40])
            for k in range(len(self.plan.records)):
                with m.If(arguments[:8] == k):
                    follow(3 + k, arguments[40:56])
