"""Timelines: what each engine does from clock cycle to clock cycle, for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from spikeloom.hw.prediction.spans import between, union
from spikeloom.sw.network.record import IntArray

#: Most spans of one kind that a picture of an engine is made of.
MOST_SPANS = 240


@dataclass(frozen=True, eq=False)
class Timeline:
    """What one engine does in its share of a run; an engine is at work on one image at a time.

    Clock cycles count from the end of reset; a span is its first cycle and the cycle after it.

    Parameters
    ----------
    ends : array of int64, shape (N,)
        Clock cycle in which the last transfer of each image is taken.
    starved, blocked : array of int64, shape (K, 2)
        Spans in which there is nothing to do, and in which neurons wait for a consumer while no
        event comes, in their order. In all other cycles the engine is at work.
    """

    ends: IntArray
    starved: IntArray
    blocked: IntArray

    @classmethod
    def of(cls, ends: list[int], busy: IntArray, waits: IntArray, runs: IntArray) -> Timeline:
        """Return the timeline of an engine.

        Parameters
        ----------
        ends : list of int
        busy, waits, runs : array of int64, shape (K, 2)
            Spans in which it has something to do, in which neurons wait, and in which events are
            taken; they may overlap.
        """
        starts, stops = union(busy)
        gaps = np.stack([stops[:-1], starts[1:]], 1)
        return cls(np.array(ends), gaps, between(waits, runs))

    def image(self, index: int) -> dict[str, Any]:
        """Return the spans of one image, as JSON values.

        Returns
        -------
        dict
            ``begin`` and ``end``, the first clock cycle of the engine's work on the image, and the
            cycle after the last; and lists of spans, ``starved`` and ``blocked``.
        """
        begin = int(self.ends[index - 1]) + 1 if index else 0
        end = int(self.ends[index]) + 1
        return {
            "begin": begin,
            "end": end,
            "starved": _within(self.starved, begin, end),
            "blocked": _within(self.blocked, begin, end),
        }


def coarse(spans: list[list[int]], most: int = MOST_SPANS) -> list[list[int]]:
    """Return at most ``most`` spans that show the same: neighbours become one, nearest first."""
    if len(spans) <= most:
        return spans
    gaps = np.array([after[0] - before[1] for before, after in pairwise(spans)])
    kept = set(np.argsort(-gaps, kind="stable")[: most - 1].tolist())
    merged = [list(spans[0])]
    for index, span in enumerate(spans[1:]):
        if index in kept:
            merged.append(list(span))
        else:
            merged[-1][1] = span[1]
    return merged


def _within(spans: IntArray, begin: int, end: int) -> list[list[int]]:
    inside = spans[(spans[:, 1] > begin) & (spans[:, 0] < end)]
    return [[max(int(a), begin), min(int(b), end)] for a, b in inside if a < b]
