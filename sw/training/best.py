"""The best epoch of a phase, and the end of waiting for a better one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Best:
    """The best epoch of a phase.

    Parameters
    ----------
    epoch : int
        From 0.
    allowed : bool
        Whether its mean T is within the limit.
    score : float
        Accuracy on the validation split; of an epoch that is not allowed, minus its mean T.
    """

    epoch: int
    allowed: bool
    score: float

    @classmethod
    def of(cls, record: Mapping[str, Any], limit: float) -> Best:
        """Rate an epoch.

        Parameters
        ----------
        record : mapping
            Has ``epoch``, ``validation_accuracy``, and ``average_timesteps`` if any layer fires.
        limit : float
            The highest mean T that is allowed; 0 for no limit.
        """
        steps = record.get("average_timesteps", 0.0)
        allowed = not limit or steps <= limit
        return cls(record["epoch"], allowed, record["validation_accuracy"] if allowed else -steps)

    def beats(self, other: Best | None) -> bool:
        """Return whether this epoch is at least as good as another."""
        return other is None or (self.allowed, self.score) >= (other.allowed, other.score)


def exhausted(patience: int, done: int, best: Best | None) -> bool:
    """Return whether a phase ends because too many epochs brought nothing better.

    Parameters
    ----------
    patience : int
        Epochs without a better one that end the phase; 0 if none do.
    done : int
        Epochs so far.
    best : Best or None
    """
    return bool(patience) and best is not None and done - 1 - best.epoch >= patience
