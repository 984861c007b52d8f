"""Engine: the hardware of one layer, from the transfers of its sources to those it sends."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.events import EventGenerator
from spikeloom.hw.engine.feedback import Feedback
from spikeloom.hw.engine.fork import Fork
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
        Where sums wait for the neurons (``plan.queue``): clock cycles from storing the sums of a
        window to showing them to the neurons.
    SUMS_SPACE_LATENCY : int
        Where the sums of several windows wait: clock cycles from the last in which the neurons need
        sums to storing others in their place. A single place can be filled in this last cycle.

    Members
    -------
    i0, i1, ... : In(stream)
        Transfers from the source of each connection, but one that reads the layer itself.
    o : Out(stream)
        Transfers of ``plan.target``.
    tap : Out
        Debug signals; see :func:`~spikeloom.hw.engine.tap_signature`.
    counters : Out
        Counters; see :data:`COUNTERS`.
    """

    SUMS_LATENCY = 1
    SUMS_SPACE_LATENCY = 1

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan
        sources = {k: x.source.signature for k, x in enumerate(plan.readers) if not x.feedback}
        super().__init__(
            {f"i{k}": In(signature) for k, signature in sources.items()}
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
        words, waits = self._words(m, pes.depth, population)

        # All event generators get their share of a word at the same time. Value k of a word belongs
        # to generator k mod E, so that neighbouring channels go to different ones.
        generators = []
        for e in range(plan.events):
            generator = EventGenerator(
                shape_of(plan.values),
                plan.slots,
                plan.digits,
                address_bits(pes.depth),
                plan.event_queue,
            )
            m.submodules[f"events{e}"] = generator
            generators.append(generator)
        all_ready = Signal()
        m.d.comb += [
            all_ready.eq(Cat(generator.i.ready for generator in generators).all()),
            words.ready.eq(all_ready),
        ]
        for e, generator in enumerate(generators):
            m.d.comb += [
                generator.i.valid.eq(words.valid & all_ready),
                generator.i.payload.base.eq(words.payload.base),
                generator.i.payload.last.eq(words.payload.last),
            ]
            for slot in range(plan.slots):
                value = words.payload.values[slot * plan.events + e]
                m.d.comb += generator.i.payload.values[slot].eq(value)
            wiring.connect(m, generator.o, getattr(pes, f"i{e}"))
        waiting = connect_sums(m, plan, pes.o, population)
        wiring.connect(m, population.tap, wiring.flipped(self.tap))

        count_cycles(
            m,
            self.counters,
            events=pes.issued,
            working=~waits
            | Cat(generator.busy for generator in generators).any()
            | pes.busy
            | waiting
            | population.busy,
            blocked=population.blocked & (pes.stalled | ~(pes.issued.any())),
        )
        return m

    def _words(
        self, m: Module, depth: int, population: Population
    ) -> tuple[stream.Interface, Value]:
        """Return the words of all connections, window by window, and whether they wait for rows.

        The transfers of ``population`` are sent on, and to the connection that reads them here.
        """
        plan = self.plan
        readers = [Reader(reader, plan.target.lane_groups, depth) for reader in plan.readers]
        if plan.compact:
            (reader,) = readers
            m.submodules.reader0 = reader
            wiring.connect(m, wiring.flipped(self.i0), reader.i)
            wiring.connect(m, population.o, wiring.flipped(self.o))
            return reader.o, reader.waits
        layout = reader_layout(plan.values, plan.slots * plan.events, depth)
        m.submodules.gather = gather = Gather([reader.layout for reader in readers], layout)
        for k, reader in enumerate(readers):
            m.submodules[f"reader{k}"] = reader
            if reader.plan.feedback:
                m.submodules.fork = fork = Fork(plan.target.signature, 2)
                m.submodules.feedback = feedback = Feedback(plan.target)
                wiring.connect(m, population.o, fork.i)
                wiring.connect(m, fork.o0, wiring.flipped(self.o))
                wiring.connect(m, fork.o1, feedback.i)
                wiring.connect(m, feedback.o, reader.i)
            else:
                wiring.connect(m, wiring.flipped(getattr(self, f"i{k}")), reader.i)
            wiring.connect(m, reader.o, getattr(gather, f"i{k}"))
            m.d.comb += getattr(gather, f"waits{k}").eq(reader.waits)
        if not plan.layer.recurrent:
            wiring.connect(m, population.o, wiring.flipped(self.o))
        return gather.o, gather.waits


def connect_sums(
    m: Module, plan: LayerPlan, sums: stream.Interface, population: Population
) -> Value:
    """Connect sums to the neurons, through a register or a queue as planned.

    Parameters
    ----------
    m : Module
    plan : LayerPlan
    sums : stream
        The sums of each window, one for each lane.
    population : Population

    Returns
    -------
    Value
        Whether sums wait there.
    """
    shown = population.i
    if not plan.queue:
        wiring.connect(m, sums, shown)
        return Const(0)
    if plan.queue == 1:
        # All elements stand still while sums are not taken. So whether they are comes from a
        # register, which is set if there will be none here, or these will go.
        valid = Mux(sums.ready, sums.valid, shown.valid)
        m.d.sync += shown.valid.eq(valid)
        if plan.compact:
            m.d.comb += sums.ready.eq(~shown.valid | shown.ready)
        else:
            m.d.sync += sums.ready.eq(~valid | population.taking)
        with m.If(sums.ready):
            m.d.sync += shown.payload.eq(sums.payload)
        return shown.valid
    m.submodules.sums = queue = fifo.SyncFIFO(width=sums.payload.shape().size, depth=plan.queue)
    m.d.comb += [
        queue.w_data.eq(sums.payload),
        queue.w_en.eq(sums.valid),
        sums.ready.eq(queue.w_rdy),
        shown.payload.eq(queue.r_data),
        shown.valid.eq(queue.r_rdy),
        queue.r_en.eq(shown.ready),
    ]
    return queue.level != 0


def count_cycles(
    m: Module, counters: wiring.PureInterface, *, events: Value, working: Value, blocked: Value
) -> None:
    """Drive an engine's counters.

    Parameters
    ----------
    m : Module
    counters : interface of :data:`COUNTERS`
    events : Value
        Number of additions to every lane in this cycle.
    working : Value
        Whether anything is at work or waits to be taken.
    blocked : Value
        Whether the engine stands still because its target takes nothing.
    """
    works, stands = Signal(), Signal()
    m.d.comb += [works.eq(working), stands.eq(blocked)]
    # Nothing waits for a counter: a register ahead of each keeps it off the longest paths.
    counted = {
        "events": events,
        "blocked": stands,
        "cycles": works & ~stands,
        "starved": ~works & ~stands,
    }
    for name, number in counted.items():
        counter = getattr(counters, name)
        more = Signal(len(number), name=f"more_{name}")
        m.d.sync += [more.eq(number), counter.eq(counter + more)]
