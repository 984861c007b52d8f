"""Plane sums: the sums of a window by tables of constants and adders, some bit planes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.planning.planes import PlaneSumsPlan, Table
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import Range


@dataclass(frozen=True)
class _Term:
    """A number that is to be added, and its range."""

    value: Value
    range: Range


class PlaneSums(wiring.Component):
    """Adds up windows: ``acc = (acc << P) + D`` for P bit planes per clock cycle.

    A window is taken in the cycle of its last planes, so that the next one follows at once. D comes
    through a pipeline: a register for the planes of the values, unless all of them are added at
    once, one for the tables, and one for each level of the adder tree. All of it stands still while
    sums are not taken and the next window's would replace them.

    Parameters
    ----------
    plan : PlaneSumsPlan

    Attributes
    ----------
    OFFERED : int
        Clock cycles from adding to the accumulators to offering them as sums.

    Members
    -------
    i : In(stream)
        Windows: values less ``plan.offset``.
    o : Out(stream)
        Sums of the values times the weights, one per output.
    issued : Out(1)
        Whether planes of a window go into the pipeline in this cycle.
    busy : Out(1)
        Whether planes or sums are in the pipeline.
    """

    OFFERED = 1

    def __init__(self, plan: PlaneSumsPlan) -> None:
        self.plan = plan
        window = data.ArrayLayout(unsigned(plan.bits), plan.kernel.shape[1])
        sums = data.ArrayLayout(shape_of(plan.sums), len(plan.kernel))
        super().__init__(
            {
                "i": In(stream.Signature(window)),
                "o": Out(stream.Signature(sums)),
                "issued": Out(1),
                "busy": Out(1),
            }
        )

    @staticmethod
    def stages(plan: PlaneSumsPlan) -> int:
        """Return the clock cycles from issuing planes to adding them to the accumulators."""
        return (1 if plan.steps > 1 else 0) + 1 + plan.levels

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plan, steps = self.plan, self.plan.steps
        advance = Signal()
        filled = Signal(self.stages(plan))
        arriving = filled[-1]
        m.d.comb += [
            advance.eq(~(arriving & self.o.valid & ~self.o.ready)),
            self.issued.eq(self.i.valid & advance),
            self.busy.eq(filled.any() | self.o.valid),
        ]
        with m.If(advance):
            m.d.sync += filled.eq(Cat(self.i.valid, filled)[: len(filled)])

        # The planes of each value, the most significant first.
        left = Signal(range(steps), init=steps - 1)
        m.d.comb += self.i.ready.eq(advance & (left == 0))
        with m.If(self.issued):
            m.d.sync += left.eq(Mux(left == 0, steps - 1, left - 1))
        planes = []
        for k in range(plan.kernel.shape[1]):
            value, size = self.i.payload[k], plan.planes
            parts = Array(value[size * step : size * (step + 1)] for step in range(steps))
            if steps == 1:
                planes.append(value)
                continue
            now = Signal(size, name=f"planes{k}")
            planes.append(now)
            with m.If(advance):
                m.d.sync += now.eq(parts[left])

        # Which planes arrive at the accumulators; the first replace what is left there.
        step = Signal(range(steps))
        with m.If(advance & arriving):
            m.d.sync += step.eq(Mux(step == steps - 1, 0, step + 1))
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(advance & arriving):
            m.d.sync += self.o.valid.eq(step == steps - 1)
        for k, tables in enumerate(plan.tables):
            terms = [
                _tables(m, advance, [value[p] for value in planes], tables, f"{k}_{p}")
                for p in range(plan.planes)
            ]
            total = _added(m, advance, terms, plan, f"{k}")
            with m.If(advance & arriving):
                m.d.sync += self.o.payload[k].eq(self._before(k, step) + total)
        return m

    def _before(self, output: int, step: Signal) -> Value:
        """Return what the planes of a step add to: the sum so far, moved up by their number.

        The constant comes in by digits of as many bits, in the places that become free.
        """
        size, steps = self.plan.planes, self.plan.steps
        constant, sums = self.plan.constants[output], Value.cast(self.o.payload[output])
        first = Const(constant >> size * steps & (1 << len(sums)) - 1, len(sums))
        digits = [constant >> size * k & (1 << size) - 1 for k in reversed(range(steps))]
        digit = Array(Const(digit, size) for digit in digits)[step]
        return Cat(digit, Mux(step == 0, first, sums))


def _tables(
    m: Module, advance: Value, bits: Sequence[Value], tables: Sequence[Table], name: str
) -> list[_Term]:
    """Return the terms of a plane, out of the tables of one output, through registers.

    Parameters
    ----------
    m : Module
    advance : Value
        Whether registers load.
    bits : sequence of Value
        The bit of each value of the window.
    tables : sequence of Table
    name : str
        End of the names of signals.
    """
    terms = []
    for k, table in enumerate(tables):
        term = Signal(shape_of(table.range), name=f"term{k}_{name}")
        words = Array(Const(word, term.shape()) for word in table.words)
        with m.If(advance):
            m.d.sync += term.eq(words[Cat(bits[index] for index in table.indices)])
        terms.append(_Term(term, table.range))
    return terms


def _added(
    m: Module, advance: Value, planes: list[list[_Term]], plan: PlaneSumsPlan, name: str
) -> Value:
    """Return the sum of the terms of all planes, each plane worth twice the one before.

    Adders of two terms lie between registers, on ``plan.levels`` levels for every output.
    """
    number = 0

    def register(value: Value, values: Range) -> _Term:
        nonlocal number
        result = Signal(shape_of(values), name=f"sum{number}_{name}")
        number += 1
        with m.If(advance):
            m.d.sync += result.eq(value)
        return _Term(result, values)

    def paired(terms: list[_Term], shift: int) -> list[_Term]:
        """Return a level: the sums of neighbours, of which the second counts 2^shift times."""
        added = []
        for k in range(0, len(terms), 2):
            low = terms[k]
            if k + 1 == len(terms):
                added.append(register(low.value, low.range))
                continue
            high = terms[k + 1]
            # The low bits pass by the adder.
            upper = high.value + (low.value >> shift)
            values = low.range + high.range.times(1 << shift)
            together = Cat(low.value[:shift], upper) if shift else upper
            added.append(register(together, values))
        return added

    for _ in range(plan.table_levels):
        planes = [paired(terms, 0) for terms in planes]
    if not planes[0]:
        return Const(0)
    terms = [terms[0] for terms in planes]
    shift = 1
    while len(terms) > 1:
        terms = paired(terms, shift)
        shift *= 2
    return terms[0].value
