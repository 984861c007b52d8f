"""Spans of clock cycles."""

from __future__ import annotations

import numpy as np

from spikeloom.sw.network.record import IntArray


def union(spans: IntArray) -> tuple[IntArray, IntArray]:
    """Return the beginnings and ends of the union of spans that may overlap."""
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(spans[:, 1])
    new = np.ones(len(spans), bool)
    new[1:] = spans[1:, 0] > reach[:-1]
    starts = spans[new, 0]
    stops = reach[np.append(np.flatnonzero(new)[1:] - 1, len(spans) - 1)] if len(spans) else reach
    return starts, stops


def between(spans: IntArray, others: IntArray) -> IntArray:
    """Return what is left of spans where none of others is, as spans of shape (K, 2).

    Either may overlap among themselves, and be none.
    """
    left: list[tuple[int, int]] = []
    starts, stops = (part.tolist() for part in union(others))
    index = 0
    for begin, end in zip(*(part.tolist() for part in union(spans)), strict=True):
        while index < len(stops) and stops[index] <= begin:
            index += 1
        at, look = begin, index
        while look < len(starts) and starts[look] < end:
            if starts[look] > at:
                left.append((at, starts[look]))
            at = max(at, stops[look])
            look += 1
        if at < end:
            left.append((at, end))
    return np.array(left, np.int64).reshape(-1, 2)
