"""Menus of engines, against all engines that there are."""

from __future__ import annotations

import itertools
import math

import pytest
from support.networks.searched import sent, small

from spikeloom.hw.search import Budget
from spikeloom.hw.search.budget import Prices
from spikeloom.hw.search.engines import Engines
from spikeloom.hw.search.menu import EVENTS, SLOT_NUMBERS, Choice, Menu

PRICES = (Prices(), Prices(block_ram=30.0), Prices(luts=0.1, flipflops=1.0))


@pytest.fixture(scope="module")
def menu() -> Menu:
    """Return the menu of the second convolution, behind four lanes."""
    network = small(0)
    budget = Budget(luts=6000, flipflops=6000, block_ram=30)
    engines = Engines(network, budget, sent(network, 0))
    return engines.menu(network.layers[1], {"first": Choice(4)})


@pytest.mark.parametrize("prices", PRICES)
def test_the_cheapest_is_that_of_all(menu: Menu, prices: Prices) -> None:
    choices = [
        Choice(lanes, events, slots, units=units)
        for lanes, events, slots in itertools.product(menu.lanes, EVENTS, SLOT_NUMBERS)
        for units in menu.units(lanes)
    ]
    costs = [cost for cost in map(menu.cost, choices) if cost is not None]
    slowest = max(cost.cycles for cost in costs)
    for share in (1.0, 0.5, 0.3, 0.2):
        least = min(cost.weight(prices) for cost in costs if cost.cycles <= share * slowest)
        found = menu.cheapest(share * slowest, prices)
        assert found is not None
        cost = menu.cost(found)
        assert cost is not None
        assert cost.cycles <= share * slowest
        assert cost.weight(prices) <= least * (1 + 1e-9)


def test_copies_only_where_all_lanes_are_not_enough(menu: Menu) -> None:
    single = [menu.cost(Choice(menu.lanes[-1], e, s, units=6)) for e, s in menu.options]
    fastest = min(cost.cycles for cost in single if cost is not None)
    for cycles, copied in ((fastest, False), (0.99 * fastest, True)):
        # Unrolled layers have no events.
        menu.unrolled.clear()
        found = menu.cheapest(cycles, Prices())
        assert found is not None
        assert (found.copies > 1) == copied


def test_nothing_is_as_fast_as_nothing(menu: Menu) -> None:
    assert menu.cheapest(0.5, Prices()) is None
    assert menu.cheapest(math.inf, Prices()) is not None


def test_near_choices_differ_by_a_step(menu: Menu) -> None:
    choice = Choice(3, 2, 1, units=1)
    near = menu.near(choice)
    assert choice not in near
    rolled = [other for other in near if other.planes is None]
    assert {other.lanes for other in rolled} == {1, 2, 3, 6}
    assert {other.events for other in rolled if other.lanes == 3} <= {1, 2, 3}
    assert all(other.lanes % (other.units or 1) == 0 for other in rolled)
    # Only an engine with all lanes is copied.
    assert {other.copies for other in rolled} == {1}
    assert any(other.copies == 2 for other in menu.near(Choice(6, 2, 1, units=1)))
