"""Scheduler: computes the images of the banks in turn, and keeps the state and result of each."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.link.plan import BANKS, LinkPlan
from spikeloom.hw.link.stores import ImageStore, LogitStore
from spikeloom.hw.values import shape_of

#: Bits of the number of clock cycles in a result.
CYCLE_BITS = 32


def bank_signature(plan: LinkPlan) -> wiring.Signature:
    """Return the signature of the bus by which the server commands the banks.

    A bank holds one image and its result.

    Parameters
    ----------
    plan : LinkPlan

    Members
    -------
    write : Out(1), address : Out, byte : Out(8)
        Write port for images; see :class:`~spikeloom.hw.link.stores.ImageStore`.
    bank : Out(1)
        Bank that ``empty`` and ``run`` refer to. It must not be running when one of them is high.
    empty : Out(1)
        Discards the result of the bank, whose image is about to be written.
    run : Out(1)
        Starts to compute the image of the bank.
    running, done : In(2)
        State of each bank, one bit a bank; a bank with neither is empty.
    crc, cycles, label : In
        Result of each bank, in an array.
    fed : In(8)
        Number of images that were sent to the accelerator, modulo 256.
    any : In(1)
        High once an image has been sent to the accelerator.
    last_crc : In(32)
        CRC-32 of the last image that was sent to the accelerator, valid while no bank is running.
    logit_address : Out, logit : In
        Read port for logits; see :class:`~spikeloom.hw.link.stores.LogitStore`.
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
    """Computes the images of the banks, in the order of the requests, and keeps the results.

    Parameters
    ----------
    plan : LinkPlan

    Members
    -------
    bus : In
        Commands and results; see :func:`bank_signature`.
    image : Out(stream), logits : In(stream)
        Input and output of the accelerator.
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

        # An image waits, is then fed to the accelerator, and is in flight until its last logit has
        # arrived. Its bank is done once the whole image was fed and all logits have arrived, in
        # either order: the last logit may not depend on the last rows of the image.
        waiting, flying, fed, answered = (
            Signal(BANKS, name=n) for n in ("wait", "fly", "in", "out")
        )
        youngest = Signal()
        feeding, fed_bank = Signal(), Signal()

        # If both are waiting, the older one is the one that was not requested last.
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
        # The label follows the last logit some cycles later.
        finished: Value = answers.done & flying.any()
        finished_bank: Value = answers.bank
        for k in range(LogitStore.LATENCY):
            then, bank = Signal(name=f"finished{k}"), Signal(name=f"finished_bank{k}")
            m.d.sync += [then.eq(finished), bank.eq(finished_bank)]
            finished, finished_bank = then, bank

        for b in range(BANKS):
            with m.If(flying[b]):
                m.d.sync += bus.cycles[b].eq(bus.cycles[b] + 1)
            with m.If(images.start & (oldest == b)):
                # Clock cycles are those of the accelerator: the image's first value is on its way
                # from the memory for one cycle more.
                m.d.sync += [waiting[b].eq(0), flying[b].eq(1), bus.cycles[b].eq(-1)]
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
