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
