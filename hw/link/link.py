"""Link: the device's side of the protocol, between the pins of a UART and an accelerator."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.engine import COUNTER_BITS
from spikeloom.hw.link.frames import Deframer, FrameQueue, Framer
from spikeloom.hw.link.plan import LinkPlan
from spikeloom.hw.link.scheduler import Scheduler
from spikeloom.hw.link.server import Server
from spikeloom.hw.link.stores import Recorder
from spikeloom.hw.link.uart import UartReceiver, UartTransmitter
from spikeloom.hw.values import shape_of


class Link(wiring.Component):
    """Serves a host's requests on a UART, and sends images to an accelerator.

    Parameters
    ----------
    plan : LinkPlan

    Members
    -------
    rx : In(1), tx : Out(1)
        Pins of the UART.
    image : Out(stream)
        Values of images, back to back, for the accelerator's input.
    logits : In(stream)
        Logits from the accelerator's output, with ``value`` and ``last``.
    counters : In
        Values of the counters: an array of 32 bits each, in the order of ``plan.counters``.
    tap0, tap1, ... : In
        Taps of the layers in ``plan.records``, with ``sent`` and ``value``.
    clear : Out(1)
        High for one cycle to reset the accelerator.
    """

    def __init__(self, plan: LinkPlan) -> None:
        self.plan = plan
        logit = data.StructLayout({"value": shape_of(plan.logits), "last": 1})
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "image": Out(stream.Signature(shape_of(plan.pixels))),
                "logits": In(stream.Signature(logit)),
                "counters": In(data.ArrayLayout(COUNTER_BITS, len(plan.counters))),
                "clear": Out(1),
            }
            | {
                f"tap{k}": In(wiring.Signature({"sent": Out(1), "value": Out(record.width)}))
                for k, record in enumerate(plan.records)
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self.plan
        m.submodules.receiver = receiver = UartReceiver(plan.clock, plan.baud)
        m.submodules.deframer = deframer = Deframer()
        m.submodules.queue = queue = FrameQueue(plan.receive)
        m.submodules.server = server = Server(plan)
        m.submodules.framer = framer = Framer()
        m.submodules.transmitter = transmitter = UartTransmitter(plan.clock, plan.baud)
        scheduler = Scheduler(plan)
        # A register ahead of the reset of so much: the reply to it comes many cycles later.
        clear = Signal()
        m.d.sync += clear.eq(server.clear)
        m.submodules.scheduler = ResetInserter(clear)(scheduler)
        m.d.comb += [
            receiver.pin.eq(self.rx),
            self.tx.eq(transmitter.pin),
            self.clear.eq(clear),
            server.counters.eq(self.counters),
        ]
        wiring.connect(m, receiver.o, deframer.i)
        for name in ("put", "byte", "last", "good", "bad"):
            m.d.sync += getattr(queue, name).eq(getattr(deframer, name))
        wiring.connect(m, queue.o, server.i)
        # From the line back to the server is a long way, and a byte takes many cycles there.
        m.d.comb += server.o.ready.eq(~framer.i.valid)
        with m.If(server.o.ready):
            m.d.sync += [framer.i.valid.eq(server.o.valid), framer.i.payload.eq(server.o.payload)]
        with m.Elif(framer.i.ready):
            m.d.sync += framer.i.valid.eq(0)
        wiring.connect(m, framer.o, transmitter.i)
        wiring.connect(m, server.banks, scheduler.bus)
        wiring.connect(m, scheduler.image, wiring.flipped(self.image))
        wiring.connect(m, wiring.flipped(self.logits), scheduler.logits)

        for name, event in (("damaged", deframer.bad), ("dropped", queue.dropped)):
            count = Signal(16, name=name)
            m.d.comb += getattr(server, name).eq(count)
            with m.If(event):
                m.d.sync += count.eq(count + 1)
        for k, record in enumerate(plan.records):
            recorder = Recorder(record)
            m.submodules[f"recorder{k}"] = ResetInserter(clear)(recorder)
            tap = getattr(self, f"tap{k}")
            m.d.comb += [
                recorder.sent.eq(tap.sent),
                recorder.value.eq(tap.value),
                recorder.address.eq(server.address),
                getattr(server, f"images{k}").eq(recorder.images),
                getattr(server, f"word{k}").eq(recorder.word),
            ]
        return m
