"""Processing elements: ``acc += ±(w << shift)`` and nothing else."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.engine.events import event_layout
from spikeloom.hw.engine.rom import Contents, add_rom, packed
from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.planning.weights import WeightMemory
from spikeloom.hw.values import DigitPlan, shape_of


def address_bits(depth: int) -> int:
    """Return the number of bits, at least 1, that address a memory of ``depth`` words."""
    return max((depth - 1).bit_length(), 1)


def stages(plan: LayerPlan) -> int:
    """Return how many stages the processing elements of a layer have.

    One reads the weights of an event, the next ones choose and shift them, and each further one
    halves the number of terms that E events add in a cycle. The last one is the accumulator's
    adder.
    """
    return 1 + _shift_stages(plan) + (plan.events - 1).bit_length()


def shift_levels(digits: DigitPlan) -> int:
    """Return the number of levels of a lane's shifter, for shifts by 1, by 2, by 4 and so on."""
    return (digits.positions - 1).bit_length()


def _shift_stages(plan: LayerPlan) -> int:
    """Return the number of registers that a term goes through before it is added.

    There is one behind the choice between several memories, and one behind each level of the
    shifter but the last. With a single level between registers a bit costs one look-up table; of
    several, synthesis makes wider ones, which are faster but take three times as many.
    """
    return max(_choices(plan) + shift_levels(plan.digits) - 1, 1)


def _choices(plan: LayerPlan) -> int:
    """Return 1 if a weight bank has several memories, and else 0."""
    return int(len(plan.memories) > 1)


class PeArray(wiring.Component):
    """E weight banks and M accumulators: each cycle adds up to E events to every lane.

    A *bank* is a memory of weights; each stream of events addresses its own. A stream that has
    reached the end of its window waits for the others. The sums of a window are offered in the
    cycle in which its last terms are added, from the adders themselves; when they are taken, the
    accumulators are cleared, and the next window's first terms may follow in the next cycle.

    A lane is little more than its adders. A negative term is subtracted by the adder that adds it:
    ``-x`` is ``~x + 1``, and the one is the adder's carry. The terms of several events are added
    two by two, with a register behind each adder, so that synthesis makes one chain of carries of
    each.

    Parameters
    ----------
    plan : LayerPlan

    Attributes
    ----------
    latency : int
        Clock cycles from taking the last event of a window to offering its sums, if nothing stands
        still; see :func:`stages`. All stages stand still while sums are not taken.
    depth : int
        Number of words in each weight bank.

    Members
    -------
    i0, i1, ... : In(stream)
        Events for each bank.
    o : Out(stream)
        The sum of each lane, at the end of a window.
    taking : In(1)
        Whether ``o`` is ready in the next cycle. So it comes from a register whether all stages go
        on; in a compact engine, it comes from ``o`` itself.
    issued : Out(range(E + 1))
        Number of events that are taken in this cycle and add something.
    stalled : Out(1)
        Whether the pipeline stands still because its sums are not taken.
    busy : Out(1)
        Whether events or sums are in the pipeline.
    """

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan
        self.depth = plan.depth
        self.latency = stages(plan)
        events = event_layout(plan.digits, address_bits(self.depth))
        sums = data.ArrayLayout(shape_of(plan.ranges.accumulator), plan.lanes)
        super().__init__(
            {f"i{e}": In(stream.Signature(events)) for e in range(plan.events)}
            | {
                "o": Out(stream.Signature(sums)),
                "taking": In(1),
                "issued": Out(range(plan.events + 1)),
                "stalled": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan = self.plan
        sources = [getattr(self, f"i{e}") for e in range(plan.events)]
        advance = Signal(init=1)

        # Take an event from every stream whose window has not ended.
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

        # One bit for each stage: whether it holds events, and whether these end a window.
        valid, end = Signal(self.latency), Signal(self.latency)
        with m.If(advance):
            m.d.sync += [
                valid.eq(Cat(taken.any(), valid[:-1])),
                end.eq(Cat(window_end, end[:-1])),
            ]
        # They stand still while sums are offered and not taken.
        if plan.compact:
            m.d.comb += advance.eq(~end[-1] | self.o.ready)
        else:
            m.d.sync += advance.eq(~(end[-2] | ~advance) | self.taking)
        m.d.comb += [
            self.o.valid.eq(end[-1]),
            self.stalled.eq(~advance),
            self.busy.eq(valid.any()),
        ]

        terms, carries = [], []
        for e, source in enumerate(sources):
            lanes, negative = self._terms(m, e, source.payload, useful[e], advance, platform)
            terms.append(lanes)
            carries += [negative] if plan.digits.recoded else []
        while len(terms) > 1:
            terms, carries = self._level(m, terms, carries, advance)
        # Partial sums may wrap, since some digits of a value can add up to more than the value. But
        # the total is proven to fit its width, and addition is exact modulo 2^width.
        for k, term in enumerate(terms[0]):
            accumulator = Signal.like(self.o.payload[k], name=f"accumulator{k}")
            m.d.comb += self.o.payload[k].eq(_sum(accumulator, term, carries))
            # Registers have an input that clears them. In any other form, clearing costs a
            # look-up table for each bit.
            with m.If(advance):
                m.d.sync += accumulator.eq(self.o.payload[k])
            with m.If(advance & end[-1]):
                m.d.sync += accumulator.eq(0)
        return m

    def _terms(
        self,
        m: Module,
        event: int,
        payload: data.View[object],
        use: Value,
        advance: Value,
        platform: object,
    ) -> tuple[list[Value], Value]:
        """Read and shift the weights of one stream's events.

        Returns
        -------
        list of Value
            The term of each lane, less 1 if it is negative; 0 if the event adds nothing.
        Value
            Whether it is negative.
        """
        plan = self.plan
        recoded, levels, registers = (
            plan.digits.recoded,
            shift_levels(plan.digits),
            _shift_stages(plan),
        )
        unshifted = _choices(plan)
        # What is known of the event, in the cycle in which its weights are read, and in the cycles
        # in which they are in each of the registers that follow.
        shifts = [
            Signal.like(payload.shift, name=f"shift{event}_{n}") for n in range(registers + 1)
        ]
        negatives = [Signal(name=f"negative{event}_{n}") for n in range(registers + 1)]
        used = Signal(name=f"used{event}")
        with m.If(advance):
            m.d.sync += [used.eq(use), shifts[0].eq(payload.shift)]
            m.d.sync += negatives[0].eq(payload.negative & use)
            for n in range(registers):
                m.d.sync += [shifts[n + 1].eq(shifts[n]), negatives[n + 1].eq(negatives[n])]
        weights, missed = self._bank(m, event, payload.address, advance, platform)
        # A lane without a weight is cleared: then its term must not be inverted yet.
        single = any(store.single for store in plan.stores)
        early = recoded and levels <= registers - unshifted and not single
        lanes = []
        for k in range(plan.lanes):
            value = weights[k]
            for n in range(registers):
                # Small shifts come first, since they widen their results the least.
                level = n - unshifted
                if 0 <= level < levels:
                    value = self._shifted(m, value, shifts[n], level, f"{event}_{k}")
                if early:
                    value = _inverted(value, negatives[n])
                held = Signal(_cut(value.shape(), self._width), name=f"term{event}_{k}_{n}")
                with m.If(advance):
                    m.d.sync += held.eq(value)
                if n == 0:
                    with m.If(advance & (~used | missed[k])):
                        m.d.sync += held.eq(0)
                value = held
            level = registers - unshifted
            if level < levels:
                value = self._shifted(m, value, shifts[-1], level, f"{event}_{k}")
            lanes.append(_inverted(value, negatives[-1]) if recoded and not early else value)
        return lanes, negatives[-1]

    @property
    def _width(self) -> int:
        """Width of an accumulator: terms need no more, since higher bits never matter."""
        return shape_of(self.plan.ranges.accumulator).width

    def _shifted(self, m: Module, value: Value, shift: Value, level: int, name: str) -> Value:
        """Return ``value``, shifted by 2^level if this bit of ``shift`` is set.

        The result is as wide as the shifts up to here can make a weight.
        """
        shape = value.shape()
        most = min((2 << level) - 1, self.plan.digits.positions - 1)
        so_far = (1 << level) - 1
        shape = _cut(Shape(shape.width + most - so_far, shape.signed), self._width)
        shifted = Signal(shape, name=f"shifted{name}_{level}")
        m.d.comb += shifted.eq(Mux(shift[level], value << (1 << level), value))
        return shifted

    def _level(
        self, m: Module, terms: list[list[Value]], carries: list[Value], advance: Value
    ) -> tuple[list[list[Value]], list[Value]]:
        """Add terms two by two, and one carry in each sum; all that is left over waits a cycle."""
        carries = list(carries)
        added: list[list[Value]] = []
        for one, other in zip(terms[::2], terms[1::2], strict=False):
            carry = [carries.pop()] if carries else []
            added.append([_sum(a, b, carry) for a, b in zip(one, other, strict=True)])
        added += [terms[-1]] if len(terms) % 2 else []
        held = []
        with m.If(advance):
            for group in added:
                held.append([Signal(_cut(term.shape(), self._width)) for term in group])
                m.d.sync += [a.eq(b) for a, b in zip(held[-1], group, strict=True)]
            left = [Signal() for _ in carries]
            m.d.sync += [a.eq(b) for a, b in zip(left, carries, strict=True)]
        return held, left

    def _bank(
        self, m: Module, event: int, address: Value, enable: Value, platform: object
    ) -> tuple[list[Value], list[Value]]:
        """Add the memories of a weight bank.

        Returns
        -------
        list of Value
            The weight of each lane that was read in the last cycle.
        list of Value
            Whether each lane has none, so that its weight must be taken for 0.
        """
        plan = self.plan
        several = len(plan.memories) > 1
        weights: list[Value] = []
        missed: list[Value] = [Const(0)] * plan.lanes
        for n, memory in enumerate(plan.memories):
            name = f"bank{event}_{n}" if several else f"bank{event}"
            label = f"{plan.layer.name}_{name}"
            port = add_rom(m, name, _contents(memory, label, event), platform)
            inside = Signal(address_bits(memory.depth), name=f"inside{event}_{n}")
            m.d.comb += [
                inside.eq(address - memory.first),
                port.addr.eq(inside),
                port.en.eq(enable),
            ]
            mine: list[Value]
            if memory.store.single:
                mine = [port.data.weight] * plan.lanes
                misses: list[Value] = [port.data.lane != k for k in range(plan.lanes)]
            else:
                mine, misses = list(port.data), [Const(0)] * plan.lanes
            if n == 0:
                weights, missed = mine, misses
                continue
            here = Signal(name=f"here{event}_{n}")
            with m.If(enable):
                m.d.sync += here.eq(address >= memory.first)
            weights = [self._chosen(m, here, *pair) for pair in zip(mine, weights, strict=True)]
            missed = [Mux(here, a, b) for a, b in zip(misses, missed, strict=True)]
        return weights, missed

    def _chosen(self, m: Module, here: Value, one: Value, other: Value) -> Value:
        """Return a weight of one memory or the other, as wide as in any."""
        weight = Signal(shape_of(self.plan.weights))
        m.d.comb += weight.eq(Mux(here, one, other))
        return weight


def _contents(memory: WeightMemory, label: str, event: int) -> Contents:
    """Return the contents of one of the memories of a weight bank."""
    store, bank = memory.store, memory.bank(event)
    shape = shape_of(store.weights)
    if not store.single:
        layout = data.ArrayLayout(shape, store.lanes)
        return Contents(label, layout, packed(bank, shape.width), memory.block)
    layout = data.StructLayout({"weight": shape, "lane": range(store.lanes)})
    lanes = np.abs(bank).argmax(1)
    weights = bank[np.arange(len(bank)), lanes] & (1 << shape.width) - 1
    return Contents(label, layout, (lanes << shape.width | weights).tolist())


def _cut(shape: Shape, width: int) -> Shape:
    """Return a shape of at most ``width`` bits."""
    return Shape(min(shape.width, width), shape.signed)


def _inverted(value: Value, negative: Value) -> Value:
    """Return ``~value`` if ``negative`` is set, with a sign."""
    if not value.shape().signed:
        value = Cat(value, Const(0, 1))
    # Of a signed and an unsigned value, Amaranth would make a result of one more bit.
    return (value.as_unsigned() ^ negative.replicate(value.shape().width)).as_signed()


def _sum(one: Value, other: Value, carries: list[Value]) -> Value:
    """Return the sum of two values, and of one carry if there is one.

    The carry comes from below: two equal bits beneath the lowest add up to it. Synthesis would make
    a second chain of a sum of three.
    """
    if not carries:
        return one + other
    (carry,) = carries
    shape = (one + other).shape()
    low = [Cat(carry, _extended(value, shape.width)) for value in (one, other)]
    total = (low[0] + low[1])[1 : shape.width + 1]
    return total.as_signed() if shape.signed else total


def _extended(value: Value, width: int) -> Value:
    """Return the lowest ``width`` bits of a value, or more bits of the same number."""
    shape = value.shape()
    more = max(width - shape.width, 0)
    fill = value[-1].replicate(more) if shape.signed else Const(0, more)
    return Cat(value, fill)[:width]


def _count(bits: Signal) -> Value:
    """Return the number of bits that are set."""
    return sum((bits[k] for k in range(1, len(bits))), Cat(bits[0]))
