"""Which bank is computed when, and what became of it."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.link.banks import ImageStore, LogitStore
from spikeloom.hw.link.plan import BANKS, LinkPlan
from spikeloom.hw.values import shape_of

#: Bits of a result's cycles.
CYCLE_BITS = 32


def bank_signature(plan: LinkPlan) -> wiring.Signature:
    """Return the signature of what is asked of the banks, and what they say.

    Parameters
    ----------
    plan : LinkPlan

    Members
    -------
    write : Out(1), address : Out, byte : Out(8)
        Into the images; see :class:`~spikeloom.hw.link.banks.ImageStore`.
    bank : Out(1)
        What ``empty`` and ``run`` are meant for.
    empty : Out(1)
        The bank's image is written: its result is no longer one. Not while it runs.
    run : Out(1)
        Compute the bank's image. Not while it runs.
    running, done : In(2)
        By bank; neither means empty.
    crc, cycles, label : In
        By bank; those of its result.
    fed : In(8)
        Images that were handed out, modulo 256.
    any : In(1)
        Some image was handed out.
    last_crc : In(32)
        CRC-32 of the last image that was handed out, when nothing is running.
    logit_address : Out, logit : In
        See :class:`~spikeloom.hw.link.banks.LogitStore`.
    """
    return wiring.Signature(
        {
            "write": Out(1),
            "address": Out(range(BANKS * plan.image_bytes)),
            "byte": Out(8),
            "bank": Out(1),
            "empty": Out(1),
            "run": Out(1),
            "running": In(BANKS),
            "done": In(BANKS),
            "crc": In(data.ArrayLayout(32, BANKS)),
            "cycles": In(data.ArrayLayout(CYCLE_BITS, BANKS)),
            "label": In(data.ArrayLayout(plan.label_bits, BANKS)),
            "fed": In(8),
            "any": In(1),
            "last_crc": In(32),
            "logit_address": Out(plan.label_bits + 1),
            "logit": In(signed(8 * plan.logit_bytes)),
        }
    )


class Scheduler(wiring.Component):
    """Runs the banks' images, one behind the other, in the order in which that was asked.

    Parameters
    ----------
    plan : LinkPlan

    Members
    -------
    bus : In
        See :func:`bank_signature`.
    image : Out(stream), logits : In(stream)
        To and from the accelerator.
    """

    def __init__(self, plan: LinkPlan) -> None:
        self.plan = plan
        logit = data.StructLayout({"value": shape_of(plan.logits), "last": 1})
        super().__init__(
            {
                "bus": In(bank_signature(plan)),
                "image": Out(stream.Signature(shape_of(plan.pixels))),
                "logits": In(stream.Signature(logit)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bus = self.bus
        m.submodules.images = images = ImageStore(self.plan)
        m.submodules.answers = answers = LogitStore(self.plan)
        wiring.connect(m, images.o, wiring.flipped(self.image))
        wiring.connect(m, wiring.flipped(self.logits), answers.i)
        m.d.comb += [
            images.write.eq(bus.write),
            images.address.eq(bus.address),
            images.byte.eq(bus.byte),
            answers.address.eq(bus.logit_address),
            bus.logit.eq(answers.word),
            bus.last_crc.eq(images.crc),
        ]

        # A bank waits, is fed to the accelerator, is in flight until its last logit has come; and
        # is done once both ends are: the last logit may not need the last rows of an image.
        waiting, flying, fed, answered = (
            Signal(BANKS, name=n) for n in ("wait", "fly", "in", "out")
        )
        youngest = Signal()
        feeding, fed_bank = Signal(), Signal()

        # Of two, the one that was not asked for last is the older one.
        oldest = Signal()
        m.d.comb += [
            oldest.eq(Mux(waiting.all(), ~youngest, waiting[1])),
            images.bank.eq(oldest),
            images.start.eq(waiting.any() & ~feeding & ~images.busy),
            answers.bank.eq(Mux(flying.all(), ~fed_bank, flying[1])),
        ]
        with m.If(images.start):
            m.d.sync += [
                feeding.eq(1),
                fed_bank.eq(oldest),
                bus.fed.eq(bus.fed + 1),
                bus.any.eq(1),
            ]
        completed = Signal()
        with m.If(feeding & ~images.busy):
            m.d.comb += completed.eq(1)
            m.d.sync += feeding.eq(0)
        # The label is there a cycle after the last logit.
        finished, finished_bank = Signal(), Signal()
        m.d.sync += [finished.eq(answers.done & flying.any()), finished_bank.eq(answers.bank)]

        for b in range(BANKS):
            with m.If(flying[b]):
                m.d.sync += bus.cycles[b].eq(bus.cycles[b] + 1)
            with m.If(images.start & (oldest == b)):
                m.d.sync += [waiting[b].eq(0), flying[b].eq(1), bus.cycles[b].eq(0)]
            with m.If(answers.done & (answers.bank == b)):
                m.d.sync += flying[b].eq(0)
            with m.If(completed & (fed_bank == b)):
                m.d.sync += [fed[b].eq(1), bus.crc[b].eq(images.crc)]
            with m.If(finished & (finished_bank == b)):
                m.d.sync += [answered[b].eq(1), bus.label[b].eq(answers.label)]
            with m.If(fed[b] & answered[b]):
                m.d.sync += [
                    fed[b].eq(0),
                    answered[b].eq(0),
                    bus.running[b].eq(0),
                    bus.done[b].eq(1),
                ]
            with m.If(bus.empty & (bus.bank == b)):
                m.d.sync += bus.done[b].eq(0)
            with m.If(bus.run & (bus.bank == b)):
                m.d.sync += [
                    waiting[b].eq(1),
                    bus.running[b].eq(1),
                    bus.done[b].eq(0),
                    youngest.eq(b),
                ]
        return m
