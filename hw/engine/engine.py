"""Engine: the hardware of one layer, from the transfers of its sources to those it sends."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.events import EventGenerator
from spikeloom.hw.engine.feedback import Feedback
from spikeloom.hw.engine.fork import Fork
from spikeloom.hw.engine.gather import Gather
from spikeloom.hw.engine.pe import PeArray, address_bits
from spikeloom.hw.engine.population import Population, tap_signature
from spikeloom.hw.engine.reader import Reader, reader_layout
from spikeloom.hw.engine.sums import connect_sums
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

    All parts from the scanner of each reader to the processing elements have ``plan.copies``
    copies, which work on neighbouring windows at the same time.

    Parameters
    ----------
    plan : LayerPlan

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
        m.submodules.population = population = Population(plan)
        readers = self._readers(m, population)
        arrays, working, stalled = [], [], []
        for copy in range(plan.copies):
            number = str(copy) if plan.copies > 1 else ""
            m.submodules[f"pes{number}"] = pes = PeArray(plan)
            words, waits, taking = self._words(m, readers, copy)
            generators = self._generators(m, words, taking, pes, copy)
            arrays.append(pes)
            working += [~waits, *(x.busy for x in generators), pes.busy]
            stalled.append(pes.stalled | ~pes.issued.any())
        waiting, taken = connect_sums(m, plan, [pes.o for pes in arrays], population)
        m.d.comb += [pes.taking.eq(ahead) for pes, ahead in zip(arrays, taken, strict=True)]
        wiring.connect(m, population.tap, wiring.flipped(self.tap))

        count_cycles(
            m,
            self.counters,
            events=sum((pes.issued for pes in arrays[1:]), arrays[0].issued),
            working=Cat(*working, waiting, population.busy).any(),
            blocked=population.blocked & Cat(stalled).all(),
        )
        return m

    def _readers(self, m: Module, population: Population) -> list[Reader]:
        """Return the readers of all connections.

        The transfers of ``population`` are sent on, and to the connection that reads them here.
        """
        plan = self.plan
        readers = []
        for k, connection in enumerate(plan.readers):
            reader = Reader(connection, plan.target.lane_groups, plan.depth, plan.copies)
            m.submodules[f"reader{k}"] = reader
            readers.append(reader)
            if connection.feedback:
                m.submodules.fork = fork = Fork(plan.target.signature, 2)
                m.submodules.feedback = feedback = Feedback(plan.target)
                wiring.connect(m, population.o, fork.i)
                wiring.connect(m, fork.o0, wiring.flipped(self.o))
                wiring.connect(m, fork.o1, feedback.i)
                wiring.connect(m, feedback.o, reader.i)
            else:
                wiring.connect(m, wiring.flipped(getattr(self, f"i{k}")), reader.i)
        if not plan.layer.recurrent:
            wiring.connect(m, population.o, wiring.flipped(self.o))
        return readers

    def _words(
        self, m: Module, readers: list[Reader], copy: int
    ) -> tuple[stream.Interface, Value, Signal | None]:
        """Return the words of all connections of a copy's windows, in their order.

        Returns
        -------
        words : stream
        waits : Value
            Whether all connections wait for rows.
        taking : Signal, optional
            To be told whether words are taken in the next cycle, if anything asks.
        """
        plan = self.plan
        if plan.compact:
            (reader,) = readers
            return reader.o[copy], reader.waits[copy], None
        layout = reader_layout(plan.values, plan.slots * plan.events, plan.depth)
        gather = Gather([reader.layout for reader in readers], layout)
        m.submodules[f"gather{copy if plan.copies > 1 else ''}"] = gather
        for k, reader in enumerate(readers):
            wiring.connect(m, reader.o[copy], getattr(gather, f"i{k}"))
            m.d.comb += getattr(gather, f"waits{k}").eq(reader.waits[copy])
        return gather.o, gather.waits, gather.taking

    def _generators(
        self, m: Module, words: stream.Interface, taking: Signal | None, pes: PeArray, copy: int
    ) -> list[EventGenerator]:
        """Return the event generators between words and processing elements.

        All of them get their share of a word at the same time. Value k of a word belongs to
        generator k mod E, so that neighbouring channels go to different ones.
        """
        plan = self.plan
        generators = []
        for e in range(plan.events):
            generator = EventGenerator(
                shape_of(plan.values),
                plan.slots,
                plan.digits,
                address_bits(pes.depth),
                plan.event_queue,
            )
            m.submodules[f"events{copy * plan.events + e}"] = generator
            generators.append(generator)
        all_ready = Signal(name=f"all_ready{copy}")
        m.d.comb += [
            all_ready.eq(Cat(generator.i.ready for generator in generators).all()),
            words.ready.eq(all_ready),
        ]
        if taking is not None:
            m.d.comb += taking.eq(Cat(generator.taking for generator in generators).all())
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
        return generators


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
