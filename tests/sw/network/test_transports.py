from __future__ import annotations

import itertools
from fractions import Fraction

import pytest

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import TEMPORAL, TRANSPORTS, source_steps


def test_count_is_the_only_transport_without_time() -> None:
    assert set(TRANSPORTS) - set(TEMPORAL) == {"count"}


def test_replicate_takes_the_nearest_earlier_step() -> None:
    for source, target in itertools.combinations_with_replacement(range(1, 13), 2):
        steps = source_steps("replicate", source, target)
        assert len(steps) == target
        for t, step in enumerate(steps):
            # Both seen as parts of one whole: step begins at or before t, and the next after it.
            assert Fraction(step, source) <= Fraction(t, target) < Fraction(step + 1, source)
        times = [steps.count(step) for step in range(source)]
        assert max(times) - min(times) <= 1


def test_truncate_takes_the_first_steps() -> None:
    for target, source in itertools.combinations_with_replacement(range(1, 9), 2):
        assert source_steps("truncate", source, target) == tuple(range(target))


@pytest.mark.parametrize("transport", TEMPORAL)
def test_equal_timesteps_are_joined_one_by_one(transport: str) -> None:
    assert source_steps(transport, 5, 5) == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("transport", "source", "target", "message"),
    [
        ("spikes", 2, 3, "3 here, 2 there; make them equal, or use count, replicate transport"),
        ("spikes", 3, 2, "2 here, 3 there; make them equal, or use count, truncate transport"),
        ("replicate", 3, 2, "not 3 over 2: use truncate or count transport"),
        ("truncate", 2, 3, "not 3 of 2: use replicate or count transport"),
    ],
)
def test_timesteps_that_do_not_fit(transport: str, source: int, target: int, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        source_steps(transport, source, target)
