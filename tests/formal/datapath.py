"""Assertions about digits and processing elements: their sums are the mathematical sums."""

from __future__ import annotations

from amaranth.hdl import (
    Array,
    Assert,
    Assume,
    Cover,
    Elaboratable,
    Module,
    Mux,
    ResetSignal,
    Shape,
    Signal,
    Value,
    signed,
)
from amaranth.lib import data

from formal.specifications import free, free_within
from spikeloom.hw.engine.bernoulli import BernoulliCoder
from spikeloom.hw.engine.events import DigitSplitter
from spikeloom.hw.engine.pe import PeArray
from spikeloom.hw.engine.planes import PlaneSums
from spikeloom.hw.engine.zero import ZeroPoint
from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.planning.planes import PlaneSumsPlan
from spikeloom.hw.values import DigitPlan, shape_of
from spikeloom.sw.golden.streams import pixel_stream
from spikeloom.sw.network import BernoulliInput, Range, SpikeInput

_ADDRESS_BITS = 2


class ZeroHarness(Elaboratable):
    """Every pixel that leaves is one that came, less the zero point of its channel.

    Channels follow one another, whatever the stalls on both sides are.

    Parameters
    ----------
    pixels : Range
    zeros : tuple of int
    """

    def __init__(self, pixels: Range, zeros: tuple[int, ...]) -> None:
        self.pixels, self.zeros = pixels, zeros

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += Assume(~ResetSignal())
        m.submodules.unit = unit = ZeroPoint(self.pixels, self.zeros)
        pixel = free_within(m, self.pixels, "pixel")
        taken = Signal(name="taken")
        turns = Signal(range(len(self.zeros)), name="turns")
        m.d.comb += [
            unit.i.valid.eq(free(m, Shape(1), "valid")),
            unit.i.payload.eq(pixel),
            unit.o.ready.eq(free(m, Shape(1), "ready")),
            taken.eq(unit.i.valid & unit.o.ready),
            Assert(unit.o.valid == unit.i.valid),
            Assert(unit.i.ready == unit.o.ready),
            Assert(turns < len(self.zeros)),
        ]
        for channel, zero in enumerate(self.zeros):
            with m.If(turns == channel):
                m.d.comb += Assert(unit.o.payload == pixel - zero)
        m.d.comb += Cover(taken & (turns == len(self.zeros) - 1))
        with m.If(taken):
            m.d.sync += turns.eq(Mux(turns == len(self.zeros) - 1, 0, turns + 1))
        return m


class BernoulliHarness(Elaboratable):
    """Every spike is that of the contract, in its order, image after image.

    The numbers come from the contract's table, whatever the stalls on both sides are.

    Parameters
    ----------
    source : BernoulliInput
    """

    def __init__(self, source: BernoulliInput) -> None:
        self.source = source

    def elaborate(self, platform: object) -> Module:
        m = Module()
        source = self.source
        m.d.comb += Assume(~ResetSignal())
        m.submodules.unit = unit = BernoulliCoder(source)
        pixel = free_within(m, source.pixels(), "pixel")
        table = pixel_stream(SpikeInput(source.shape, source.timesteps), source.draws[None])
        draws: list[int] = table.flatten().tolist()
        taken = Signal(name="taken")
        turn = Signal(range(len(draws)), name="turn")
        last_step = Signal(name="last_step")
        m.d.comb += [
            unit.i.valid.eq(free(m, Shape(1), "valid")),
            unit.i.payload.eq(pixel),
            unit.o.ready.eq(free(m, Shape(1), "ready")),
            taken.eq(unit.i.valid & unit.o.ready),
            last_step.eq(Array(k % source.timesteps for k in range(1, len(draws) + 1))[turn] == 0),
            Assert(unit.o.valid == unit.i.valid),
            Assert(unit.i.ready == (unit.o.ready & last_step)),
            Assert(turn < len(draws)),
        ]
        for index, draw in enumerate(draws):
            with m.If(turn == index):
                m.d.comb += Assert(unit.o.payload == (draw <= pixel * source.ones))
        m.d.comb += Cover(taken & (turn == len(draws) - 1))
        with m.If(taken):
            m.d.sync += turn.eq(Mux(turn == len(draws) - 1, 0, turn + 1))
        return m


class DigitHarness(Elaboratable):
    """From any state, the events of any value in a range add up to that value.

    They come in the order of their shifts, and there are as few as in the non-adjacent form.

    Parameters
    ----------
    values : Range
    """

    def __init__(self, values: Range) -> None:
        self.values = values
        self.digits = DigitPlan.of(values)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += Assume(~ResetSignal())
        positions = self.digits.positions
        layout = data.StructLayout(
            {"value": shape_of(self.values), "address": _ADDRESS_BITS, "last": 1}
        )
        m.submodules.unit = unit = DigitSplitter(layout, self.digits, _ADDRESS_BITS)
        value = free_within(m, self.values, "value", constant=True)
        address = free(m, Shape(_ADDRESS_BITS), "address", constant=True)
        # Leftovers of the state before are sent first, then the value, and nothing after it.
        sent, done = Signal(name="sent"), Signal(name="done")
        total = Signal(signed(positions + 2), name="total")
        lowest = Signal(range(positions + 2), name="lowest")
        event = unit.o.payload
        m.d.comb += [
            unit.i.valid.eq(~sent),
            unit.i.payload.value.eq(value),
            unit.i.payload.address.eq(address),
            unit.i.payload.last.eq(1),
            unit.o.ready.eq(1),
            Cover(done),
        ]
        with m.If(unit.i.ready):
            m.d.sync += sent.eq(1)
        added = Signal(signed(positions + 2), name="added")
        terms = [Mux(event.shift == k, 1 << k, 0) for k in range(positions)]
        term = sum(terms, Value.cast(0))
        m.d.comb += added.eq(total + Mux(event.null, 0, Mux(event.negative, -term, term)))
        with m.If(unit.o.valid & sent):
            m.d.comb += [
                Assert(~done),
                Assert(event.address == address),
                Assert(event.null == (value == 0)),
                Assert(event.null | (event.shift >= lowest)),
                Assert(~event.last | (added == value)),
            ]
            gap = 2 if self.digits.recoded else 1
            m.d.sync += [total.eq(added), lowest.eq(event.shift + gap), done.eq(event.last)]
        # There is an event in every cycle until the last event.
        m.d.comb += Assert(~sent | done | unit.o.valid)
        return m


class PeHarness(Elaboratable):
    """For any events, windows and stalls, the sums of the windows leave, in order.

    Parameters
    ----------
    plan : LayerPlan
    """

    def __init__(self, plan: LayerPlan) -> None:
        self.plan = plan

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += Assume(~ResetSignal())
        plan = self.plan
        m.submodules.unit = unit = PeArray(plan)
        ready = free(m, Shape(1), "ready")
        m.d.comb += unit.taking.eq(ready)
        m.d.sync += unit.o.ready.eq(ready)
        shape = shape_of(plan.ranges.accumulator)

        # The sum of each bank's window so far, and whether the bank has ended its window.
        sums = [
            [Signal(shape, name=f"sum{e}_{k}") for k in range(plan.lanes)]
            for e in range(plan.events)
        ]
        ended = [Signal(name=f"ended{e}") for e in range(plan.events)]
        now_sums: list[list[Value]] = []
        now_ended: list[Value] = []
        for e in range(plan.events):
            port = getattr(unit, f"i{e}")
            event = free(m, Shape(port.payload.shape().size), f"event{e}")
            valid = free(m, Shape(1), f"valid{e}")
            m.d.comb += [
                port.valid.eq(valid),
                port.payload.as_value().eq(event),
                Assume(port.payload.address < unit.depth),
                Assume(port.payload.shift < plan.digits.positions),
                Assume(~port.payload.negative | int(plan.digits.recoded)),
            ]
            moved = port.valid & port.ready
            # A bank that has ended its window waits for the others.
            m.d.comb += Assert(~moved | ~ended[e])
            row = []
            for k in range(plan.lanes):
                weights = Array(word[k] for word in plan.bank(e).tolist())
                term = weights[port.payload.address] << port.payload.shift
                used = moved & ~port.payload.null
                now = Signal(shape, name=f"now{e}_{k}")
                m.d.comb += now.eq(
                    sums[e][k] + Mux(used, Mux(port.payload.negative, -term, term), 0)
                )
                row.append(now)
            now_sums.append(row)
            now_ended.append(ended[e] | (moved & port.payload.last))
        complete = Signal(name="complete")
        m.d.comb += complete.eq(~sum((~Value.cast(x)[0] for x in now_ended), Value.cast(0)).bool())
        for e in range(plan.events):
            m.d.sync += ended[e].eq(now_ended[e] & ~complete)
            m.d.sync += [sums[e][k].eq(Mux(complete, 0, now_sums[e][k])) for k in range(plan.lanes)]

        # Windows that are complete but have not left: each stage holds one at most.
        slots = 1 << unit.latency.bit_length()
        pushed, popped = Signal(range(slots), name="pushed"), Signal(range(slots), name="popped")
        waiting = Signal(range(slots + 1), name="waiting")
        left = unit.o.valid & unit.o.ready
        m.d.sync += waiting.eq(waiting + complete - left)
        m.d.comb += [
            Assert(waiting <= unit.latency),
            Assert(~unit.o.valid | (waiting > 0)),
            Cover(left),
        ]
        with m.If(complete):
            m.d.sync += pushed.eq(pushed + 1)
        with m.If(left):
            m.d.sync += popped.eq(popped + 1)
        for k in range(plan.lanes):
            expected = Array(Signal(shape, name=f"expected{k}_{s}") for s in range(slots))
            with m.If(complete):
                m.d.sync += expected[pushed].eq(sum(row[k] for row in now_sums))
            with m.If(unit.o.valid):
                m.d.comb += Assert(unit.o.payload[k] == expected[popped])
        return m


class PlaneHarness(Elaboratable):
    """For any windows and stalls, the dot products of the windows leave, in order.

    Parameters
    ----------
    plan : PlaneSumsPlan
    """

    def __init__(self, plan: PlaneSumsPlan) -> None:
        self.plan = plan

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += Assume(~ResetSignal())
        plan, (outputs, number) = self.plan, self.plan.kernel.shape
        m.submodules.unit = unit = PlaneSums(plan)
        ready = free(m, Shape(1), "ready")
        valid = free(m, Shape(1), "valid")
        window = free(m, Shape(plan.bits * number), "window")
        m.d.comb += [
            unit.o.ready.eq(ready),
            unit.i.valid.eq(valid),
            unit.i.payload.as_value().eq(window),
        ]
        # A window stays until it is taken.
        held = Signal(name="held")
        before = Signal.like(window, name="before")
        m.d.sync += [held.eq(unit.i.valid & ~unit.i.ready), before.eq(window)]
        m.d.comb += Assume(~held | (valid & (window == before)))
        values = [window.word_select(k, plan.bits) + plan.offset for k in range(number)]
        m.d.comb += [Assume(value <= plan.values.high) for value in values]

        # Windows that were taken but whose sums have not left: one for each stage and the sums.
        slots = 8
        pushed, popped = Signal(range(slots), name="pushed"), Signal(range(slots), name="popped")
        waiting = Signal(range(slots + 1), name="waiting")
        taken, left = unit.i.valid & unit.i.ready, unit.o.valid & unit.o.ready
        m.d.sync += waiting.eq(waiting + taken - left)
        m.d.comb += [Assert(waiting < slots), Assert(~unit.o.valid | (waiting > 0)), Cover(left)]
        with m.If(taken):
            m.d.sync += pushed.eq(pushed + 1)
        with m.If(left):
            m.d.sync += popped.eq(popped + 1)
        shape = shape_of(plan.sums)
        for k in range(outputs):
            weights = plan.kernel[k].tolist()
            product = sum(w * value for w, value in zip(weights, values, strict=True))
            expected = Array(Signal(shape, name=f"expected{k}_{s}") for s in range(slots))
            with m.If(taken):
                m.d.sync += expected[pushed].eq(product)
            with m.If(unit.o.valid):
                m.d.comb += Assert(unit.o.payload[k] == expected[popped])
        return m
