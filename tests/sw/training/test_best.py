"""Comparing epochs, and the end of waiting for a better one."""

from __future__ import annotations

import pytest

from spikeloom.sw.training.best import Best, exhausted


@pytest.mark.parametrize(
    ("first", "second", "beaten"),
    [
        (Best(0, True, 0.5), None, True),
        (Best(1, True, 0.5), Best(0, True, 0.5), True),
        (Best(1, True, 0.4), Best(0, True, 0.5), False),
        (Best(1, True, 0.1), Best(0, False, -6.0), True),
        (Best(1, False, -5.0), Best(0, False, -6.0), True),
        (Best(1, False, -5.0), Best(0, True, 0.1), False),
    ],
)
def test_which_epoch_is_better(first: Best, second: Best | None, beaten: bool) -> None:
    assert first.beats(second) == beaten


def test_epochs_with_too_many_timesteps_are_not_allowed() -> None:
    record = {"epoch": 2, "validation_accuracy": 0.5, "average_timesteps": 4.0}
    assert Best.of(record, 4.0) == Best.of(record, 0.0) == Best(2, True, 0.5)
    assert Best.of(record, 3.9) == Best(2, False, -4.0)
    assert Best.of({"epoch": 0, "validation_accuracy": 0.1}, 3.9) == Best(0, True, 0.1)


def test_patience() -> None:
    best = Best(3, True, 0.5)
    assert [exhausted(2, done, best) for done in (4, 5, 6)] == [False, False, True]
    assert not exhausted(0, 99, best)
    assert not exhausted(2, 99, None)
