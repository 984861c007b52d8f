"""Engine: the hardware of one layer, from the transfers of its sources to those it sends."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.events import EventGenerator
from spikeloom.hw.engine.gather import Gather
from spikeloom.hw.engine.pe import PeArray, address_bits
from spikeloom.hw.engine.population import Population, tap_signature
from spikeloom.hw.engine.reader import Reader, reader_layout
from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.values import shape_of

#: Width of a counter, in bits; after 2^32 - 1 it starts again from 0.
COUNTER_BITS = 32

#: Signature of the counters of one engine. Every clock cycle counts in exactly one of ``cycles``
#: (the engine works), ``starved`` (it has nothing to do, because its source has not sent enough)
#: and ``blocked`` (it stands still, because its target takes nothing); ``events`` counts the
#: additions to every lane. They lag behind by :data:`~spikeloom.hw.options.COUNTERS_LATENCY`.
COUNTERS = wiring.Signature(
    {name: Out(COUNTER_BITS) for name in ("cycles", "events", "starved", "blocked")}
)


class Engine(wiring.Component):
    """A layer's hardware: readers, event generators, processing elements and neurons.

    Parameters
    ----------
    plan : LayerPlan

    Attributes
    ----------
    SUMS_LATENCY : int
        Where sums may wait for the neurons (``plan.queue``): clock cycles from storing the sums of
        a window to handing them to the neurons, and from handing sums to the neurons to storing
        others in their place.

    Members
    -------
    i0, i1, ... : In(stream)
        Transfers from the source of each connection.
    o : Out(stream)
        Transfers of ``plan.target``.
    tap : Out
        Debug signals; see :func:`~spikeloom.hw.engine.tap_signature`.
    counters : Out
        Counters; see :data:`COUNTERS`.
    """

    SUMS_LATENCY = 1

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan
        super().__init__(
            {f"i{k}": In(reader.source.signature) for k, reader in enumerate(plan.readers)}
            | {
                "o": Out(plan.target.signature),
                "tap": Out(tap_signature(plan)),
                "counters": Out(COUNTERS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self.plan
        m.submodules.pes = pes = PeArray(plan)
        m.submodules.population = population = Population(plan)
        m.submodules.gather = gather = self._gathered(m, pes.depth)

        # All event generators get their share of a word at the same time. Value k of a word belongs
        # to generator k mod E, so that neighbouring channels go to different ones.
        value = shape_of(plan.values)
        generators = []
        for e in range(plan.events):
            generator = EventGenerator(
                value, plan.slots, plan.digits, address_bits(pes.depth), plan.event_queue
            )
            m.submodules[f"events{e}"] = generator
            generators.append(generator)
        all_ready = Signal()
        m.d.comb += [
            all_ready.eq(Cat(generator.i.ready for generator in generators).all()),
            gather.o.ready.eq(all_ready),
        ]
        for e, generator in enumerate(generators):
            m.d.comb += [
                generator.i.valid.eq(gather.o.valid & all_ready),
                generator.i.payload.base.eq(gather.o.payload.base),
                generator.i.payload.last.eq(gather.o.payload.last),
            ]
            for slot in range(plan.slots):
                word = gather.o.payload.values
                m.d.comb += generator.i.payload.values[slot].eq(word[slot * plan.events + e])
            wiring.connect(m, generator.o, getattr(pes, f"i{e}"))
        waiting = self._connect_sums(m, pes, population)
        wiring.connect(m, population.o, wiring.flipped(self.o))
        wiring.connect(m, population.tap, wiring.flipped(self.tap))

        working = Signal()
        blocked = Signal()
        m.d.comb += [
            working.eq(
                ~gather.waits
                | Cat(generator.busy for generator in generators).any()
                | pes.busy
                | waiting
                | population.busy
            ),
            blocked.eq(population.blocked & (pes.stalled | ~(pes.issued.any()))),
        ]
        # Nothing waits for a counter: a register ahead of each keeps it off the longest paths.
        counters = self.counters
        counted = {
            "events": pes.issued,
            "blocked": blocked,
            "cycles": working & ~blocked,
            "starved": ~working & ~blocked,
        }
        for name, number in counted.items():
            counter = getattr(counters, name)
            more = Signal(len(number), name=f"more_{name}")
            m.d.sync += [more.eq(number), counter.eq(counter + more)]
        return m

    def _gathered(self, m: Module, depth: int) -> Gather:
        """Return a component that sends the words of all connections, window by window."""
        plan = self.plan
        readers = [Reader(reader, plan.target.lane_groups, depth) for reader in plan.readers]
        layout = reader_layout(plan.values, plan.slots * plan.events, depth)
        gather = Gather([reader.layout for reader in readers], layout)
        for k, reader in enumerate(readers):
            m.submodules[f"reader{k}"] = reader
            wiring.connect(m, wiring.flipped(getattr(self, f"i{k}")), reader.i)
            wiring.connect(m, reader.o, getattr(gather, f"i{k}"))
            m.d.comb += getattr(gather, f"waits{k}").eq(reader.waits)
        return gather

    def _connect_sums(self, m: Module, pes: PeArray, population: Population) -> Value:
        """Connect the sums to the neurons, through a queue if one is planned.

        Returns
        -------
        Value
            Whether sums wait in the queue.
        """
        if not self.plan.queue:
            wiring.connect(m, pes.o, population.i)
            return Const(0)
        m.submodules.sums = sums = fifo.SyncFIFO(
            width=pes.o.payload.shape().size, depth=self.plan.queue
        )
        m.d.comb += [
            sums.w_data.eq(pes.o.payload),
            sums.w_en.eq(pes.o.valid),
            pes.o.ready.eq(sums.w_rdy),
            population.i.payload.eq(sums.r_data),
            population.i.valid.eq(sums.r_rdy),
            sums.r_en.eq(population.i.ready),
        ]
        return sums.level != 0
