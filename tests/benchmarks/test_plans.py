"""The long search of the comparison keeps to its budget, and finds something."""

from __future__ import annotations

from benchmarks.plans import LongSearch, opened
from spikeloom.hw.search import Budget, Search, typical


def test_a_long_search_keeps_to_the_budget_and_is_faster_than_its_start() -> None:
    network = opened("wide")
    search = Search(network, Budget.of_numbers(9000, None), typical(network, 1))
    first = search.states.smallest()[0]
    start = search.rated(first)
    found = LongSearch(search).best(first, starts=1, changes=80, predicted=2)
    assert found.amounts.luts <= 9000
    assert found.cycles < 0.5 * start.cycles


def test_a_long_search_draws_copies() -> None:
    network = opened("digits-conv-2bit")
    search = Search(network, Budget.of_numbers(60_000, None), typical(network, 1))
    long = LongSearch(search)
    long.best(search.states.smallest()[0], starts=1, changes=60, predicted=1)
    assert any(choice.copies > 1 for state in long.found for choice in state)


def test_the_network_of_random_weights_is_always_the_same() -> None:
    assert opened("wide").digest == opened("wide").digest
