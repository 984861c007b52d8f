"""Processing elements: ``acc += ±(w << shift)`` and nothing else."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.events import event_layout
from spikeloom.hw.engine.rom import Contents, add_rom, packed
from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.values import shape_of


def address_bits(depth: int) -> int:
    """Return the number of bits, at least 1, that address a memory of ``depth`` words."""
    return max((depth - 1).bit_length(), 1)


class PeArray(wiring.Component):
    """E weight banks and M accumulators: each cycle adds up to E events to every lane.

    A *bank* is a memory of weights; each stream of events addresses its own. A stream that has
    reached the end of its window waits for the others. Then the sums are offered, and the next
    window starts from zero in the next cycle.

    Parameters
    ----------
    plan : LayerPlan

    Attributes
    ----------
    STAGES : int
        Clock cycles from taking an event to adding its weights to the accumulators: one to read
        the weights, one to shift them and add those of all events. All stages stand still while
        sums are not taken.
    LATENCY : int
        Clock cycles from taking the last event of a window to offering its sums, if nothing stands
        still.
    depth : int
        Number of words in each weight bank.

    Members
    -------
    i0, i1, ... : In(stream)
        Events for each bank.
    o : Out(stream)
        The accumulator of each lane, at the end of a window.
    issued : Out(range(E + 1))
        Number of events that are taken in this cycle and add something.
    stalled : Out(1)
        Whether the pipeline stands still because its sums are not taken.
    busy : Out(1)
        Whether events or sums are in the pipeline.
    """

    STAGES = 2
    LATENCY = STAGES + 1

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan
        self.depth = plan.depth
        events = event_layout(plan.digits, address_bits(self.depth))
        sums = data.ArrayLayout(shape_of(plan.ranges.accumulator), plan.lanes)
        super().__init__(
            {f"i{e}": In(stream.Signature(events)) for e in range(plan.events)}
            | {
                "o": Out(stream.Signature(sums)),
                "issued": Out(range(plan.events + 1)),
                "stalled": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self.plan
        sources = [getattr(self, f"i{e}") for e in range(plan.events)]
        advance = Signal()

        # Stage 0: take an event from every stream whose window has not ended.
        ended = Signal(plan.events)
        taken = Signal(plan.events)
        useful = Signal(plan.events)
        ending = Signal(plan.events)
        for e, source in enumerate(sources):
            m.d.comb += [
                source.ready.eq(advance & ~ended[e]),
                taken[e].eq(source.valid & ~ended[e]),
                useful[e].eq(taken[e] & ~source.payload.null),
                ending[e].eq(ended[e] | (taken[e] & source.payload.last)),
            ]
        window_end = ending.all()
        with m.If(advance):
            m.d.sync += ended.eq(Mux(window_end, 0, ending))
            m.d.comb += self.issued.eq(_count(useful))

        # Stage 1: weights come out of the banks; shift, sign and add them.
        valid1 = Signal()
        end1 = Signal()
        terms = []
        for e, source in enumerate(sources):
            use = Signal(name=f"use{e}")
            shift = Signal.like(source.payload.shift, name=f"shift{e}")
            negative = Signal(name=f"negative{e}")
            with m.If(advance):
                m.d.sync += [
                    use.eq(useful[e]),
                    shift.eq(source.payload.shift),
                    negative.eq(source.payload.negative),
                ]
            weights = self._bank(m, e, source.payload.address, advance, platform)
            terms.append([self._term(weights[k], use, shift, negative) for k in range(plan.lanes)])
        valid2 = Signal()
        end2 = Signal()
        # Partial sums may wrap, since some digits of a value can add up to more than the value. But
        # the total is proven to fit its width, and addition is exact modulo 2^width.
        accumulator = self.o.payload.shape().elem_shape
        partial = [Signal(accumulator, name=f"partial{k}") for k in range(plan.lanes)]
        with m.If(advance):
            m.d.sync += [
                valid1.eq(taken.any()),
                end1.eq(window_end),
                valid2.eq(valid1),
                end2.eq(end1),
            ]
            m.d.sync += [partial[k].eq(sum(term[k] for term in terms)) for k in range(plan.lanes)]

        # Stage 2: accumulate. The sums of a window are offered from the accumulators themselves.
        fresh = Signal(init=1)
        m.d.comb += [
            self.stalled.eq(valid2 & self.o.valid & ~self.o.ready),
            advance.eq(~self.stalled),
            self.busy.eq(valid1 | valid2 | self.o.valid),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(advance & valid2):
            m.d.sync += [fresh.eq(end2), self.o.valid.eq(end2)]
            for k in range(plan.lanes):
                m.d.sync += self.o.payload[k].eq(Mux(fresh, 0, self.o.payload[k]) + partial[k])
        return m

    def _bank(
        self, m: Module, event: int, address: Value, enable: Value, platform: object
    ) -> data.View[object]:
        """Add a weight bank; return the weights that it read in the last cycle, one per lane."""
        plan = self.plan
        shape = shape_of(plan.weights)
        contents = Contents(
            f"{plan.layer.name}_bank{event}",
            data.ArrayLayout(shape, plan.lanes),
            packed(plan.bank(event), shape.width),
        )
        port = add_rom(m, f"bank{event}", contents, platform)
        m.d.comb += [port.addr.eq(address), port.en.eq(enable)]
        return port.data

    def _term(self, weight: Value, use: Value, shift: Value, negative: Value) -> Value:
        """Return the term that an event adds, with logic for only those digits that can occur."""
        digits = self.plan.digits
        shifted = weight << shift if digits.positions > 1 else weight
        signed = Mux(negative, -shifted, shifted) if digits.recoded else shifted
        return Mux(use, signed, 0)


def _count(bits: Signal) -> Value:
    """Return the number of bits that are set."""
    return sum((bits[k] for k in range(1, len(bits))), Cat(bits[0]))
