"""Menus: the engines that a layer can have, from which the cheapest that is fast enough is taken.

A menu is for given lanes of the layer's sources, which decide what words and events there can be.
Engines are planned when they are asked for, and their resources are counted only of those that are
fast enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from spikeloom.hw.options import SLOTS
from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.search.budget import Amounts, Budget, Prices
from spikeloom.hw.search.load import FloatArray

#: Numbers of events per cycle and of slots to try.
EVENTS = (1, 2, 3, 4, 6, 8, 12, 16)
SLOT_NUMBERS = (1, 2, 4, 8, 16)
#: Numbers of bit planes per cycle of unrolled layers to try.
PLANES = (1, 2, 3, 4, 5, 6, 8, 16)
#: Numbers of lanes above the fewest that are always compared.
_NEAR = 2
#: Share of the weight of an engine with one lane that all with more lanes have at least: their
#: words may be of a better width for block RAM.
_LEAST = 0.9


@dataclass(frozen=True)
class Choice:
    """The parameters of one engine.

    Parameters
    ----------
    lanes, events, slots : int
        M, E, and the values of a word for each of the E event generators.
    planes : int or None
        P of an unrolled layer.
    units : int or None
        U, neuron units; if None, as many as the planner thinks fast enough.
    copies : int
        C, copies of the engine.
    """

    lanes: int = 1
    events: int = 1
    slots: int = SLOTS
    planes: int | None = None
    units: int | None = None
    copies: int = 1


@dataclass(frozen=True, eq=False)
class EngineCost:
    """The cost of the engine of one choice.

    Parameters
    ----------
    choice : Choice
    lines : array of float64, shape (images, lines)
        Estimated clock cycles of each line of windows.
    plan : LayerPlan
        The engine.
    budget : Budget
        Its estimates of resources are used.
    """

    choice: Choice
    lines: FloatArray
    plan: LayerPlan
    budget: Budget

    @cached_property
    def cycles(self) -> float:
        """Estimated clock cycles per image."""
        return float(self.lines.sum(1).mean())

    @cached_property
    def amounts(self) -> Amounts:
        """Resources."""
        return self.budget.engine(self.plan)

    @cached_property
    def shares(self) -> Prices:
        """Shares of the budget that the resources are."""
        return self.budget.shares(self.amounts)

    def weight(self, prices: Prices) -> float:
        """Return the resources as one number, as of :meth:`Budget.weight`."""
        return self.logic(prices) + prices.block_ram * self.shares.block_ram

    def logic(self, prices: Prices) -> float:
        """Return the part of the weight that never falls with more lanes."""
        return prices.luts * self.shares.luts + prices.flipflops * self.shares.flipflops

    @property
    def target(self) -> StreamPlan:
        """The stream that it sends."""
        return self.plan.target

    @property
    def words(self) -> tuple[int, ...]:
        """Values of a word, by connection."""
        return tuple(reader.windows.buffer.word_values for reader in self.plan.readers)

    @property
    def alike(self) -> bool:
        """Whether all lane groups read the same words.

        Cycles are then proportional to their number.
        """
        return not any(reader.windows.share for reader in self.plan.readers)


class Menu:
    """The engines that a layer can have behind sources of given lanes.

    Parameters
    ----------
    made : callable
        Returns the cost of the engine of a choice; None if there is no such engine.
    lanes, copies : sequence of int
        M and C to try, the fewest first.
    shareable : bool
        Whether neuron units can serve several lanes.
    budget : Budget
    """

    def __init__(
        self,
        made: Callable[[Choice], EngineCost | None],
        lanes: Sequence[int],
        copies: Sequence[int],
        shareable: bool,
        budget: Budget,
    ) -> None:
        self.lanes, self.copies, self.budget = lanes, copies, budget
        self._made, self._shareable = made, shareable
        self._known: dict[Choice, EngineCost | None] = {}
        self._rows: dict[tuple[int, int, int, int], _Row] = {}

    def cost(self, choice: Choice) -> EngineCost | None:
        """Return what an engine takes; None if there is none of this choice."""
        if choice not in self._known:
            self._known[choice] = self._made(choice)
        return self._known[choice]

    def units(self, lanes: int) -> list[int]:
        """Return the numbers of neuron units that M lanes can have, the fewest first."""
        if not self._shareable:
            return [lanes]
        return [n for n in range(1, lanes + 1) if lanes % n == 0]

    @cached_property
    def options(self) -> list[tuple[int, int]]:
        """The pairs of E and slots that differ, the smallest first."""
        found: dict[tuple[object, ...], EngineCost] = {}
        for events in EVENTS:
            for slots in SLOT_NUMBERS:
                cost = self.cost(Choice(1, events, slots))
                if cost is not None:
                    found.setdefault((events, *cost.words), cost)
        # Of two that differ in nothing but words, the one that is worse in all respects is worse
        # with more lanes as well.
        return [
            (cost.choice.events, cost.choice.slots)
            for cost in found.values()
            if not any(
                other.choice.events <= cost.choice.events and _better(other, cost)
                for other in found.values()
            )
        ]

    @cached_property
    def unrolled(self) -> list[EngineCost]:
        """The engines of an unrolled layer, the smallest first; none if it is not to be one.

        Those that have no room in the budget, even alone, are left out.
        """
        found: list[EngineCost] = []
        for planes in PLANES:
            cost = self.cost(Choice(self.lanes[-1], planes=planes))
            if cost is None or cost.amounts.luts > self.budget.luts:
                break
            found.append(cost)
        return found

    def cheapest(self, cycles: float, prices: Prices, lanes: int | None = None) -> Choice | None:
        """Return the choice of least weight that takes at most some estimated cycles.

        Parameters
        ----------
        cycles : float
        prices : Prices
            What a share of each resource counts.
        lanes : int, optional
            The only M to try.
        """
        best, least = None, math.inf
        ms = self.lanes if lanes is None else [lanes]
        for events, slots in self.options:
            single = self.cost(Choice(1, events, slots))
            assert single is not None, "options are of engines that exist"
            if _LEAST * single.weight(prices) >= least:
                continue
            low = self._fewest(cycles, ms, events, slots)
            if low == len(ms):
                found = self._copied(cycles, ms[-1], events, slots)
                if found is not None and found.weight(prices) < least:
                    best, least = found, found.weight(prices)
                continue
            # A few lanes more may waste less of the width or the depth of block RAMs.
            near = low + 1 + _NEAR
            for m in [*ms[low:near], *(m for m in ms[near:] if ms[-1] % m == 0)]:
                found = self._row(events, slots, m).fewest(cycles)
                if found is None:
                    continue
                if found.weight(prices) < least:
                    best, least = found, found.weight(prices)
                if found.logic(prices) >= least:
                    break
        if ms[-1] == self.lanes[-1]:
            for found in self.unrolled:
                if found.cycles <= cycles and found.weight(prices) < least:
                    best, least = found, found.weight(prices)
        return None if best is None else best.choice

    def near(self, choice: Choice) -> list[Choice]:
        """Return choices that are a step away from one: other lanes, events, slots, units, copies.

        Of an unrolled layer, these are all other numbers of planes.
        """
        unrolled = [cost.choice for cost in self.unrolled if cost.choice != choice]
        if choice.planes is not None:
            return unrolled
        found = []
        events = (choice.events, *_around(EVENTS, choice.events, 1))
        words = [(e, s) for e, s in self.options if e in events]
        for m in (choice.lanes, *_around(self.lanes, choice.lanes, 2)):
            if choice.copies > 1 and m < self.lanes[-1]:
                continue
            most = max(choice.units or 1, self.units(m)[0])
            units = max(n for n in self.units(m) if n <= most)
            alike = replace(choice, lanes=m, units=units)
            # Other lanes often go with other words, but not with other events as well.
            found += [alike]
            found += [
                replace(alike, events=e, slots=s)
                for e, s in words
                if e == choice.events or m == choice.lanes
            ]
        numbers = self.units(choice.lanes)
        found += [replace(choice, units=n) for n in _around(numbers, choice.units or 1, 1)]
        if choice.lanes == self.lanes[-1]:
            found += [replace(choice, copies=n) for n in _around(self.copies, choice.copies, 1)]
        return [other for other in found if other != choice] + unrolled

    def _copied(self, cycles: float, lanes: int, events: int, slots: int) -> EngineCost | None:
        """Return an engine with the fewest copies, two at least, that keeps cycles; None if none.

        Lanes come first, since they cost less: only an engine that has all of them is copied.
        """
        single = self._row(events, slots, lanes).fastest
        if lanes < self.lanes[-1] or single is None:
            return None
        for copies in self.copies[1:]:
            if single.cycles > copies * cycles:
                continue  # no part of an engine becomes as many times faster
            row = self._row(events, slots, lanes, copies)
            if row.fastest is None:
                return None
            if row.fastest.cycles <= cycles:
                found = row.fewest(cycles)
                return found if found and found.amounts.luts <= self.budget.luts else None
        return None

    def _fewest(self, cycles: float, ms: Sequence[int], events: int, slots: int) -> int:
        """Return the index of the fewest lanes that keep some cycles; the number of all if none."""

        def keeps(index: int) -> bool:
            cost = self._row(events, slots, ms[index]).fastest
            return cost is not None and cost.cycles <= cycles

        single = self._row(events, slots, 1).fastest
        if single is not None and single.alike:
            channels = single.target.channels
            need = [m for m in ms if single.cycles / channels * -(-channels // m) <= cycles]
            low = len(ms) - len(need)
            while low < len(ms) and not keeps(low):
                low += 1
            return low
        low, high = 0, len(ms)
        # More lanes take fewer cycles.
        while low < high:
            middle = (low + high) // 2
            if keeps(middle):
                high = middle
            else:
                low = middle + 1
        return low

    def _row(self, events: int, slots: int, lanes: int, copies: int = 1) -> _Row:
        key = (events, slots, lanes, copies)
        if key not in self._rows:
            choice = Choice(lanes, events, slots, copies=copies)
            self._rows[key] = _Row(self, [replace(choice, units=n) for n in self.units(lanes)])
        return self._rows[key]


class _Row:
    """Engines that differ in the number of neuron units only, the fewest first."""

    def __init__(self, menu: Menu, choices: Sequence[Choice]) -> None:
        self._menu, self._choices = menu, choices
        self._costs: dict[int, EngineCost | None] = {}

    @property
    def fastest(self) -> EngineCost | None:
        """The engine with the most units; None if there is no such engine."""
        return self._cost(len(self._choices) - 1)

    def fewest(self, cycles: float) -> EngineCost | None:
        """Return the engine with the fewest units that keep some cycles; None if none does."""
        first = self._cost(0)
        if first is None or first.cycles <= cycles:
            return first
        low, high = 1, len(self._choices)
        # More units take fewer cycles.
        while low < high:
            middle = (low + high) // 2
            cost = self._cost(middle)
            if cost is not None and cost.cycles <= cycles:
                high = middle
            else:
                low = middle + 1
        return self._cost(low) if low < len(self._choices) else None

    def _cost(self, index: int) -> EngineCost | None:
        if index not in self._costs:
            self._costs[index] = self._menu.cost(self._choices[index])
        return self._costs[index]


def _around(numbers: Sequence[int], number: int, steps: int) -> list[int]:
    """Return the next smaller and the next larger of some numbers, the smallest first."""
    lower = [n for n in numbers if n < number][-steps:]
    return lower + [n for n in numbers if n > number][:steps]


def _better(one: EngineCost, other: EngineCost) -> bool:
    """Return whether an engine is at least as good in all respects, and better in one."""

    def figures(cost: EngineCost) -> tuple[float, float, float]:
        return (cost.cycles, cost.amounts.luts, float(cost.amounts.block_ram))

    pairs = list(zip(figures(one), figures(other), strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
