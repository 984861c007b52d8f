"""States: the choices of all layers, compared by estimates.

For a given interval, each layer takes the cheapest engine that keeps it. The smallest interval
whose engines have room in the budget is found by bisection. Since the lanes of a layer decide which
words and events its readers can have, the choices are then improved layer by layer, each with its
readers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from spikeloom.hw.search.budget import Amounts, Budget, Prices
from spikeloom.hw.search.engines import Engines, State
from spikeloom.hw.search.menu import Choice
from spikeloom.hw.search.waits import Waits
from spikeloom.sw.network import Layer, Network

#: Prices of block RAM to try, beside look-up tables.
PRICES = tuple(Prices(block_ram=price) for price in (0.3, 1.0, 3.0, 30.0))
#: Steps of a bisection, each of which halves the logarithm of the range of intervals.
_STEPS = 14
#: Share of an interval up to which a bisection comes near it.
_CLOSE = 0.995
#: Layers of so few channels try all numbers of lanes; others those that divide the channels.
_FEW_CHANNELS = 8
#: Share of the best interval that other prices are tried with first.
_BETTER = 0.99
#: How much more than a budget a state may take before single layers get other lanes.
_HOPELESS = 1.7
#: Share of a goal by which single layers are made faster, multiples of it that all others may take
#: for that, the share of the interval that has to be gained, and how many states are compared.
_SPREAD, _SLOWED, _GAINED, _SPREADS = 0.85, (1.0, 1.03, 1.07), 0.002, 120
#: Between one interval and the next shorter one that is tried behind the bisection, and how many.
_SHORTER, _TRIES = 0.96, 16
#: Prices that are tried for an interval, and how much more than a budget the first may ask for.
_PRICES, _BEYOND = 6, 1.5
#: Engines that are chosen for all these intervals and prices together, at most.
_CHOSEN = 480
#: Prices to begin with where flip-flops count as well.
_ALL = Prices(luts=1.0, flipflops=0.5, block_ram=0.5)
#: Shares of the interval that all but the slowest layers are given to have cycles to spare.
_SHARES = (0.8, 0.6, 0.45, 0.3)
#: Shares of its cycles that a layer is given to become faster.
_FASTER = (0.999, 0.7)
#: How much slower a smaller state may be estimated, since estimates are not exact.
_SLOWER = 1.02


class States:
    """The states of a network's engines.

    Parameters
    ----------
    network : Network
    budget : Budget
    engines : Engines

    Attributes
    ----------
    factors : dict of str to float
        Exact cycles of each layer, as a multiple of the estimate; 1 until they are known.
    """

    def __init__(self, network: Network, budget: Budget, engines: Engines) -> None:
        self.network, self.budget, self.engines = network, budget, engines
        self.factors = {layer.name: 1.0 for layer in network.layers}
        self._layers = {layer.name: layer for layer in network.layers}
        self._waits = Waits(engines.smallest)
        #: Shares of a goal that single layers have to keep.
        self._shares = dict.fromkeys(self.factors, 1.0)
        #: Prices of the last state as of :meth:`fastest`.
        self._prices = Prices()
        self._chosen: dict[tuple[object, ...], Choice | None] = {}

    def smallest(self) -> list[State]:
        """Return states of the fewest lanes, which differ in how much block RAM they take."""
        return [self.cheapest(math.inf, prices) for prices in PRICES]

    def weight(self, amounts: Amounts) -> float:
        """Return what a design takes as one number, to compare designs by."""
        return self.budget.weight(amounts, Prices())

    def fastest(self, smallest: State) -> State:
        """Return the state with the smallest estimated interval that fits."""
        best, reached = smallest, math.inf
        low = max(self.engines.floor, 1.0)
        for prices in PRICES:
            # Other prices have to be a little better at once.
            goal, below = max(_BETTER * reached, low), low
            for step in range(_STEPS):
                state = self.fitting(goal, prices)
                if state and self.cycles(state) < reached:
                    best, reached, self._prices = state, self.cycles(state), prices
                elif not step:
                    break
                else:
                    below = goal
                if below > _CLOSE * reached:
                    break
                goal = math.sqrt(below * reached)
        polished = self._polished(best, reached, Prices())
        return polished if self.budget.fits(self.amounts(polished)) else best

    def fitting(self, goal: float, prices: Prices) -> State:
        """Return a state that fits, and whose layers all take ``goal`` cycles; empty if none."""
        state: State = self._chosen_alone(goal, prices)
        if not state or self.budget.fits(self.amounts(state)):
            return state
        if self._hopeless(state):
            return {}
        state = self._polished(state, goal, prices)
        return state if self.budget.fits(self.amounts(state)) else {}

    def spread(self, state: State) -> State:
        """Return a state whose engines wait less for rows, or the same.

        Layers are made faster than the slowest one, layer by layer, as long as that helps by the
        estimate that sees waits. The slowest ones may be slower for that.
        """
        best, reached, goal = state, self.interval(state), self.cycles(state)
        left, helped = _SPREADS, True
        while helped and left > 0 and reached * _CLOSE > self.cycles(best):
            helped = False
            for name in self._shares:
                before = self._shares[name]
                self._shares[name] = _SPREAD * before
                for times in _SLOWED:
                    left -= 1
                    other = self.fitting(times * goal, self._prices)
                    if other and self.interval(other) < (1 - _GAINED) * reached:
                        best, reached, helped = other, self.interval(other), True
                        break
                else:
                    self._shares[name] = before
                if left <= 0:
                    break
        self._shares = dict.fromkeys(self._shares, 1.0)
        return best

    def squeezed(self, state: State) -> State:
        """Return a faster state that fits, or the same: one that no fixed prices lead to.

        Where several resources are scarce, what a state lacks becomes dearer until it fits. An
        interval may have such a state though none is found for a longer one.
        """
        best, goal = state, self.cycles(state)
        tries, left = 0, _CHOSEN // len(self.network.layers)
        while tries < _TRIES and left > 0 and goal > self.engines.floor:
            goal = max(_SHORTER * goal, self.engines.floor)
            tries += 1
            other, used = self._fitting(goal)
            left -= used
            if other and self.cycles(other) < self.cycles(best):
                best, goal, tries = other, self.cycles(other), 0
        return best

    def _fitting(self, goal: float) -> tuple[State, int]:
        """Return a state that fits and keeps a goal, empty if none, and how many were compared."""
        prices = _ALL
        for tried in range(1, _PRICES + 1):
            state: State = self._chosen_alone(goal, prices)
            if not state:
                break
            if not self._hopeless(state):
                state = self._polished(state, goal, prices)
            amounts = self.amounts(state)
            if self.budget.fits(amounts):
                return state, tried
            shares = self.budget.shares(amounts)
            if min(shares.luts, shares.flipflops) > _BEYOND:
                break
            prices = prices.raised(shares)
        return {}, tried

    def cheapest(self, goal: float, prices: Prices) -> State:
        """Return the state of least weight whose layers all take ``goal`` cycles; empty if none."""
        return self._polished(self._chosen_alone(goal, prices), goal, prices)

    def with_time_to_spare(self, state: State) -> Iterator[State]:
        """Yield states that fit and wait less for rows: all but the slowest layers are faster."""
        goal = self.cycles(state)
        for share in _SHARES:
            for prices in PRICES[:3]:
                other: dict[str, Choice] = {}
                for layer in self.network.layers:
                    choice = self._choose(layer, other, share * goal, prices)
                    choice = choice or self._choose(layer, other, goal, prices)
                    if choice is None:
                        break
                    other[layer.name] = choice
                else:
                    if self.budget.fits(self.amounts(other)):
                        yield other
                        break

    def faster(self, state: State, order: Sequence[Layer]) -> Iterator[State]:
        """Yield states that fit, in which one layer is faster."""
        for layer in order:
            now = self.engines.cost(layer, state[layer.name], state)
            assert now is not None, "the choices of a state exist"
            seen = []
            for share, prices in itertools.product(_FASTER, PRICES[:3]):
                goal = share * now.cycles * self.factors[layer.name]
                choice = self._choose(layer, state, goal, prices)
                if choice is None or choice in seen:
                    continue
                seen.append(choice)
                other = self.repaired({**state, layer.name: choice}, layer)
                if other and other != state and self.budget.fits(self.amounts(other)):
                    yield other
                    break

    def wider(self, state: State, layers: Sequence[Layer]) -> Iterator[State]:
        """Yield states that fit, in which a layer reads more values at once.

        Estimates hardly see the gain: its windows are read sooner.
        """
        for layer in layers:
            choice = state[layer.name]
            options = self.engines.menu(layer, state).options
            for events, slots in options if choice.planes is None else []:
                if events == choice.events and slots > choice.slots:
                    other = self.repaired(
                        {**state, layer.name: replace(choice, slots=slots)}, layer
                    )
                    if other and self.budget.fits(self.amounts(other)):
                        yield other

    def smaller(self, state: State) -> Iterator[State]:
        """Yield states in which one layer is smaller, and slower, the largest saving first."""
        weight = self.weight(self.amounts(state))
        found: list[tuple[float, int, State]] = []
        for layer in self.network.layers:
            choice = state[layer.name]
            ms = self.engines.lanes[layer.name]
            fewer = [m for m in ms if m < choice.lanes][-2:]
            changes = [Choice(m, choice.events, choice.slots) for m in fewer]
            menu = self.engines.menu(layer, state)
            changes += [replace(choice, events=e, slots=s, planes=None) for e, s in menu.options]
            if choice.copies > 1:
                fewer = [n for n in self.engines.copies[layer.name] if n < choice.copies]
                changes += [replace(choice, copies=fewer[-1])]
            fewer = [n for n in menu.units(choice.lanes) if n < (choice.units or 0)]
            changes += [replace(choice, units=n) for n in fewer[-1:]]
            changes += [cost.choice for cost in menu.unrolled]
            for change in changes:
                other = self.repaired({**state, layer.name: change}, layer)
                if other:
                    saved = weight - self.weight(self.amounts(other))
                    slower = self.cycles(other) / self.cycles(state)
                    if saved > 0 and slower < _SLOWER:
                        found.append((saved, len(found), other))
        for _, _, other in sorted(found, key=lambda one: -one[0]):
            yield other

    def cycles(self, state: State) -> float:
        """Return the estimated interval of a state."""
        costs = zip(self.network.layers, self.engines.costs(state), strict=True)
        cycles = (cost.cycles * self.factors[x.name] for x, cost in costs if cost is not None)
        return max(self.engines.floor, *cycles)

    def interval(self, state: State) -> float:
        """Return the estimated interval of a state whose engines wait for rows."""
        lines = {}
        for layer, cost in zip(self.network.layers, self.engines.costs(state), strict=True):
            assert cost is not None, "the choices of a state exist"
            lines[layer.name] = (cost.lines * self.factors[layer.name]).tolist()
        return self._waits.interval(lines)

    def amounts(self, state: State) -> Amounts:
        """Return the resources of a state's whole design."""
        costs = (cost.amounts for cost in self.engines.costs(state) if cost is not None)
        return sum(costs, self.engines.beside)

    def _chosen_alone(self, goal: float, prices: Prices) -> dict[str, Choice]:
        """Return the state whose layers are chosen in their order, each the cheapest by itself."""
        state: dict[str, Choice] = {}
        for layer in self.network.layers:
            choice = self._choose(layer, state, goal, prices)
            if choice is None:
                # Another number of lanes ahead may allow more events here.
                return self._with_wider_sources(goal, prices)
            state[layer.name] = choice
        return state

    def _hopeless(self, state: State) -> bool:
        """Return whether a state takes so much that other lanes of single layers do not help."""
        shares = self.budget.shares(self.amounts(state))
        return max(shares.luts, shares.flipflops, shares.block_ram) > _HOPELESS

    def _with_wider_sources(self, goal: float, prices: Prices) -> dict[str, Choice]:
        """Return a state as of :meth:`_chosen_alone`, with lanes that are powers of two ahead."""
        state: dict[str, Choice] = {}
        for layer in self.network.layers:
            choice = self._choose(layer, state, goal, prices)
            if choice is None:
                return {}
            channels = self.engines.lanes[layer.name][-1]
            wider = min(1 << (choice.lanes - 1).bit_length(), channels)
            other = self._choose(layer, state, goal, prices, wider)
            state[layer.name] = other or choice
        return state

    def _polished(self, state: State, goal: float, prices: Prices) -> State:
        """Return a state of less weight in which single layers have other lanes."""
        if math.isinf(goal) or not state:
            return state
        weight = self.budget.weight(self.amounts(state), prices)
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
                choice = self._choose(layer, state, goal, prices, lanes)
                if choice is None:
                    continue
                for free in (False, True):
                    other = self._followed(state, layer, choice, goal, prices, free)
                    if not other or not self._holds(other, goal):
                        continue
                    less = self.budget.weight(self.amounts(other), prices)
                    if less < weight * (1 - 1e-9):
                        state, weight = other, less
        return state

    def _followed(
        self,
        state: State,
        changed: Layer,
        choice: Choice,
        goal: float,
        prices: Prices,
        free: bool,
    ) -> dict[str, Choice]:
        """Return a state with another choice for a layer, and for its readers; empty if none.

        Readers keep their lanes if they can, unless they are ``free``; those of a layer whose lanes
        have changed are chosen anew in turn.
        """
        other = {**state, changed.name: choice}
        lanes = {changed.name}
        for layer in self.network.layers:
            if lanes.isdisjoint(connection.source for connection in layer.connections):
                continue
            if layer.name == changed.name:
                continue
            now = state[layer.name].lanes
            read = None if free else self._choose(layer, other, goal, prices, now)
            read = read or self._choose(layer, other, goal, prices)
            if read is None:
                return {}
            other[layer.name] = read
            if read.lanes != now:
                lanes.add(layer.name)
        return other

    def _holds(self, state: State, goal: float) -> bool:
        """Return whether all engines of a state exist and take at most ``goal`` cycles."""
        for layer, cost in zip(self.network.layers, self.engines.costs(state), strict=True):
            share = self._shares[layer.name]
            if cost is None or cost.cycles * self.factors[layer.name] > share * goal:
                return False
        return True

    def repaired(self, state: dict[str, Choice], changed: Layer) -> State:
        """Return a state in which the readers of a changed layer exist again; empty if not."""
        for name in self.engines.readers[changed.name]:
            layer = self._layers[name]
            if self.engines.cost(layer, state[name], state) is None:
                goal = self._modelled_layer(layer, state) * 1.001
                choice = self._choose(layer, state, goal, Prices())
                if choice is None:
                    return {}
                state[name] = choice
        if any(cost is None for cost in self.engines.costs(state)):
            return {}
        return state

    def _choose(
        self, layer: Layer, state: State, goal: float, prices: Prices, lanes: int | None = None
    ) -> Choice | None:
        """Return the choice of least weight that keeps a goal, among those of some lanes or all."""
        cycles = self._shares[layer.name] * goal / self.factors[layer.name]
        key = (layer.name, self.engines.sources(layer, state), cycles, prices, lanes)
        if key not in self._chosen:
            menu = self.engines.menu(layer, state)
            self._chosen[key] = menu.cheapest(cycles, prices, lanes)
        return self._chosen[key]

    def _modelled_layer(self, layer: Layer, state: State) -> float:
        known = self.engines.cost(layer, Choice(state[layer.name].lanes), state)
        return math.inf if known is None else known.cycles * self.factors[layer.name]
