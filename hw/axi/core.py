"""Core: the accelerator with its inlet for packets and its counts; a reset by CONTROL clears it."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.accelerator import Accelerator
from spikeloom.hw.axi.plan import PACKET_BITS, AxiPlan
from spikeloom.hw.axi.streams import Inlet
from spikeloom.hw.engine import COUNTERS


class Core(wiring.Component):
    """Computes the images of packets, counts them, and tells which were damaged.

    Parameters
    ----------
    plan : AxiPlan

    Members
    -------
    i : In(stream)
        Transfers of packets, with ``last``.
    o : Out(stream)
        Logits.
    broken : Out(1)
        High if the image whose last logit is offered was damaged.
    packet, skip, short, long, range
        See :class:`~spikeloom.hw.axi.streams.Inlet`.
    busy : Out(1)
        High while an image is being received or computed.
    images, spoilt, cycles : Out(32)
        Values of the registers IMAGES, BROKEN and CYCLES.
    counters__NAME : Out
        Counters of layer NAME, in a plan with counters.
    """

    def __init__(self, plan: AxiPlan) -> None:
        self.plan = plan
        members = {
            "i": In(stream.Signature(plan.beat)),
            "o": Out(plan.logit_signature),
            "broken": Out(1),
            "packet": In(PACKET_BITS, init=1),
            "skip": In(1),
            "short": Out(1),
            "long": Out(1),
            "range": Out(1),
            "busy": Out(1),
            "images": Out(32),
            "spoilt": Out(32),
            "cycles": Out(32),
        }
        if plan.plan.config.counters:
            for layer in plan.plan.layers:
                members[f"counters__{layer.layer.name}"] = Out(COUNTERS)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.accelerator = accelerator = Accelerator(self.plan.plan)
        # Queues keep outputs of the bus from depending on its inputs in the same cycle.
        m.submodules.arrived = arrived = fifo.SyncFIFO(width=self.plan.beat.size, depth=2)
        m.submodules.inlet = inlet = Inlet(self.plan)
        m.d.comb += [
            arrived.w_data.eq(self.i.payload.as_value()),
            arrived.w_en.eq(self.i.valid),
            self.i.ready.eq(arrived.w_rdy),
            inlet.i.payload.eq(arrived.r_data),
            inlet.i.valid.eq(arrived.r_rdy),
            arrived.r_en.eq(inlet.i.ready),
        ]
        wiring.connect(m, inlet.o, accelerator.i)
        for name in ("packet", "skip"):
            m.d.comb += getattr(inlet, name).eq(getattr(self, name))
        for name in ("short", "long", "range"):
            m.d.comb += getattr(self, name).eq(getattr(inlet, name))

        # Queues for the images in flight: the cycle of their start, and whether they are damaged.
        now = Signal(32)
        m.d.sync += now.eq(now + 1)
        m.submodules.starts = starts = fifo.SyncFIFO(width=32, depth=self.plan.flight)
        m.submodules.wholes = wholes = fifo.SyncFIFO(width=1, depth=self.plan.flight)
        last, leaves = accelerator.o.payload.last, Signal()
        m.d.comb += [
            inlet.hold.eq(~starts.w_rdy),
            starts.w_data.eq(now),
            starts.w_en.eq(inlet.first),
            wholes.w_data.eq(inlet.broken),
            wholes.w_en.eq(inlet.done),
            # The accelerator may give the last logit before the image's last value has arrived, if
            # the network does not use that value. The logit waits until it is known whether the
            # image was damaged.
            self.o.valid.eq(accelerator.o.valid & (~last | wholes.r_rdy)),
            self.o.payload.eq(accelerator.o.payload),
            accelerator.o.ready.eq(self.o.ready & (~last | wholes.r_rdy)),
            self.broken.eq(wholes.r_data),
            leaves.eq(self.o.valid & self.o.ready & last),
            starts.r_en.eq(leaves),
            wholes.r_en.eq(leaves),
            self.busy.eq(inlet.busy | arrived.r_rdy | starts.r_rdy),
        ]
        with m.If(leaves):
            m.d.sync += [
                self.images.eq(self.images + 1),
                self.spoilt.eq(self.spoilt + wholes.r_data),
                self.cycles.eq(now - starts.r_data + 1),
            ]
        if self.plan.plan.config.counters:
            for layer in self.plan.plan.layers:
                own = getattr(self, f"counters__{layer.layer.name}")
                counters = getattr(accelerator, f"counters__{layer.layer.name}")
                wiring.connect(m, counters, wiring.flipped(own))
        return m
