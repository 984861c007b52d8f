"""Search: the plan that reaches a goal with the least hardware, by estimates and exact predictions.

Engines work at the same time, so that the slowest one sets the interval from image to image.
:mod:`~spikeloom.hw.search.states` finds the best choices by estimates, which leave out that
engines wait for rows. So these choices are predicted exactly, the estimates are corrected by what
was found, and the search is repeated until nothing better comes. Then single layers are made
faster, or smaller where that costs no cycles, each time with an exact prediction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import numpy as np

from spikeloom.hw.options import TimeMode
from spikeloom.hw.prediction import predict
from spikeloom.hw.search.budget import Budget, Prices
from spikeloom.hw.search.engines import Engines, State
from spikeloom.hw.search.exchanges import exchanges
from spikeloom.hw.search.found import Found, GoalError, NoRoomError
from spikeloom.hw.search.menu import Choice
from spikeloom.hw.search.states import PRICES, States
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray

#: How often a search is repeated with corrected estimates.
_ROUNDS = 4
#: Exact predictions of single changes, at most.
_CHANGES = 24
#: Exchanges between layers that are predicted exactly, of those that look best.
_EXCHANGES = 8
#: Exchanges that are made by estimates alone, at most, and the share that each has to gain.
_SETTLED, _LITTLE = 12, 0.002
#: Work of all exact predictions of a search, in events of every generator, layer and image: about
#: ten seconds. Only a goal, a front and a next step may take more.
_WORK = 8_000_000
#: Share of the budget that compact engines have to save, and of the cycles, or for a goal of the
#: hardware, that they may take, to be worth their slower clock.
_SAVED, _FASTER, _LIGHTER = 0.08, 0.8, 0.9
#: Share of the slowest layer's cycles from which on layers are slow, too.
_SLOW = 0.95
#: A step is faster by this share at least, of which as many are tried.
_STEP, _STEPS = 0.02, 20


def _lacking(error: ConfigError) -> float:
    """Return a number that is the larger, the further an error is from a plan."""
    return error.best.cycles if isinstance(error, GoalError) else math.inf


class Search:
    """A search for the best plan of a network.

    Parameters
    ----------
    network : Network
    budget : Budget
    activity : mapping of str to array of int64, shape (steps, N, *shape)
        Values that the input and each firing layer send for N images. Time grows with N.
    time : str
        One of the values of :class:`~spikeloom.hw.options.TimeMode`.
    compact : bool
        Whether all engines are compact that can be. Otherwise they are only if nothing else fits,
        or if that reaches a goal with less hardware.

    Attributes
    ----------
    engines : Engines
    states : States
    """

    def __init__(
        self,
        network: Network,
        budget: Budget,
        activity: Mapping[str, IntArray],
        time: str = TimeMode.AUTO,
        compact: bool = False,
    ) -> None:
        self.network, self.budget = network, budget
        self.engines = Engines(network, budget, activity, time, compact)
        self._given = activity
        self.states = States(network, budget, self.engines)
        # An interval lies between two images: the first one comes again, so that each counts once.
        self._activity = {
            name: np.concatenate([values, values[:, :1]], 1) for name, values in activity.items()
        }
        self._exact: dict[tuple[Choice, ...], Found] = {}
        self._done = 0.0

    @cached_property
    def compacted(self) -> Search | None:
        """The search among compact engines; None if this is it, or if there are no such engines."""
        own = self.engines
        if own.compact:
            return None
        other = Search(self.network, self.budget, self._given, own.time, compact=True)
        return other if any(x.compact for x in other.engines.smallest.layers) else None

    def fastest(self) -> Found:
        """Return the fastest plan that fits.

        Since their clock is slower, engines are compact only if nothing else fits, or if that is
        far faster because room is scarce.

        Raises
        ------
        NoRoomError
            If none fits.
        """
        own: Found | None = None
        try:
            own = self._fastest()
        except NoRoomError:
            if self.compacted is None:
                raise
        if own is None or self._scarce:
            assert self.compacted is not None, "it is asked for only if there is one"
            other = self.compacted._fastest()
            return other if own is None or other.cycles < _FASTER * own.cycles else own
        return own

    @property
    def _scarce(self) -> bool:
        """Whether compact engines would leave room for something else that is worth to try."""
        if self._tired or self.compacted is None:
            return False
        smallest, compact = (
            x.states.amounts(x.states.smallest()[0]) for x in (self, self.compacted)
        )
        return smallest.luts - compact.luts > _SAVED * self.budget.luts

    def _fastest(self) -> Found:
        """Return the fastest plan, of engines that are all compact or all not.

        What was predicted on the way corrects the estimates, so that another search may find more.
        """
        best = self._searched()
        while not self._tired:
            other = self._searched()
            if other.cycles >= best.cycles:
                break
            best = other
        return best

    def _searched(self) -> Found:
        """Return the fastest plan by the estimates as they are corrected so far."""
        smallest = self._smallest()
        best: Found | None = None
        for _ in range(_ROUNDS):
            state = self._settled(self.states.spread(self.states.fastest(smallest)))
            if best is not None and not self._promising(state, best):
                break
            found = self.rated(state)
            if best is not None and found.cycles >= best.cycles:
                break
            best = found
            if self._tired:
                break
        assert best is not None, "there is a round"
        if not self._tired:
            others = [self.states.squeezed(best.state)]
            others += self.states.with_time_to_spare(best.state)
            for state in sorted(others, key=self.states.interval):
                if self._tired or not self._promising(state, best):
                    break
                best = min(best, self.rated(state), key=lambda x: x.cycles)
        improved = self._exchanged(self._improved(best))
        return self._trimmed(improved, improved.cycles)

    def reaching(self, cycles: float) -> Found:
        """Return the plan with the least hardware that takes at most ``cycles`` per image.

        Engines are compact only if that takes far less hardware, or if no others reach it.

        Raises
        ------
        NoRoomError
            If none fits.
        GoalError
            If none that fits is as fast.
        """
        if self.compacted is None:
            return self._reaching(cycles)
        found: list[Found] = []
        errors: list[ConfigError] = []
        for search in (self, self.compacted):
            if found and self._tired:
                break
            try:
                found.append(search._reaching(cycles))
            except (NoRoomError, GoalError) as error:
                errors.append(error)
        if found:
            own, other = found[0], found[-1]
            return other if self._weight(other) < _LIGHTER * self._weight(own) else own
        # The fastest plan is nearest to the goal, then the smallest.
        raise min(reversed(errors), key=_lacking)

    def _reaching(self, cycles: float) -> Found:
        """Return the plan as of :meth:`reaching`, of engines that are all compact or all not."""
        self._smallest()
        goal, missed = cycles, cycles
        for _ in range(2 * _ROUNDS):
            found = self._lightest(goal)
            if found is None:
                break
            if found.cycles <= cycles:
                return self._trimmed(self._nearer(found, goal, missed, cycles), cycles)
            missed = goal
            goal *= min(cycles / found.cycles, 1 - _STEP)
        fastest = self._fastest()
        if fastest.cycles > cycles:
            raise GoalError(
                f"{self.network.name!r} does not reach {cycles:,.0f} clock cycles per image on "
                f"{self.budget.title}: the fastest that fits takes {fastest.cycles:,.0f}",
                fastest,
            )
        return self._trimmed(fastest, cycles)

    def _lightest(self, goal: float) -> Found | None:
        """Return the smallest plan that may reach a goal, by estimates; None if none fits."""
        states = [self.states.cheapest(goal, prices) for prices in PRICES]
        fitting = [x for x in states if x and self.budget.fits(self.states.amounts(x))]
        if not fitting:
            return None
        return self.rated(min(fitting, key=lambda x: self.states.weight(self.states.amounts(x))))

    def _nearer(self, found: Found, goal: float, missed: float, cycles: float) -> Found:
        """Return the plan with the least hardware from the goal that it reached to one too far.

        Estimates leave out more of some plans than of others: that for a goal which is a little
        lower may be much faster than need be, and larger.
        """
        for _ in range(_ROUNDS):
            if missed < (1 + _STEP) * goal or found.cycles > (1 - _STEP) * cycles:
                break
            middle = (goal + missed) / 2
            other = self._lightest(middle)
            if other is None or other.cycles > cycles:
                missed = middle
            else:
                goal = middle
                found = min(found, other, key=self._weight)
        return found

    def front(self, points: int = 12) -> list[Found]:
        """Return plans of which none is both slower and larger than another, the smallest first.

        Parameters
        ----------
        points : int
            Number of intervals for which a plan is made, from that of the smallest plan to that of
            the fastest one.

        Raises
        ------
        NoRoomError
            If none fits.
        """
        both = [self] if self.compacted is None else [self, self.compacted]
        found = []
        for search in both:
            try:
                found += search._points(points)
            except NoRoomError:
                if search is both[-1] and not found:
                    raise
        front: list[Found] = []
        for one in sorted(found, key=lambda one: (one.amounts.luts, one.cycles)):
            if not front or one.cycles < front[-1].cycles:
                front.append(one)
        return front

    def _points(self, points: int) -> list[Found]:
        """Return plans from the smallest to the fastest, and all that have been predicted."""
        smallest = self._smallest()
        last = self.rated(self.states.fastest(smallest))
        first = self.rated(smallest)
        high, low = self.states.cycles(first.state), self.states.cycles(last.state)
        for share in np.linspace(0, 1, points)[1:-1]:
            state = self.states.cheapest(high * (low / high) ** float(share), Prices())
            if state:
                self.rated(state)
        return [one for one in self._exact.values() if self.budget.fits(one.amounts)]

    def next_step(self, found: Found) -> Found | None:
        """Return a faster plan, whether it fits or not; None if none is found."""
        if found.plan.config.compact and self.compacted is not None:
            return self.compacted.next_step(found)
        goal = self.states.cycles(found.state)
        for _ in range(_ROUNDS):
            state = self._step(goal, found)
            if not state:
                return None
            faster = self.rated(state)
            if faster.cycles < found.cycles:
                return faster
            goal = self.states.cycles(state)
        return None

    def _step(self, goal: float, found: Found) -> State:
        """Return a state that takes less than a goal, and may be faster; empty if none is found."""
        for _ in range(_STEPS):
            goal *= 1 - _STEP
            state = self.states.cheapest(goal, Prices())
            if not state or self._promising(state, found):
                return state
        return {}

    def _smallest(self) -> State:
        """Return the choices that take the least."""
        states = self.states.smallest()
        for state in states:
            if self.budget.fits(self.states.amounts(state)):
                return state
        lacking = [self.budget.short_of(self.states.amounts(state)) for state in states]
        short, state = min(zip(lacking, states, strict=True), key=lambda pair: len(pair[0]))
        raise NoRoomError(
            f"{self.network.name!r} does not fit on {self.budget.title}: its smallest design takes "
            f"{', '.join(short)}",
            self.engines.plan(state),
        )

    def rated(self, state: State) -> Found:
        """Return the plan of a state with its exact cycles, by which estimates are corrected.

        It is done for any state whose engines exist, whether it fits or not.
        """
        key = tuple(state[layer.name] for layer in self.network.layers)
        if key in self._exact:
            return self._exact[key]
        planned = self.engines.plan(state)
        prediction = predict(planned, self._activity)
        costs = [cost for cost in self.engines.costs(state) if cost is not None]
        layers = dict(zip(state, costs, strict=True))
        for name, cost in layers.items():
            exact = float(prediction[name].cycles[1:].mean())
            self.states.factors[name] = max(exact / cost.cycles, 1.0)
        found = Found(planned, dict(state), prediction, self.states.amounts(state), layers)
        self._exact[key] = found
        self._done += sum(
            float(layer.cycles.sum()) * layer.events_per_cycle for layer in prediction.layers
        )
        return found

    @property
    def _tired(self) -> bool:
        """Whether exact predictions have taken as much work as they may."""
        return self._done > _WORK

    def _improved(self, found: Found) -> Found:
        """Return a plan that single changes have made faster, as long as it fits."""

        def changes(best: Found) -> Iterable[State]:
            cycles = {x.name: float(x.cycles.mean()) for x in best.prediction.layers}
            # The slowest come first.
            order = sorted(self.network.layers, key=lambda layer: -cycles[layer.name])
            yield from self.states.faster(best.state, order)
            slow = [x for x in order if cycles[x.name] > _SLOW * cycles[order[0].name]]
            yield from self.states.wider(best.state, slow)

        return self._changed(found, changes, lambda other, best: other.cycles < best.cycles)

    def _promising(self, state: State, best: Found) -> bool:
        """Return whether a state may be faster, so that it is worth an exact prediction."""
        return self.states.interval(state) < self.states.interval(best.state)

    def _settled(self, state: State) -> State:
        """Return a state that exchanges between layers have made faster, by estimates alone."""
        reached = self.states.interval(state)
        for _ in range(_SETTLED):
            nearby = exchanges(self.states, state)
            if not nearby or self.states.interval(nearby[0]) > (1 - _LITTLE) * reached:
                break
            state, reached = nearby[0], self.states.interval(nearby[0])
        return state

    def _exchanged(self, found: Found) -> Found:
        """Return a plan that is faster since some layers have given room to others."""
        return self._changed(
            found,
            lambda best: exchanges(self.states, best.state)[:_EXCHANGES],
            lambda other, best: other.cycles < best.cycles,
        )

    def _trimmed(self, found: Found, cycles: float) -> Found:
        """Return a plan that single changes have made smaller, as long as it is fast enough."""
        return self._changed(
            found,
            lambda best: self.states.smaller(best.state),
            lambda other, best: other.cycles <= cycles and self._weight(other) < self._weight(best),
        )

    def _changed(
        self,
        found: Found,
        changes: Callable[[Found], Iterable[State]],
        better: Callable[[Found, Found], bool],
    ) -> Found:
        """Return a plan after single changes, of which each is the first that makes it better."""
        tried = 0
        while True:
            for state in changes(found):
                if tried == _CHANGES or self._tired:
                    return found
                tried += 1
                other = self.rated(state)
                if self.budget.fits(other.amounts) and better(other, found):
                    found = other
                    break
            else:
                return found

    def _weight(self, found: Found) -> float:
        return self.states.weight(found.amounts)
