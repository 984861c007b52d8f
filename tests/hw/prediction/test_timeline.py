"""Timelines: the spans of an image add up to its counters, and coarse ones show the same."""

from __future__ import annotations

import numpy as np
import pytest
from support.networks.examples import every_kind, everything

from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.prediction import activity, coarse, predict
from spikeloom.hw.prediction.spans import between
from spikeloom.sw.network import Network


def length(spans: list[list[int]]) -> int:
    return sum(stop - start for start, stop in spans)


@pytest.mark.parametrize("network", [everything(), every_kind()], ids=lambda network: network.name)
def test_spans_add_up_to_the_counters_of_each_image(network: Network) -> None:
    pixels, shape = network.input.pixels(), (3, *network.input.image_shape)
    images = np.random.default_rng(0).integers(pixels.low, pixels.high + 1, shape)
    made, sent = plan(network, HardwareConfig(lanes=1)), activity(network, images)
    found = predict(made, sent, timelines=True)
    assert not predict(made, sent).timelines
    for layer in found.layers:
        timeline = found.timelines[layer.name]
        for image in range(3):
            spans = timeline.image(image)
            assert length(spans["starved"]) == layer.starved[image]
            assert length(spans["blocked"]) == layer.blocked[image]
            waiting = layer.starved[image] + layer.blocked[image]
            assert spans["end"] - spans["begin"] - waiting == layer.cycles[image]
    assert any(layer.starved.any() for layer in found.layers)
    assert found.timelines[found.layers[-1].name].image(2)["end"] == found.ends[2] + 1


def test_between_leaves_every_cycle_that_no_other_span_has() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        spans, others = (
            np.stack([starts, starts + rng.integers(1, 6, len(starts))], 1)
            for starts in (rng.integers(0, 40, rng.integers(0, 6)) for _ in range(2))
        )
        inside = np.zeros(50, bool)
        for start, stop in spans:
            inside[start:stop] = True
        for start, stop in others:
            inside[start:stop] = False
        left = np.zeros(50, bool)
        for start, stop in between(spans.reshape(-1, 2), others.reshape(-1, 2)):
            assert start < stop
            assert not left[start:stop].any()
            left[start:stop] = True
        assert np.array_equal(left, inside)


def test_coarse_joins_the_nearest_spans() -> None:
    spans = [[0, 1], [2, 3], [10, 11], [20, 21], [22, 23]]
    assert coarse(spans, 5) == spans
    assert coarse(spans, 3) == [[0, 3], [10, 11], [20, 23]]
    assert coarse(spans, 1) == [[0, 23]]
