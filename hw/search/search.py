"""Search: the choices of M, E and slots that reach a goal with the least hardware.

Engines work at the same time, so that the slowest one sets the interval from image to image. For a
given interval, each layer takes the cheapest engine that keeps it. The smallest interval whose
engines have room in the budget is found by bisection. Since the lanes of a layer decide which words
and events its readers can have, the choices are then improved layer by layer, each with its readers.

Estimated cycles leave out waits for rows. So the best state is predicted exactly, the estimates are
corrected by what was found, and the search is repeated, until nothing better comes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spikeloom.hw.options import TimeMode
from spikeloom.hw.planning import Plan
from spikeloom.hw.prediction import Prediction, predict
from spikeloom.hw.search.budget import Amounts, Budget
from spikeloom.hw.search.engines import Choice, EngineCost, Engines, State
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Layer, Network
from spikeloom.sw.network.record import IntArray

#: Weights of block RAM to try, beside look-up tables.
_MEMORY = (0.3, 1.0, 3.0, 30.0)
#: Steps of a bisection, each of which halves the logarithm of the range of intervals.
_STEPS = 14
#: How often a search is repeated with corrected estimates.
_ROUNDS = 4
#: Layers of so few channels try all numbers of lanes; others those that divide the channels.
_FEW_CHANNELS = 8
#: Shares of the interval that all but the slowest layers are given to have cycles to spare.
_SHARES = (0.8, 0.6, 0.45, 0.3)
#: Exact predictions of single changes, at least and at most, and the clock cycles of all layers and
#: images that they may have together.
_FEWEST, _MOST, _WORK = 4, 24, 4_000_000


class NoRoomError(ConfigError):
    """A budget has no room for the smallest design of a network.

    Attributes
    ----------
    smallest : Plan
        The plan of that design.
    """

    def __init__(self, message: str, smallest: Plan) -> None:
        super().__init__(message)
        self.smallest = smallest


class GoalError(ConfigError):
    """No plan that fits reaches a goal.

    Attributes
    ----------
    best : Found
        The fastest that fits.
    """

    def __init__(self, message: str, best: Found) -> None:
        super().__init__(message)
        self.best = best


@dataclass(frozen=True, eq=False)
class Found:
    """A plan that a search has found.

    Parameters
    ----------
    plan : Plan
    state : mapping of str to Choice
        Its choices by layer.
    prediction : Prediction
        Its exact clock cycles, for the images of the search.
    amounts : Amounts
        Resources of the whole design.
    layers : mapping of str to EngineCost
        Estimates by layer.
    """

    plan: Plan
    state: State
    prediction: Prediction
    amounts: Amounts
    layers: Mapping[str, EngineCost]

    @property
    def cycles(self) -> float:
        """Clock cycles from image to image."""
        return interval(self.prediction)

    @property
    def bottleneck(self) -> str:
        """Name of the slowest layer."""
        return self.prediction.slowest.name


def interval(prediction: Prediction) -> float:
    """Return the clock cycles from image to image."""
    assert prediction.interval is not None, "a search has two images at least"
    return prediction.interval


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
    """

    def __init__(
        self,
        network: Network,
        budget: Budget,
        activity: Mapping[str, IntArray],
        time: str = TimeMode.AUTO,
    ) -> None:
        self.network, self.budget = network, budget
        self.engines = Engines(network, budget, activity, time)
        # An interval lies between two images: the first one comes again, so that each counts once.
        self._activity = {
            name: np.concatenate([values, values[:, :1]], 1) for name, values in activity.items()
        }
        #: Exact cycles of each layer, as a multiple of the estimate.
        self._factors = {layer.name: 1.0 for layer in network.layers}
        self._exact: dict[tuple[Choice, ...], Found] = {}

    def _smallest(self) -> State:
        """Return the choices that take the least.

        Raises
        ------
        NoRoomError
            If not even these fit.
        """
        states = [self._cheapest(math.inf, memory) for memory in _MEMORY]
        for state in states:
            if self.budget.fits(self._amounts(state)):
                return state
        state = min(states, key=lambda state: len(self.budget.short_of(self._amounts(state))))
        amounts = self._amounts(state)
        short = ", ".join(self.budget.short_of(amounts))
        raise NoRoomError(
            f"{self.network.name!r} does not fit on {self.budget.title}: its smallest "
            f"design takes {short}",
            self.engines.plan(state),
        )

    def fastest(self) -> Found:
        """Return the fastest plan that fits.

        Raises
        ------
        NoRoomError
            If none fits.
        """
        smallest = self._smallest()
        best: Found | None = None
        for _ in range(_ROUNDS):
            found = self._rated(self._fastest_state())
            if self.budget.fits(found.amounts) and (best is None or found.cycles < best.cycles):
                best = found
            elif best is not None:
                break
        if best is None:
            best = self._rated(smallest)
        for state in self._faster_around(best):
            found = self._rated(state)
            if self.budget.fits(found.amounts) and found.cycles < best.cycles:
                best = found
        improved = self._improved(best)
        return self._trimmed(improved, improved.cycles)

    def reaching(self, cycles: float) -> Found:
        """Return the plan with the least hardware that takes at most ``cycles`` per image.

        Raises
        ------
        NoRoomError
            If none fits.
        GoalError
            If none that fits is as fast.
        """
        self._smallest()
        goal, best = cycles, None
        for _ in range(2 * _ROUNDS):
            state = min(
                (state for memory in _MEMORY if (state := self._cheapest(goal, memory))),
                key=lambda state: self.budget.weight(self._amounts(state), 1.0),
                default=None,
            )
            if state is None:
                break
            found = self._rated(state)
            if found.cycles <= cycles and self.budget.fits(found.amounts):
                if best is not None and self._weight(found) >= self._weight(best):
                    break
                best = found
                break
            if not self.budget.fits(found.amounts):
                break
            goal *= min(cycles / found.cycles, 0.98)
        if best is None:
            fastest = self.fastest()
            if fastest.cycles > cycles:
                raise GoalError(
                    f"{self.network.name!r} does not reach {cycles:,.0f} clock cycles per image on "
                    f"{self.budget.title}: the fastest that fits takes {fastest.cycles:,.0f}",
                    fastest,
                )
            best = fastest
        return self._trimmed(best, cycles)

    def front(self, points: int = 12) -> list[Found]:
        """Return plans of which none is both slower and larger than another, the smallest first."""
        smallest = self._smallest()
        last = self._rated(self._fastest_state())
        first = self._rated(smallest)
        low, high = self._modelled(last.state), self._modelled(first.state)
        found = [first, last]
        for share in np.linspace(0, 1, points)[1:-1]:
            goal = high * (low / high) ** float(share)
            state = self._cheapest(goal, 1.0)
            if state and self.budget.fits(self._amounts(state)):
                found.append(self._rated(state))
        found += [one for one in self._exact.values() if self.budget.fits(one.amounts)]
        front: list[Found] = []
        for one in sorted(found, key=lambda one: (one.amounts.luts, one.cycles)):
            if not front or one.cycles < front[-1].cycles:
                front.append(one)
        return front

    def next_step(self, found: Found) -> Found | None:
        """Return the next faster plan, whether it fits or not; None if there is none."""
        goal = self._modelled(found.state)
        for _ in range(_ROUNDS):
            state = self._cheapest(goal * 0.98, 1.0)
            if not state:
                return None
            faster = self._rated(state)
            if faster.cycles < found.cycles:
                return faster
            goal = self._modelled(state)
        return None

    # Exact predictions.

    def _rated(self, state: State) -> Found:
        """Return the plan of a state with its exact cycles, by which estimates are corrected."""
        key = tuple(state[layer.name] for layer in self.network.layers)
        if key in self._exact:
            return self._exact[key]
        planned = self.engines.plan(state)
        prediction = predict(planned, self._activity)
        costs = [cost for cost in self.engines.costs(state) if cost is not None]
        names = [layer.name for layer in self.network.layers]
        layers = dict(zip(names, costs, strict=True))
        for name, cost in layers.items():
            exact = float(prediction[name].cycles[1:].mean())
            self._factors[name] = max(exact / cost.cycles, 1.0)
        found = Found(planned, dict(state), prediction, self._amounts(state), layers)
        self._exact[key] = found
        return found

    def _faster_around(self, found: Found) -> Iterator[State]:
        """Yield states that fit and wait less for rows: all but the slowest layers are faster."""
        goal = self._modelled(found.state)
        for share in _SHARES:
            for memory in _MEMORY[:3]:
                state: dict[str, Choice] = {}
                for layer in self.network.layers:
                    choice = self._choose(layer, state, share * goal, memory)
                    choice = choice or self._choose(layer, state, goal, memory)
                    if choice is None:
                        break
                    state[layer.name] = choice
                else:
                    if self.budget.fits(self._amounts(state)):
                        yield state
                        break

    def _improved(self, found: Found) -> Found:
        """Return a plan that single changes have made faster, as long as it fits."""
        tried, most = 0, self._changes(found)
        while True:
            # Starved and blocked cycles show who keeps the others waiting; the slowest come first.
            order = sorted(
                self.network.layers,
                key=lambda layer: -float(found.prediction[layer.name].cycles.mean()),
            )
            better = None
            for state in self._faster(found.state, order):
                if tried == most:
                    return found
                tried += 1
                other = self._rated(state)
                if self.budget.fits(other.amounts) and other.cycles < found.cycles:
                    better = other
                    break
            if better is None:
                return found
            found = better

    def _trimmed(self, found: Found, cycles: float) -> Found:
        """Return a plan that single changes have made smaller, as long as it is fast enough."""
        tried, most = 0, self._changes(found)
        while tried < most:
            better = None
            for state in self._smaller(found.state):
                tried += 1
                other = self._rated(state)
                if other.cycles <= cycles and self._weight(other) < self._weight(found):
                    better = other
                    break
                if tried == most:
                    break
            if better is None:
                return found
            found = better
        return found

    @staticmethod
    def _changes(found: Found) -> int:
        """Return how many single changes of a plan are worth a prediction each."""
        work = sum(int(layer.cycles.sum()) for layer in found.prediction.layers)
        return min(max(_WORK // max(work, 1), _FEWEST), _MOST)

    def _faster(self, state: State, order: Sequence[Layer]) -> Iterator[State]:
        """Yield states that fit, in which one layer is faster."""
        for layer in order:
            now = self._cost(layer, state[layer.name], state)
            seen = []
            for share, memory in itertools.product((0.999, 0.7), _MEMORY[:3]):
                goal = share * now.cycles * self._factors[layer.name]
                choice = self._choose(layer, state, goal, memory)
                if choice is None or choice in seen:
                    continue
                seen.append(choice)
                other = self._repaired({**state, layer.name: choice}, layer)
                if other and other != state and self.budget.fits(self._amounts(other)):
                    yield other
                    break

    def _smaller(self, state: State) -> Iterator[State]:
        """Yield states in which one layer is smaller, and slower, the largest saving first."""
        weight = self.budget.weight(self._amounts(state), 1.0)
        found = []
        for layer in self.network.layers:
            choice = state[layer.name]
            ms = self.engines.lanes[layer.name]
            fewer = [m for m in ms if m < choice.lanes][-2:]
            changes = [Choice(m, choice.events, choice.slots) for m in fewer]
            options = self.engines.options(layer, state)
            changes += [Choice(choice.lanes, e, s) for e, s in options]
            for change in changes:
                other = self._repaired({**state, layer.name: change}, layer)
                if other:
                    saved = weight - self.budget.weight(self._amounts(other), 1.0)
                    slower = self._modelled(other) / self._modelled(state)
                    if saved > 0 and slower < 1.02:
                        found.append((saved, len(found), other))
        for _, _, other in sorted(found, key=lambda one: -one[0]):
            yield other

    # Estimates.

    def _fastest_state(self) -> State:
        """Return the state with the smallest estimated interval that fits."""
        best, reached = self._smallest(), math.inf
        for memory in _MEMORY:
            state = self._cheapest(math.inf, memory)
            if state is None or not self.budget.fits(self._amounts(state)):
                continue
            high, low = self._modelled(state), max(self.engines.floor, 1.0)
            for _ in range(_STEPS):
                if self._modelled(state) < reached:
                    best, reached = state, self._modelled(state)
                goal = math.sqrt(low * min(high, self._modelled(state)))
                other = self._cheapest(goal, memory)
                if other and self.budget.fits(self._amounts(other)):
                    state, high = other, goal
                else:
                    low = goal
            if self._modelled(state) < reached:
                best, reached = state, self._modelled(state)
        return best

    def _cheapest(self, goal: float, memory: float) -> State:
        """Return the state of least weight whose layers all take ``goal`` cycles; empty if none."""
        state: dict[str, Choice] = {}
        for layer in self.network.layers:
            choice = self._choose(layer, state, goal, memory)
            if choice is None:
                # Another number of lanes ahead may allow more events here.
                return self._with_wider_sources(goal, memory)
            state[layer.name] = choice
        return self._polished(state, goal, memory)

    def _with_wider_sources(self, goal: float, memory: float) -> State:
        """Return a state as of :meth:`_cheapest`, with lanes that are powers of two ahead."""
        state: dict[str, Choice] = {}
        for layer in self.network.layers:
            choice = self._choose(layer, state, goal, memory)
            if choice is None:
                return {}
            channels = self.engines.lanes[layer.name][-1]
            wider = min(1 << (choice.lanes - 1).bit_length(), channels)
            other = self._choose(layer, state, goal, memory, wider)
            state[layer.name] = other or choice
        return self._polished(state, goal, memory)

    def _polished(self, state: dict[str, Choice], goal: float, memory: float) -> State:
        """Return a state of less weight in which single layers have other lanes."""
        if math.isinf(goal):
            return state
        weight = self.budget.weight(self._amounts(state), memory)
        for layer in self.network.layers:
            if not self.engines.readers[layer.name]:
                continue
            channels = self.engines.lanes[layer.name][-1]
            now = state[layer.name].lanes
            for lanes in self.engines.lanes[layer.name]:
                # More lanes than needed let readers have more events, fewer let them have smaller
                # words.
                if lanes == now or (channels % lanes and channels > _FEW_CHANNELS):
                    continue
                choice = self._choose(layer, state, goal, memory, lanes)
                if choice is None:
                    continue
                other = {**state, layer.name: choice}
                for name in self.engines.readers[layer.name]:
                    reader = next(x for x in self.network.layers if x.name == name)
                    read = self._choose(reader, other, goal, memory, state[name].lanes)
                    read = read or self._choose(reader, other, goal, memory)
                    if read is None:
                        break
                    other[name] = read
                else:
                    if not self._holds(other, goal):
                        continue
                    less = self.budget.weight(self._amounts(other), memory)
                    if less < weight * (1 - 1e-9):
                        state, weight = other, less
        return state

    def _holds(self, state: State, goal: float) -> bool:
        """Return whether all engines of a state exist and take at most ``goal`` cycles."""
        for layer, cost in zip(self.network.layers, self.engines.costs(state), strict=True):
            if cost is None or cost.cycles * self._factors[layer.name] > goal:
                return False
        return True

    def _repaired(self, state: dict[str, Choice], changed: Layer) -> State:
        """Return a state in which the readers of a changed layer exist again; empty if not."""
        for name in self.engines.readers[changed.name]:
            layer = next(x for x in self.network.layers if x.name == name)
            if self.engines.cost(layer, state[name], state) is None:
                goal = self._modelled_layer(layer, state) * 1.001
                choice = self._choose(layer, state, goal, 1.0)
                if choice is None:
                    return {}
                state[name] = choice
        if any(cost is None for cost in self.engines.costs(state)):
            return {}
        return state

    def _choose(
        self, layer: Layer, state: State, goal: float, memory: float, lanes: int | None = None
    ) -> Choice | None:
        """Return the choice of least weight that keeps a goal, among those of some lanes or all."""
        factor = self._factors[layer.name]
        best, least = None, math.inf
        for events, slots in self.engines.options(layer, state):
            ms = self.engines.lanes[layer.name] if lanes is None else [lanes]
            low = self._fewest(layer, state, goal / factor, ms, events, slots)
            if low == len(ms):
                continue
            # A few lanes more may waste less of the width of block RAMs.
            for m in [ms[low], *(m for m in ms[low + 1 :] if ms[-1] % m == 0)]:
                choice = Choice(m, events, slots)
                cost = self.engines.cost(layer, choice, state)
                weight = math.inf if cost is None else self.budget.weight(cost.amounts, memory)
                if weight < least:
                    best, least = choice, weight
        return best

    def _fewest(
        self, layer: Layer, state: State, cycles: float, ms: Sequence[int], events: int, slots: int
    ) -> int:
        """Return the index of the fewest lanes that keep some cycles; the number of all if none."""

        def keeps(index: int) -> bool:
            cost = self.engines.cost(layer, Choice(ms[index], events, slots), state)
            return cost is not None and cost.cycles <= cycles

        single = self.engines.cost(layer, Choice(1, events, slots), state)
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

    def _cost(self, layer: Layer, choice: Choice, state: State) -> EngineCost:
        cost = self.engines.cost(layer, choice, state)
        assert cost is not None, "the choices of a state exist"
        return cost

    def _modelled_layer(self, layer: Layer, state: State) -> float:
        known = self.engines.cost(layer, Choice(state[layer.name].lanes), state)
        return math.inf if known is None else known.cycles * self._factors[layer.name]

    def _modelled(self, state: State) -> float:
        """Return the estimated interval of a state."""
        costs = zip(self.network.layers, self.engines.costs(state), strict=True)
        cycles = (cost.cycles * self._factors[x.name] for x, cost in costs if cost is not None)
        return max(self.engines.floor, *cycles)

    def _amounts(self, state: State) -> Amounts:
        """Return the resources of a state's whole design."""
        costs = (cost.amounts for cost in self.engines.costs(state) if cost is not None)
        return sum(costs, self.engines.beside)

    def _weight(self, found: Found) -> float:
        return self.budget.weight(found.amounts, 1.0)
