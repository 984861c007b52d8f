"""Scores as text."""

from __future__ import annotations

import pytest

from spikeloom.sw.cli.scores import score_text
from spikeloom.sw.tasks import Classes, Labels, Task, Values


@pytest.mark.parametrize(
    ("score", "task", "expected"),
    [
        (0.8857, None, "88.57 %"),
        (0.8857, Classes(), "88.57 %"),
        (0.8857, Labels, "88.57 %"),
        (0.88571, Values(0.5), "0.8857"),
        (-3.5, Values, "-3.5000"),
        (None, Values, "-"),
        (None, None, "-"),
    ],
)
def test_only_shares_are_shown_in_percent(
    score: float | None, task: Task | type[Task] | None, expected: str
) -> None:
    assert score_text(score, task) == expected
