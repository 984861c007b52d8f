"""Which epoch of a phase is the best, and when to wait no longer for a better one."""

from __future__ import annotations

from dataclasses import dataclass


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
        Accuracy on the validation split; if it is not allowed, minus its mean T.
    """

    epoch: int
    allowed: bool
    score: float

    def beats(self, other: Best | None) -> bool:
        """Return whether this epoch is at least as good."""
        return other is None or (self.allowed, self.score) >= (other.allowed, other.score)


def exhausted(patience: int, done: int, best: Best | None) -> bool:
    """Return whether so many epochs brought nothing better that the phase ends.

    Parameters
    ----------
    patience : int
        0 for no such end.
    done : int
        Epochs so far.
    best : Best or None
    """
    return bool(patience) and best is not None and done - 1 - best.epoch >= patience
