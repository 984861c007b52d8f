"""Server: takes the requests of the protocol, carries them out, and replies to each."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.engine import COUNTER_BITS
from spikeloom.hw.link.frames import CONTENT
from spikeloom.hw.link.layouts import HEADER, bodies_of
from spikeloom.hw.link.plan import BANKS, LinkPlan
from spikeloom.hw.link.replies import Replier, sources_of
from spikeloom.hw.link.scheduler import bank_signature
from spikeloom.sw.link import messages as wire
from spikeloom.sw.link.frames import HEADER_BYTES

_REQUESTS = tuple(kind for kind in wire.Message.kinds.values() if not kind.kind & wire.REPLY)
_BODY = bodies_of(_REQUESTS)
#: Bytes of the longest fixed fields that a request has.
_BODY_BYTES = _BODY.size // 8
#: Most counters of which one is chosen in the cycle in which it is sent, and how many of more are
#: chosen from in each of two cycles before.
_AT_ONCE, _NEARBY = 32, 16


class _Request:
    """The request that is being served, in signals.

    Attributes
    ----------
    header : Signal of HEADER
    body : Signal
        Fixed fields, one member for each kind of request: ``body.Run.crc`` is the CRC if the
        request is a ``Run``.
    length : Signal
        Bytes of the body so far. It stops at one more than the fixed fields of any request have.
    reason : Signal of Reason
        Reason to refuse the request; 0 if there is none.
    bank : Value
        The bank that a ``Write``, ``Run`` or ``AskResult`` names: the first field of each.
    no_bank : Value
        High if there is no such bank.
    """

    def __init__(self) -> None:
        self.header = Signal(HEADER)
        self.body = Signal(_BODY)
        self.length = Signal(range(_BODY_BYTES + 2))
        self.reason = Signal(wire.Reason)
        self.bank = self.body.AskResult.bank
        self.no_bank = self.bank >= BANKS

    def asks(self, kind: type[wire.Message]) -> Value:
        """Return whether the request is of a kind."""
        return self.header.kind == kind.kind

    def asks_one_of(self, *kinds: type[wire.Message]) -> Value:
        """Return whether the request is of one of several kinds."""
        return Cat(self.asks(kind) for kind in kinds).any()


@dataclass(frozen=True)
class _Verdict:
    """What is known of a whole request; one bit each.

    Parameters
    ----------
    wrong_version, wrong_kind, wrong_length : Signal
    outside : Signal
        Whether its bank, or the words that it asks for, do not exist.
    counts, run, reset : Signal
        Whether it asks for this.
    late : Signal
        Whether the words that it asks for are yet to come.
    same : Signal
        Whether the image in its bank has the CRC that it names.
    """

    wrong_version: Signal
    wrong_kind: Signal
    wrong_length: Signal
    outside: Signal
    counts: Signal
    run: Signal
    reset: Signal
    late: Signal
    same: Signal


class Server(wiring.Component):
    """Serves requests one by one, in the order in which they come, and replies to each.

    Parameters
    ----------
    plan : LinkPlan

    Members
    -------
    i : In(stream), o : Out(stream)
        Contents of frames, requests in and replies out; see
        :data:`~spikeloom.hw.link.frames.CONTENT`.
    damaged, dropped : In(16)
        Numbers of frames that were damaged or found no room, for the status.
    banks : Out
        See :func:`~spikeloom.hw.link.scheduler.bank_signature`.
    counters : In
        An array of 32 bits each.
    images0, images1, ... : In(8), word0, word1, ... : In
        ``images`` and ``word`` of each :class:`~spikeloom.hw.link.stores.Recorder`.
    address : Out
        ``address`` of all recorders.
    clear : Out(1)
        High for one cycle to reset everything but the link itself.
    """

    def __init__(self, plan: LinkPlan) -> None:
        self.plan = plan
        self.sources = sources_of(plan)
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
        request = _Request()
        m.submodules.replier = replier = Replier(self.sources)
        wiring.connect(m, replier.o, wiring.flipped(self.o))
        self._connect_fields(m, request, replier)
        self._connect_sources(m, request, replier)

        place = Signal(range(HEADER_BYTES))
        # Bytes of the image from the next one to be written to the end.
        room = Signal(range(plan.image_bytes + 1))
        offset = request.body.Write.offset
        # A comparison of all bits of the offset would be long.
        outside = offset[len(room) :].any() | (offset[: len(room)] >= plan.image_bytes)
        m.d.comb += [banks.bank.eq(request.bank[0]), banks.byte.eq(byte)]

        verdict = self._verdict(m, request)
        with m.FSM():
            with m.State("HEADER"):
                # A reply's fields depend on its request, which is kept until the reply is sent.
                m.d.comb += self.i.ready.eq(replier.i.ready)
                with m.If(taken):
                    m.d.sync += [
                        request.length.eq(0),
                        request.reason.eq(0),
                        place.eq(place + 1),
                        request.header.eq(Cat(request.header.as_value()[8:], byte)),
                    ]
                    with m.If(place == HEADER_BYTES - 1):
                        m.next = "BODY"
                    # No content is shorter than a header, so the header ends here.
                    with m.If(last):
                        m.next = "CHECK"
            with m.State("BODY"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    with m.If(request.length <= _BODY_BYTES):
                        m.d.sync += request.length.eq(request.length + 1)
                    with m.Switch(request.length):
                        for k in range(_BODY_BYTES):
                            with m.Case(k):
                                m.d.sync += request.body.bytes[k].eq(byte)
                    with m.If(last):
                        m.next = "CHECK"
                    with m.Elif(
                        request.asks(wire.Write)
                        & (request.header.version == wire.VERSION)
                        & (request.length == wire.Write.fixed.size - 1)
                    ):
                        m.next = "WRITE"
            with m.State("WRITE"):
                m.d.sync += [
                    room.eq(plan.image_bytes - offset),
                    banks.address.eq(offset + Mux(request.bank[0], plan.image_bytes, 0)),
                ]
                with m.If(request.no_bank | outside):
                    m.d.sync += request.reason.eq(wire.Reason.RANGE)
                with m.Elif(self._runs(request)):
                    m.d.sync += request.reason.eq(wire.Reason.BUSY)
                with m.Else():
                    m.d.comb += banks.empty.eq(1)
                m.next = "DATA"
            with m.State("DATA"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    with m.If((request.reason == 0) & (room == 0)):
                        m.d.sync += request.reason.eq(wire.Reason.RANGE)
                    with m.Elif(request.reason == 0):
                        m.d.comb += banks.write.eq(1)
                        m.d.sync += [banks.address.eq(banks.address + 1), room.eq(room - 1)]
                    with m.If(last):
                        m.next = "REPLY"
            with m.State("CHECK"):
                # The verdict follows its request a cycle later.
                m.next = "ACT"
            with m.State("ACT"):
                self._check(m, request, verdict)
                m.next = "REPLY"
            with m.State("REPLY"):
                m.d.comb += replier.i.valid.eq(1)
                self._reply(m, request, replier.i.payload)
                m.next = "HEADER"
        return m

    def _runs(self, request: _Request) -> Value:
        """Return whether the bank that the request names is running."""
        return Array(self.banks.running)[request.bank[0]]

    def _verdict(self, m: Module, request: _Request) -> _Verdict:
        """Return what is to be known of a request, from registers."""
        asks = request.asks
        # A write that is asked for without its data has the wrong length.
        wrong_length = asks(wire.Write)
        for kind in _REQUESTS:
            wrong_length |= asks(kind) & (request.length != kind.fixed.size)
        no_words, late = self._check_record(m, request.body.AskCounts)
        no_bank = request.asks_one_of(wire.Run, wire.AskResult) & request.no_bank
        counts = asks(wire.AskCounts)
        crc = Array(self.banks.crc[b] for b in range(BANKS))[request.bank[0]]
        found = {
            "wrong_version": request.header.version != wire.VERSION,
            "wrong_kind": ~request.asks_one_of(*_REQUESTS),
            "wrong_length": wrong_length,
            "outside": no_bank | (counts & no_words),
            "counts": counts,
            "late": late,
            "run": asks(wire.Run),
            "same": crc == request.body.Run.crc,
            "reset": asks(wire.Reset),
        }
        verdict = _Verdict(**{name: Signal(name=name) for name in found})
        for name, value in found.items():
            m.d.sync += getattr(verdict, name).eq(value)
        return verdict

    def _check(self, m: Module, request: _Request, verdict: _Verdict) -> None:
        """Refuse a request or carry it out; not for a write that has data."""
        banks = self.banks
        with m.If(verdict.wrong_version):
            m.d.sync += request.reason.eq(wire.Reason.VERSION)
        with m.Elif(verdict.wrong_kind):
            m.d.sync += request.reason.eq(wire.Reason.KIND)
        with m.Elif(verdict.wrong_length):
            m.d.sync += request.reason.eq(wire.Reason.LENGTH)
        with m.Elif(verdict.outside):
            m.d.sync += request.reason.eq(wire.Reason.RANGE)
        with m.Elif(verdict.counts & (banks.running.any() | verdict.late)):
            m.d.sync += request.reason.eq(wire.Reason.BUSY)
        with m.Elif(verdict.counts & ~banks.any):
            m.d.sync += request.reason.eq(wire.Reason.NOTHING)
        with m.Elif(verdict.run & ~self._runs(request)):
            # A run that is asked for twice is done once.
            done = Array(banks.done)[request.bank[0]]
            m.d.comb += banks.run.eq(~(done & verdict.same))
        with m.Elif(verdict.reset):
            m.d.comb += self.clear.eq(1)

    def _check_record(
        self, m: Module, asked: data.View[data.StructLayout]
    ) -> tuple[Signal, Signal]:
        """Return whether words that are asked for do not exist, and whether they are yet to come.

        Parameters
        ----------
        m : Module
        asked : View
            Fixed fields of an ``AskCounts``.
        """
        missing, late = Signal(init=1), Signal()
        with m.Switch(asked.record):
            for k, record in enumerate(self.plan.records):
                with m.Case(k):
                    end = asked.first + asked.words
                    m.d.comb += [
                        missing.eq((asked.words == 0) | (end > record.transfers)),
                        late.eq(getattr(self, f"images{k}") != self.banks.fed),
                    ]
        return missing, late

    def _reply(self, m: Module, request: _Request, reply: data.View[data.StructLayout]) -> None:
        """Choose the fields and words that follow the header of the reply; most replies have none.

        Parameters
        ----------
        m : Module
        request : _Request
        reply : View
            To be set; see :func:`~spikeloom.hw.link.replies.reply_layout`.
        """

        def fields(message: type[wire.Message]) -> None:
            m.d.comb += reply.fields[message.__name__].eq(-1)

        def words(source: str, first: Value | int = 0, count: Value | int | None = None) -> None:
            m.d.comb += [
                reply.source[source].eq(1),
                reply.first.eq(first),
                reply.words.eq(self.sources[source].words if count is None else count),
            ]

        with m.If(request.reason != 0):
            fields(wire.Refusal)
        with m.Elif(request.asks(wire.Identify)):
            words("identity")
        with m.Elif(request.asks(wire.AskStatus)):
            fields(wire.Status)
        with m.Elif(request.asks(wire.AskResult)):
            fields(wire.Result)
            words("logits")
        with m.Elif(request.asks(wire.AskCounters)):
            if self.plan.counters:
                words("counters")
        with m.Elif(request.asks(wire.AskCounts)):
            asked = request.body.AskCounts
            fields(wire.Counts)
            with m.Switch(asked.record):
                for k in range(len(self.plan.records)):
                    with m.Case(k):
                        words(f"record{k}", asked.first, asked.words)

    def _connect_fields(self, m: Module, request: _Request, replier: Replier) -> None:
        """Connect the header and the fixed fields of replies."""
        banks, fields = self.banks, replier.fields
        bank = request.bank[0]
        states = [
            Mux(banks.running[b], wire.State.RUNNING, Mux(banks.done[b], wire.State.DONE, 0))
            for b in range(BANKS)
        ]
        kind = Mux(request.reason == 0, request.header.kind | wire.REPLY, wire.Refusal.kind)
        m.d.comb += [
            replier.header.version.eq(wire.VERSION),
            replier.header.kind.eq(kind),
            replier.header.sequence.eq(request.header.sequence),
            fields.Refusal.reason.eq(request.reason),
            fields.Refusal.request.eq(request.header.kind),
            fields.Status.bank0.eq(states[0]),
            fields.Status.bank1.eq(states[1]),
            fields.Status.damaged.eq(self.damaged),
            fields.Status.dropped.eq(self.dropped),
            fields.Result.state.eq(Mux(bank, states[1], states[0])),
            fields.Counts.crc.eq(banks.last_crc),
        ]
        for name in ("crc", "cycles", "label"):
            values = getattr(banks, name)
            m.d.comb += fields.Result[name].eq(Mux(bank, values[1], values[0]))

    def _connect_sources(self, m: Module, request: _Request, replier: Replier) -> None:
        """Connect the sources of words: their addresses, and the words read there."""
        banks, index, words = self.banks, replier.index, replier.words
        body = self.plan.identity.body()
        m.submodules.identity = rom = memory.Memory(shape=8, depth=len(body), init=list(body))
        identity = rom.read_port()
        m.d.comb += [
            identity.addr.eq(index),
            words.identity.eq(identity.data),
            banks.logit_address.eq(Cat(index[: self.plan.label_bits], request.bank[0])),
            words.logits.eq(banks.logit),
            self.address.eq(index),
        ]
        if self.plan.counters:
            m.d.comb += words.counters.eq(self._counter(m, index))
        for k in range(len(self.plan.records)):
            m.d.comb += words[f"record{k}"].eq(getattr(self, f"word{k}"))

    def _counter(self, m: Module, index: Value) -> Value:
        """Return the counter at ``index``, at once or, of many, two cycles later.

        Counters of a large design are far from each other.
        """
        counters = [self.counters[k] for k in range(len(self.plan.counters))]
        number = Signal(range(len(counters)))
        m.d.comb += number.eq(index)
        if len(counters) <= _AT_ONCE:
            return Array(counters)[number]
        bits = _NEARBY.bit_length() - 1
        parts = [counters[k : k + _NEARBY] for k in range(0, len(counters), _NEARBY)]
        found = [Signal(COUNTER_BITS, name=f"counter{k}") for k in range(len(parts))]
        counter = Signal(COUNTER_BITS)
        for one, part in zip(found, parts, strict=True):
            m.d.sync += one.eq(Array(part)[number[:bits]])
        m.d.sync += counter.eq(Array(found)[number[bits:]])
        return counter
