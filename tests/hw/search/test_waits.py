"""Estimated waits for rows, against closed forms of a chain of layers."""

from __future__ import annotations

import numpy as np
import pytest
from support.networks.examples import logits_layer

from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.search.waits import Lines, Waits
from spikeloom.sw.network import Connection, Conv2d, DirectInput, If, Layer, Network

HEIGHT = 8


def chain() -> Network:
    """Return two convolutions of single pixels, one behind the other, and logits."""
    zeros = np.zeros(1, np.int64)

    def layer(name: str, source: str) -> Layer:
        synapses = Conv2d(np.ones((1, 1, 1, 1), np.int64))
        neuron = If(np.full(1, 4), zeros, zeros, fraction_bits=0)
        return Layer(name, 2, neuron, (Connection(source, "count", synapses),))

    logits = logits_layer("second", np.ones((2, 16), np.int64))
    return Network(
        DirectInput((1, HEIGHT, 2), bits=3),
        (layer("first", "input"), layer("second", "first"), logits),
    )


@pytest.fixture(scope="module")
def waits() -> Waits:
    return Waits(plan(chain(), HardwareConfig(lanes=1)))


@pytest.mark.parametrize("images", [1, 3])
def test_the_slowest_layer_sets_the_interval_where_all_lines_are_alike(
    waits: Waits, images: int
) -> None:
    def alike(cycles: float) -> Lines:
        return [[cycles] * HEIGHT] * images

    lines = {"first": alike(10), "second": alike(30), "out": [[7.0]] * images}
    assert waits.interval(lines) == HEIGHT * 30
    lines["first"] = alike(50)
    assert waits.interval(lines) == HEIGHT * 50


def test_the_input_sets_the_interval_where_all_layers_are_fast(waits: Waits) -> None:
    fast = [[0.5] * HEIGHT]
    # Two pixels in a row, one in each cycle.
    assert waits.interval({"first": fast, "second": fast, "out": [[1.0]]}) == 2 * HEIGHT


def test_layers_that_are_slow_at_different_times_wait_for_one_another(waits: Waits) -> None:
    half = HEIGHT // 2
    first, second = [100.0] * half + [1.0] * half, [1.0] * half + [100.0] * half
    lines = {"first": [first], "second": [second], "out": [[1.0]]}
    found = waits.interval(lines)
    # Both have as much to do, but few rows of the first can wait in the buffer between them.
    assert max(sum(first), sum(second)) < found < sum(first) + sum(second)


def test_different_images_count_once_each(waits: Waits) -> None:
    slow = {"first": [[1.0] * HEIGHT] * 2, "second": [[10.0] * HEIGHT, [30.0] * HEIGHT]}
    assert waits.interval({**slow, "out": [[1.0]] * 2}) == HEIGHT * 20
