"""Plans that ``spikeloom plan`` finds, against a long search at random under the same model.

    PYTHONPATH=tests python -m benchmarks.plans [NETWORK ...]

For each network and board, simulated annealing starts several times from the plan, so hot that it
soon leaves it: it changes one parameter of one layer at a time, thousands of times, and rates what
it finds by the same estimates. The best of its states are then predicted exactly. Its engines are
compact if those of the plan are. The table has the cycles of both, and their ratio: above 1, the
long search is better. Values are random, as sparse as usual, and always the same.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from benchmarks import page
from benchmarks.memories import wide
from spikeloom.hw.boards import Board
from spikeloom.hw.search import Budget, Found, NoRoomError, Search, typical
from spikeloom.hw.search.engines import State
from spikeloom.hw.search.menu import EVENTS, PLANES, SLOT_NUMBERS, Choice
from spikeloom.sw import network as contract
from spikeloom.sw.cli.networks import FOLDER
from spikeloom.sw.network import Layer, Network

#: Networks: those that come with Spikeloom, and one of random weights.
NETWORKS = (
    "digits-conv",
    "digits-conv-2bit",
    "mnist-small",
    "fashion-small",
    "mnist-lenet5",
    "mnist-lenet5-4bit",
    "wide",
)
BOARDS = ("tang-nano-9k", "orangecrab-25f", "ulx3s-85f")
#: Features of the network of random weights.
_FEATURES = 128
#: Starts of the long search, changes after each, and states that are predicted exactly.
STARTS, CHANGES, PREDICTED = 3, 1500, 8
#: Temperatures at the first and at the last change, as a share of the cycles.
_HOT, _COLD = 0.2, 0.002
#: Weight of what is lacking in a budget, as a share of it.
_LACKING = 4.0


class LongSearch:
    """Simulated annealing over the states of a search.

    Parameters
    ----------
    search : Search
        Its estimates and predictions are used.
    seed : int
    """

    def __init__(self, search: Search, seed: int = 0) -> None:
        self.search = search
        self.rng = np.random.default_rng(seed)
        #: States that fit, with their estimated cycles.
        self.found: dict[tuple[Choice, ...], tuple[float, State]] = {}

    def best(self, first: State, starts: int, changes: int, predicted: int) -> Found:
        """Return the fastest of the states that are found, by exact prediction."""
        for _ in range(starts):
            self._anneal(dict(first), changes)
        states = sorted(self.found.values(), key=lambda one: one[0])[:predicted]
        return min((self.search.rated(state) for _, state in states), key=lambda one: one.cycles)

    def _anneal(self, state: State, changes: int) -> None:
        energy = self._energy(state)
        for n in range(changes):
            heat = _HOT * (_COLD / _HOT) ** (n / changes)
            other = self._changed(state)
            if other is None:
                continue
            its = self._energy(other)
            if its <= energy or self.rng.random() < math.exp((energy - its) / heat):
                state, energy = other, its

    def _energy(self, state: State) -> float:
        """Return the logarithm of a state's cycles, and more if it lacks room."""
        states, budget = self.search.states, self.search.budget
        cycles, amounts = states.cycles(state), states.amounts(state)
        over = max(amounts.luts / budget.luts, amounts.block_ram / budget.block_ram)
        over = max(over, amounts.flipflops / budget.flipflops) - 1
        if over <= 0:
            self.found[tuple(state.values())] = (cycles, state)
        # Of all layers, to have a slope where the slowest one is not changed.
        costs = [cost.cycles for cost in self.search.engines.costs(state) if cost is not None]
        return math.log(cycles) + 0.01 * math.log(sum(costs)) + _LACKING * max(over, 0.0)

    def _changed(self, state: State) -> State | None:
        """Return a state in which one parameter of one layer is another; None if there is none."""
        layers = self.search.network.layers
        layer = layers[self.rng.integers(len(layers))]
        engines = self.search.engines
        other: Mapping[str, Choice] = {**state, layer.name: self._choice(layer, state)}
        return None if any(cost is None for cost in engines.costs(other)) else other

    def _choice(self, layer: Layer, state: State) -> Choice:
        engines, rng = self.search.engines, self.rng
        menu = engines.menu(layer, state)
        now = state[layer.name]
        what = rng.integers(6)
        if what == 5:
            return Choice(menu.lanes[-1], planes=int(rng.choice(PLANES)))
        now = replace(now, planes=None)
        if what == 0:
            number = int(rng.choice(menu.lanes))
            return replace(now, lanes=number, units=int(rng.choice(menu.units(number))))
        if what == 1:
            return replace(now, events=int(rng.choice(EVENTS)))
        if what == 2:
            return replace(now, slots=int(rng.choice(SLOT_NUMBERS)))
        if what == 3:
            return replace(now, copies=int(rng.choice(menu.copies)))
        return replace(now, units=int(rng.choice(menu.units(now.lanes))))


def opened(name: str) -> Network:
    """Return one of the networks."""
    return wide(_FEATURES) if name == "wide" else contract.load(FOLDER / f"{name}.safetensors")


def compared(name: str, board: str) -> list[str]:
    """Return a row of the table: the plan and the long search of one network and board."""
    network = opened(name)
    search = Search(network, Budget.of_board(Board.find(board)), typical(network, 1))
    begin = time.process_time()
    try:
        found = search.fastest()
    except NoRoomError:
        return [name, board, *["-"] * 5]
    middle = time.process_time()
    if found.plan.config.compact and search.compacted is not None:
        search = search.compacted
    # Estimates as they are before any prediction.
    search.states.factors = dict.fromkeys(search.states.factors, 1.0)
    other = LongSearch(search).best(found.state, STARTS, CHANGES, PREDICTED)
    figures = (found.cycles, other.cycles)
    seconds = (middle - begin, time.process_time() - middle)
    return [
        name,
        board,
        *(f"{n:,.0f}" for n in figures),
        f"{found.cycles / other.cycles:.3f}",
        *(f"{n:.0f}" for n in seconds),
    ]


def main(names: list[str]) -> None:
    """Print the table, row by row."""
    head = ("network", "board", "#plan", "#long search", "#ratio", "#s", "#s, long")
    print(page.table(head, []), flush=True)
    for name in names or NETWORKS:
        for board in BOARDS:
            print(f"| {' | '.join(compared(name, board))} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
