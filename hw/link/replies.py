"""Replies: a header, the fixed fields of a message, and words read from one of several sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.engine import COUNTER_BITS
from spikeloom.hw.engine.select import selected
from spikeloom.hw.link.frames import CONTENT
from spikeloom.hw.link.layouts import HEADER, fields_of, flags_of
from spikeloom.hw.link.plan import LinkPlan
from spikeloom.sw.link import messages as wire
from spikeloom.sw.link.frames import HEADER_BYTES

#: Replies whose fixed fields are signals. Those of an identity are constants, which a source holds.
WITH_FIELDS: tuple[type[wire.Message], ...] = (
    wire.Status,
    wire.Result,
    wire.Counts,
    wire.Refusal,
)


@dataclass(frozen=True)
class Source:
    """A memory, or an array of signals, whose words can follow the fixed fields of a reply.

    Parameters
    ----------
    size : int
        Bytes of a word.
    words : int
        Number of words.
    """

    size: int
    words: int


def sources_of(plan: LinkPlan) -> dict[str, Source]:
    """Return the sources of a link by name.

    These are ``identity`` (the body of the identity, one byte a word), ``logits`` (those of one
    bank), ``counters`` if the plan has any, and ``record0``, ``record1``, ... for its records.
    """
    sources = {
        "identity": Source(1, len(plan.identity.body())),
        "logits": Source(plan.logit_bytes, plan.classes),
    }
    if plan.counters:
        sources["counters"] = Source(COUNTER_BITS // 8, len(plan.counters))
    for k, record in enumerate(plan.records):
        sources[f"record{k}"] = Source(record.bytes, record.transfers)
    return sources


def reply_layout(sources: Mapping[str, Source]) -> data.StructLayout:
    """Return the layout that tells a :class:`Replier` what to send after the header.

    Parameters
    ----------
    sources : mapping of str to Source

    Members
    -------
    fields : struct of structs of flags
        The fixed fields to send, under the names of the message and the field. They are sent in
        the order of the layout.
    source : struct of flags
        The source whose words come last; at most one.
    first, words : unsigned
        Index of the first of these words, and how many there are.
    """
    most = max(source.words for source in sources.values())
    return data.StructLayout(
        {
            "fields": data.StructLayout({x.__name__: flags_of(x.sizes()) for x in WITH_FIELDS}),
            "source": flags_of(sources),
            "first": range(most),
            "words": range(most + 1),
        }
    )


class Replier(wiring.Component):
    """Sends replies byte by byte.

    The header, each field and each word are read at one moment, so that the bytes of a number
    belong together even if it changes meanwhile.

    Parameters
    ----------
    sources : mapping of str to Source
        See :func:`sources_of`.

    Members
    -------
    i : In(stream)
        Replies to send, see :func:`reply_layout`. One is accepted once the last has been sent.
    header : In
        Header of the reply, read when the reply is accepted.
    fields : In
        Fixed fields of the messages in :data:`WITH_FIELDS`, under the names of the message and the
        field. Each is read when its turn comes.
    index : Out
        Address of a word in the source of the reply.
    words : In
        The word at ``index`` of each source, under the source's name. It may come one cycle after
        ``index``, as from a memory, or as many cycles as it has bytes.
    o : Out(stream)
        Contents of frames; see :data:`~spikeloom.hw.link.frames.CONTENT`.
    """

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.sources = dict(sources)
        reply = reply_layout(sources)
        words = data.StructLayout({name: 8 * source.size for name, source in sources.items()})
        super().__init__(
            {
                "i": In(stream.Signature(reply)),
                "header": In(HEADER),
                "fields": In(data.StructLayout({x.__name__: fields_of(x) for x in WITH_FIELDS})),
                "index": Out(reply["first"].shape),
                "words": In(words),
                "o": Out(stream.Signature(CONTENT)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # The part of the reply that has not been sent yet.
        reply = Signal(self.i.payload.shape())
        fields = [self.fields[x.__name__][name] for x in WITH_FIELDS for name in x.sizes()]
        words = [self.words[name] for name in self.sources]
        sizes = [len(piece) // 8 for piece in (*fields, *words)]
        # The header, field or word that is being sent, its next byte lowest; and the bytes left.
        piece = Signal(8 * max(HEADER_BYTES, *sizes))
        left = Signal(range(max(HEADER_BYTES, *sizes) + 1))

        pending, lowest = reply.fields.as_value(), Signal(len(fields))
        chosen = Signal(len(sizes))
        over = Signal()
        m.d.comb += [
            lowest.eq(pending & -pending),
            chosen.eq(Cat(lowest, Mux(pending.any(), 0, reply.source.as_value()))),
            over.eq(~pending.any() & (reply.words == 0)),
        ]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += [
                        reply.eq(self.i.payload),
                        self.index.eq(self.i.payload.first),
                        piece.eq(self.header),
                        left.eq(HEADER_BYTES),
                    ]
                    m.next = "SEND"
            with m.State("LOAD"):
                m.d.sync += [
                    piece.eq(selected(chosen, [*fields, *words])),
                    left.eq(selected(chosen, (Const(size) for size in sizes))),
                    pending.eq(pending & ~lowest),
                ]
                with m.If(~pending.any()):
                    m.d.sync += [self.index.eq(self.index + 1), reply.words.eq(reply.words - 1)]
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.payload.byte.eq(piece[:8]),
                    self.o.payload.last.eq((left == 1) & over),
                ]
                with m.If(self.o.ready):
                    m.d.sync += [piece.eq(piece >> 8), left.eq(left - 1)]
                    with m.If(left == 1):
                        m.next = "LOAD"
                        with m.If(over):
                            m.next = "IDLE"
        return m
