"""Scores of models and networks, and reports of their decisions, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spikeloom.sw.cli.common import percent
from spikeloom.sw.cli.output import say

if TYPE_CHECKING:
    from spikeloom.sw.tasks import Task


def score_text(score: float | None, task: Task | type[Task] | None) -> str:
    """Return a score as text: a share in percent, R², which is no share, as a number.

    ``task`` is None if the largest output decides; a score of None becomes ``-``.
    """
    if score is None or task is None or task.is_share:
        return percent(score)
    return f"{score:.4f}"


def show_report(report: Mapping[str, Any] | None, names: Sequence[str] | None = None) -> None:
    """Print the figures of a task's report, such as balanced accuracy and confusion matrix."""
    from spikeloom.sw.tasks.report import lines_of

    for line in lines_of(report or {}, names):
        say(line)
