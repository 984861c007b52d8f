"""Search for plans, against exhaustive search with exact predictions."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.networks.searched import sent, small

from spikeloom.hw.boards import Board
from spikeloom.hw.planning import HardwareConfig, Plan, plan
from spikeloom.hw.prediction import predict
from spikeloom.hw.search import Budget, GoalError, NoRoomError, Search, typical
from spikeloom.hw.search.budget import Amounts
from spikeloom.hw.search.found import interval
from spikeloom.hw.search.menu import Choice
from spikeloom.sw.cli.networks import FOLDER
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import load

#: Look-up tables of the accelerator alone.
LIMITS = (1650, 2000, 2600)


@pytest.mark.parametrize("seed", range(2))
def test_as_fast_as_exhaustive_search(seed: int) -> None:
    network = small(seed)
    values = sent(network, seed)
    again = {name: np.concatenate([v, v[:, :1]], 1) for name, v in values.items()}
    budget = Budget.of_numbers(max(LIMITS), None)
    found = []
    numbers = itertools.product((1, 2, 4), (1, 2, 3, 6), (1, 2), (1, 2, 4), (1, 2, 3), (1, 4))
    for first, second, out, more, most, slots in numbers:
        config = HardwareConfig(
            lanes={"first": first, "second": second, "out": out},
            events={"second": more, "out": most},
            slots=slots,
        )
        try:
            planned = plan(network, config)
        except ConfigError:
            continue  # E does not divide the channels
        luts = budget.amounts(planned).luts
        if luts <= max(LIMITS):
            found.append((luts, planned))
    # A plan needs an exact prediction only if it is one of the fastest for its limit.
    for limit in LIMITS:
        search = Search(network, Budget.of_numbers(limit, None), values)
        best = search.fastest()
        assert best.amounts.luts <= limit
        assert best.amounts == search.budget.amounts(best.plan)
        fitting = [p for luts, p in found if luts <= limit]
        fitting.sort(key=lambda p: _ideal(search, p))
        least = min(interval(predict(p, again)) for p in fitting[:12])
        assert best.cycles <= 1.05 * least, limit


#: The fastest choices that an exhaustive search by estimates finds where flip-flops are scarce too,
#: and where a layer behind another is worth unrolling.
SCARCE = {
    "first": Choice(4, events=1, slots=1, units=2),
    "second": Choice(6, events=1, slots=1, units=3),
    "out": Choice(1, events=3, slots=1, units=1),
}
UNROLLED = {
    "first": Choice(4, planes=2),
    "second": Choice(6, planes=2),
    "out": Choice(4, events=3, slots=1, units=1),
}


@pytest.mark.parametrize(
    ("seed", "budget", "choices"),
    [(1, Budget(luts=2600, flipflops=1200), SCARCE), (0, Budget(luts=3500), UNROLLED)],
    ids=["scarce flip-flops", "unrolled"],
)
def test_as_fast_as_the_best_choices(seed: int, budget: Budget, choices: dict[str, Choice]) -> None:
    network = small(seed)
    search = Search(network, budget, sent(network, seed))
    best = Search(network, budget, sent(network, seed)).rated(choices)
    assert budget.fits(best.amounts)
    found = search.fastest()
    assert budget.fits(found.amounts)
    assert found.cycles <= best.cycles


def _ideal(search: Search, planned: Plan) -> float:
    """Return a lower limit of a plan's cycles, without waits for rows."""
    loads = search.engines.loads
    return max(loads[layer.layer.name].cycles(layer) for layer in planned.layers)


def test_a_goal_is_reached_with_less_hardware() -> None:
    network = small(0)
    search = Search(network, Budget.of_numbers(5000, None), sent(network, 0))
    fastest = search.fastest()
    luts = [fastest.amounts.luts]
    for times in (2, 4, 8):
        found = search.reaching(times * fastest.cycles)
        assert found.cycles <= times * fastest.cycles
        luts.append(found.amounts.luts)
    assert luts == sorted(set(luts), reverse=True)


def test_a_goal_is_not_reached_by_far(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small(0)
    search = Search(network, Budget.of_numbers(5000, None), sent(network, 0))
    # Estimates leave out a third of what plans take from 700 cycles on, and nothing below.
    goals = []

    def lightest(goal: float) -> Any:
        goals.append(goal)
        cycles = goal * 1.5 if goal >= 700 else goal
        return SimpleNamespace(cycles=cycles, amounts=Amounts(luts=10_000 - goal))

    monkeypatch.setattr(search, "_lightest", lightest)
    monkeypatch.setattr(search, "_trimmed", lambda found, cycles: found)
    found = search._reaching(1000)
    assert goals[:2] == [1000, 1000 / 1.5]
    assert goals[1] < found.cycles <= 700
    assert 700 - found.cycles < 0.02 * 700
    assert len(goals) <= 6


def test_a_goal_out_of_reach_names_the_fastest_that_fits() -> None:
    network = small(0)
    search = Search(network, Budget.of_numbers(1750, None), sent(network, 0))
    fastest = search.fastest()
    expected = (
        f"does not reach 20 clock cycles .*: the fastest that fits takes {fastest.cycles:,.0f}"
    )
    with pytest.raises(GoalError, match=expected) as caught:
        search.reaching(20)
    assert caught.value.best.cycles == fastest.cycles


def test_engines_are_compact_where_nothing_else_fits() -> None:
    network = small(0)
    values = sent(network, 0)
    smallest = Search(network, Budget.of_numbers(100_000, None), values).states.smallest()[0]
    search = Search(network, Budget.of_numbers(1300, None), values)
    assert search.states.amounts(smallest).luts > 1300
    found = search.fastest()
    assert found.plan.config.compact
    assert all(layer.compact for layer in found.plan.layers if layer.events == 1)
    assert found.amounts.luts <= 1300
    step = search.next_step(found)
    assert step is not None
    assert step.plan.config.compact
    assert step.cycles < found.cycles


def test_engines_are_compact_where_they_reach_a_goal_with_less() -> None:
    network = small(0)
    values = sent(network, 0)
    search = Search(network, Budget.of_numbers(5000, None), values)
    slow = search.reaching(1000)
    assert slow.plan.config.compact
    # With most of its layers unrolled, or more events than one, it has next to nothing to save.
    assert not search.fastest().plan.config.compact


def test_engines_are_not_compact_to_reach_a_goal_with_little_less() -> None:
    network, budget = small(1), Budget.of_numbers(5000, None)
    values = sent(network, 1)
    compact = Search(network, budget, values, compact=True).reaching(90)
    found = Search(network, budget, values).reaching(90)
    assert not found.plan.config.compact
    assert 0.85 < compact.amounts.luts / found.amounts.luts < 1


def test_a_second_search_finds_nothing_faster() -> None:
    network = load(FOLDER / "digits-conv-2bit.safetensors")
    budget = Budget.of_board(Board.find("tang-nano-9k"))
    search = Search(network, budget, typical(network, 1))
    assert search.fastest().cycles == search.fastest().cycles


def test_a_budget_without_room_is_refused_with_what_is_missing() -> None:
    network = small(0)
    search = Search(network, Budget.of_numbers(100, None), sent(network, 0))
    with pytest.raises(NoRoomError, match=r"takes about [\d,]+ look-up tables of 100$") as caught:
        search.fastest()
    assert caught.value.smallest.network is network


def test_the_front_falls_from_point_to_point() -> None:
    network = small(1)
    front = Search(network, Budget.of_numbers(3000, None), sent(network, 1)).front(points=6)
    assert len(front) > 3
    for one, other in itertools.pairwise(front):
        assert one.amounts.luts < other.amounts.luts
        assert one.cycles > other.cycles


def test_one_more_step_is_faster() -> None:
    network = small(1)
    search = Search(network, Budget.of_numbers(1750, None), sent(network, 1))
    found = search.fastest()
    step = search.next_step(found)
    assert step is not None
    assert step.cycles < found.cycles
    assert step.amounts.luts > 1750


def test_a_board_keeps_room_for_its_link() -> None:
    network = small(0)
    board = Board.find("icebreaker")
    values = typical(network, 2)
    alone = Search(network, Budget.of_numbers(board.resources.luts, None), values).fastest()
    whole = Search(network, Budget.of_board(board), values).fastest()
    assert whole.cycles > alone.cycles
    assert whole.amounts.luts <= 0.92 * board.resources.luts
