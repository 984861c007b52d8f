"""Random plans of a layer's windows, and the words that a scanner must read for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import numpy as np

from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.planning.windows import BufferPlan, Share, WindowPlan
from spikeloom.sw.network import Range
from support.hw.components import transfers


@st.composite
def window_plans(draw: st.DrawFn) -> WindowPlan:
    """Draw the windows of a random convolution, with a buffer of just as many rows as they need.

    In some, each group of lanes reads only a share of the channels, as in a grouped convolution. In
    some, several timesteps of the layer read the same timestep of the source.
    """
    lanes = draw(st.integers(1, 3))
    channels = draw(st.integers(lanes, 5))
    sides, kernel, stride, padding, shape = [], [], [], [], []
    for _ in range(2):
        size = draw(st.integers(1, 4))
        pad = draw(st.integers(0, size - 1))
        side = draw(st.integers(max(1, size - 2 * pad), 7))
        step = draw(st.integers(1, 5))
        sides.append(side)
        kernel.append(size)
        stride.append(step)
        padding.append(pad)
        shape.append((side + 2 * pad - size) // step + 1)
    stream = StreamPlan(lanes, Range(0, 3), channels, sides[0], sides[1], draw(st.integers(1, 3)))
    share = None
    if draw(st.booleans()):
        chunks = draw(st.sampled_from([n for n in range(1, 6) if stream.lane_groups % n == 0]))
        share = draw(shares(stream.lane_groups // chunks))
    else:
        chunks = draw(st.integers(1, 12))
    size = chunks * lanes
    fitting = [e for e in (1, 2, 3, 4, 6) if stream.stored_channels % e == 0 and size % e == 0]
    rises = draw(st.lists(st.integers(0, 1), max_size=4))
    steps = (0, *np.minimum(np.cumsum(rises, dtype=np.int64), stream.steps - 1).tolist())
    plan = WindowPlan(
        BufferPlan(stream, chunks, rows=1),
        (kernel[0], kernel[1]),
        (stride[0], stride[1]),
        (padding[0], padding[1]),
        (shape[0], shape[1]),
        draw(st.sampled_from(fitting)),
        share,
        steps,
    )
    capacity = max(line.need for line in plan.lines)
    return dataclasses.replace(plan, buffer=dataclasses.replace(plan.buffer, rows=capacity))


@st.composite
def shares(draw: st.DrawFn, position: int) -> Share:
    """Draw the share of a position's words that each of a few groups reads."""
    words = draw(st.integers(1, position))
    firsts = draw(st.lists(st.integers(0, position - words), min_size=1, max_size=3))
    return Share(words, position, tuple(firsts))


def window_words(
    plan: WindowPlan, y: int, x: int, group: int
) -> Iterator[tuple[int, int, int, range]]:
    """Yield the words of a window, each as (row, word, address, values).

    ``row`` counts from the window's first row, ``word`` from the buffer row's first word.
    ``address`` is that of the word's first weights, relative to the group's first. ``values`` are
    the indices of the word's values that lie in the window.
    """
    line, column, share = plan.lines[y], plan.columns[x], plan.share
    for row in range(line.rows):
        for k in range(column.words):
            word = column.first + k
            if share:
                words = share.words
                word = column.first + share.firsts[group] + k // words * share.position + k % words
            low = column.head if k == 0 else 0
            high = column.tail if k == column.words - 1 else plan.buffer.word_values
            address = (line.kernel_row + row) * plan.span + column.offset + k * plan.slots
            yield row, word, address, range(low, high)


def expected_words(
    plan: WindowPlan,
    lane_groups: int,
    images: np.ndarray[Any, Any],
    first: int = 0,
    depth: int | None = None,
) -> list[dict[str, Any]]:
    """Return the words that a scanner must read of ``images``, as its plan's tables tell."""
    stream, size = plan.buffer.stream, plan.buffer.word_values
    positions = (len(images), stream.height, stream.width)
    in_position = (stream.lane_groups, stream.steps, stream.lanes)
    stored = np.reshape(transfers(stream, images), (*positions, *in_position)).swapaxes(-1, -2)
    modulus = 1 << max(((depth or lane_groups * plan.kernel[0] * plan.span) - 1).bit_length(), 1)
    words = []
    for image in stored:
        top = 0
        for y, line in enumerate(plan.lines):
            for x in range(len(plan.columns)):
                for group in range(lane_groups):
                    for step in plan.steps:
                        window = []
                        for row, word, address, under in window_words(plan, y, x, group):
                            values = image[top + row, ..., step].reshape(-1).tolist()
                            values = values[word * size : (word + 1) * size]
                            values += [0] * (size - len(values))
                            kept = [v if k in under else 0 for k, v in enumerate(values)]
                            base = first + group * plan.kernel[0] * plan.span + address
                            entry = {"base": base % modulus, "values": kept, "last": 0}
                            window.append((any(values), entry))
                        if plan.buffer.marked:
                            # Words of zeros are skipped, unless the window has no others.
                            window = [shown for shown in window if shown[0]] or window[:1]
                        window[-1][1]["last"] = 1
                        words += [entry for _, entry in window]
            top += line.release
    return words
