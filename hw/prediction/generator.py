"""Generator: the state of an event generator between two of its words."""

from __future__ import annotations

from spikeloom.hw.engine.queue import WordQueue

#: A clock cycle before all others.
LONG_AGO = -(1 << 40)


class Generator:
    """An event generator: its held word, its queue, and the value and digit that come next."""

    def __init__(self, depth: int) -> None:
        #: Words that fit into the queue besides the one whose values are picked.
        self.queued = max(depth - 1, 0)
        #: Number of events of the held word, and of its last value; 0 if it holds none.
        self.held: tuple[int, int] = (0, 0)
        #: First cycle in which it takes a word, if it holds none.
        self.free = 0
        #: First cycle in which the queue has space for the held word.
        self.space = LONG_AGO
        #: Cycles in which the last words left the queue.
        self._moves = [LONG_AGO] * self.queued
        self._index = 0
        #: Cycles in which the last word's last value was picked, and its last event taken.
        self.popped = LONG_AGO
        self.last = LONG_AGO

    def entered(self, moved: int) -> None:
        """Note that a word enters the queue, and in which cycle it leaves it."""
        self._moves[self._index] = moved
        self._index = (self._index + 1) % self.queued
        self.space = self._moves[self._index] + WordQueue.SPACE_LATENCY
