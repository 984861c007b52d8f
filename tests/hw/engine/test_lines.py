"""Lines: every window of a stream, against the same windows cut out of a padded array."""

from __future__ import annotations

import dataclasses
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.hw.components import Bench, random_values, transfers
from support.hw.windows import window_plans

from spikeloom.hw.engine.lines import LineWindow
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.planning.windows import BufferPlan, WindowPlan
from spikeloom.sw.network import Range


def cut(plan: WindowPlan, values: np.ndarray[Any, Any], offset: int) -> list[list[int]]:
    """Return the windows of ``values`` of shape (images, channels, height, width, 1)."""
    stream, (down, across), (top, left) = plan.buffer.stream, plan.kernel, plan.padding
    missing = stream.stored_channels - stream.channels
    maps = np.pad(values[..., 0], ((0, 0), (0, missing), (0, 0), (0, 0))).transpose(0, 2, 3, 1)
    padded = np.pad(maps, ((0, 0), (top, down), (left, across), (0, 0))) - offset
    return [
        image[y : y + down, x : x + across].reshape(-1).tolist()
        for image in padded
        for y in range(0, plan.shape[0] * plan.stride[0], plan.stride[0])
        for x in range(0, plan.shape[1] * plan.stride[1], plan.stride[1])
    ]


def run(
    plan: WindowPlan,
    offset: int = 0,
    stall_in: float = 0.0,
    stall_out: float = 0.0,
    images: int = 2,
) -> tuple[list[Any], list[Any], list[tuple[Any, ...]]]:
    """Return the windows that were offered, those that are expected, and what every cycle showed.

    A cycle shows whether a transfer was taken, whether a window was, and ``working``.
    """
    stream = plan.buffer.stream
    values = random_values(stream, images, seed=1)
    bits = (max(stream.values.high, 0) - offset).bit_length()
    dut = LineWindow(plan, offset, bits)
    bench = Bench(dut, seed=2)
    bench.put(dut.i, transfers(stream, values), stall_in)
    expected = cut(plan, values, offset)
    seen = bench.get(dut.o, len(expected), stall_out)
    cycles = bench.watch(dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready, dut.working)
    bench.run()
    return seen, expected, cycles


@settings(max_examples=25, deadline=None)
@given(
    plan=window_plans(),
    low=st.sampled_from([0, -2]),
    stalls=st.tuples(st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, 0.5])),
)
def test_every_window(plan: WindowPlan, low: int, stalls: tuple[float, float]) -> None:
    stream = dataclasses.replace(plan.buffer.stream, steps=1, values=Range(low, 3))
    plan = dataclasses.replace(plan, buffer=BufferPlan(stream, 1, plan.kernel[0] - 1), events=1)
    seen, expected, _ = run(plan, low, *stalls)
    assert seen == expected


def windows(
    shape: tuple[int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    lanes: int = 1,
) -> WindowPlan:
    stream = StreamPlan(lanes, Range(0, 3), *shape, 1)
    rows, columns = (
        (n + 2 * p - k) // s + 1
        for n, k, s, p in zip(shape[1:], kernel, stride, padding, strict=True)
    )
    buffer = BufferPlan(stream, 1, kernel[0] - 1)
    return WindowPlan(buffer, kernel, stride, padding, (rows, columns), events=1)


@pytest.mark.parametrize(
    ("plan", "places"),
    [
        (windows((1, 5, 6), (3, 3)), 30),
        (windows((1, 5, 6), (3, 3), padding=(1, 1)), 6 * 7),
        (windows((3, 4, 4), (2, 2)), 48),
        (windows((4, 4, 4), (2, 2), lanes=2), 32),
        (windows((1, 4, 1), (2, 1)), 4),
        (windows((1, 1, 1), (1, 1)), 1),
    ],
)
def test_moves_in_every_cycle(plan: WindowPlan, places: int) -> None:
    """Nothing is lost between windows, rows or images: padding on the right and below counts."""
    seen, expected, cycles = run(plan, images=3)
    assert seen == expected
    taken = [n for n, (_, window, _) in enumerate(cycles) if window]
    per_image = len(taken) // 3
    assert [taken[n + per_image] - taken[n] for n in range(2 * per_image)] == [places] * (
        2 * per_image
    )


def test_no_work_behind_the_last_window() -> None:
    plan = windows((1, 5, 5), (2, 2), (3, 3))
    *_, cycles = run(plan, images=1)
    assert sum(working for *_, working in cycles) == 25 + 1, "all moves, and the last offer"
    plan = windows((1, 6, 6), (2, 2), (3, 3))
    *_, cycles = run(plan, images=1)
    assert sum(working for *_, working in cycles) == 4 * 6 + 5 + 1
    assert sum(taken for taken, *_ in cycles) == 36, "the rest is taken all the same"
