"""Lowering: weights on a whole source compute what the weights behind a view compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from spikeloom.sw.coding import lowering
from spikeloom.sw.coding.folding import read
from spikeloom.sw.graph import Axis, Selection, Tap, View

CHANNELS = 3


@st.composite
def axes(draw: Any, size: int) -> Axis | None:
    """Draw a cut, or padding, and then sums of neighbours."""
    if draw(st.booleans()):
        return None
    first, step = draw(st.integers(-3, 2)), draw(st.integers(1, 2))
    last = draw(st.integers(max(first, 0), size + 2))
    axis = Axis(size, size).part(first, step, max((last - first) // step, 1))
    if step == 1 and draw(st.booleans()):
        width = draw(st.integers(1, axis.count))
        return axis.sums(width, 0, 1, axis.count - width + 1)
    return axis


@st.composite
def views(draw: Any, height: int, width: int) -> View:
    chosen = st.lists(st.none() | st.integers(0, CHANNELS - 1), min_size=2, max_size=4)
    channels = draw(st.none() | chosen.map(lambda c: Selection(CHANNELS, tuple(c))))
    return View(channels, draw(axes(height)), draw(axes(width)))


def shown(view: View, height: int, width: int) -> tuple[int, int, int]:
    channels = CHANNELS if view.channels is None else len(view.channels.chosen)
    rows, columns = view.rows or Axis(height, height), view.columns or Axis(width, width)
    return channels, rows.count, columns.count


@settings(max_examples=60)
@given(st.data(), st.integers(3, 7), st.integers(3, 7), st.integers(0, 10**6))
def test_convolutions(data: Any, height: int, width: int, seed: int) -> None:
    view = data.draw(views(height, width))
    channels = shown(view, height, width)[0]
    groups = data.draw(st.sampled_from([1, channels]))
    kernel, stride, dilation, average = (
        data.draw(st.tuples(st.integers(1, n), st.integers(1, n))) for n in (3, 2, 2, 2)
    )
    padding = tuple(data.draw(st.tuples(*[st.integers(0, 3)] * 2)) for _ in "ab")
    for axis, (before, after) in zip((view.rows, view.columns), padding, strict=True):
        try:
            if axis is not None:
                axis.part(-before, 1, before + axis.count + after)
        except ValueError:
            assume(False)
    rng = np.random.default_rng(seed)
    weight = rng.integers(-5, 6, (2 * channels, channels // groups, *kernel))
    source = torch.from_numpy(rng.integers(0, 9, (2, CHANNELS, height, width))).double()
    tap = Tap("x", view=view)
    values = read(tap, source) * view.area
    (top, bottom), (left, right) = padding
    values = functional.pad(values, (left, right, top, bottom))
    sizes = [values.shape[2 + i] - dilation[i] * (kernel[i] - 1) for i in (0, 1)]
    assume(min(sizes) > 0)
    sums = functional.conv2d(
        values, torch.from_numpy(weight).double(), None, stride, 0, dilation, groups
    )
    assume(min(size // a for size, a in zip(sums.shape[2:], average, strict=True)) > 0)
    expected = functional.avg_pool2d(sums, average) * (average[0] * average[1])
    lowered = lowering.convolution(
        weight,
        tap,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        average=average,
        source=(CHANNELS, height, width),
    )
    assert all(p < k for p, k in zip(lowered.padding, lowered.weight.shape[2:], strict=True))
    got = functional.conv2d(
        source,
        torch.from_numpy(lowered.weight).double(),
        None,
        lowered.stride,
        lowered.padding,
        1,
        lowered.groups,
    )
    assert torch.equal(got, expected.round())


@settings(max_examples=40)
@given(st.data(), st.integers(3, 5), st.integers(3, 5), st.integers(0, 10**6))
def test_fully_connected_weights(data: Any, height: int, width: int, seed: int) -> None:
    view = data.draw(views(height, width))
    size = int(np.prod(shown(view, height, width)))
    picked = data.draw(st.none() | st.lists(st.integers(0, size - 1), min_size=1, max_size=5))
    features = None if picked is None else Selection(size, tuple(picked))
    tap = Tap("x", flat=True, view=view, features=features)
    rng = np.random.default_rng(seed)
    weight = rng.integers(-5, 6, (2, size if picked is None else len(picked)))
    source = torch.from_numpy(rng.integers(0, 9, (2, CHANNELS, height, width))).double()
    lowered = lowering.linear(weight, tap, (CHANNELS, height, width))
    expected = functional.linear(read(tap, source) * view.area, torch.from_numpy(weight).double())
    got = functional.linear(source.flatten(1), torch.from_numpy(lowered).double())
    assert torch.equal(got, expected.round())


def test_plain_convolutions_stay_as_they_are() -> None:
    weight = np.ones((2, 3, 3, 3), dtype=np.int64)
    lowered = lowering.convolution(weight, Tap("x"), stride=(2, 1), padding=((1, 1), (0, 0)))
    assert lowered.weight is weight
    assert (lowered.stride, lowered.padding, lowered.groups) == ((2, 1), (1, 0), 1)
