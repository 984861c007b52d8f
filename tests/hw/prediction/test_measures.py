"""Measures of a network's cycles, and the activity that they are predicted from."""

from __future__ import annotations

import numpy as np
import pytest
from support.networks.examples import every_kind

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import plan
from spikeloom.hw.prediction import MEASURES, Prediction, activity, predict, slowest, total
from spikeloom.sw.golden import Golden
from spikeloom.sw.network.record import IntArray

NETWORK = every_kind()
IMAGES: IntArray = np.random.default_rng(0).integers(0, 3, (2, *NETWORK.input.image_shape))


def prediction(config: HardwareConfig | None = None) -> Prediction:
    return predict(plan(NETWORK, config), activity(NETWORK, IMAGES))


def test_slowest_is_the_mean_of_the_slowest_layer() -> None:
    assert slowest(NETWORK, IMAGES) == max(x.cycles.mean() for x in prediction().layers)


def test_total_is_of_all_layers() -> None:
    found = total(NETWORK, IMAGES)
    assert found == pytest.approx(sum(x.cycles.mean() for x in prediction().layers))
    assert found > slowest(NETWORK, IMAGES)


def test_measures_follow_the_choices_for_the_hardware() -> None:
    lanes = HardwareConfig(lanes=2)
    expected = prediction(lanes)
    assert slowest(NETWORK, IMAGES, lanes) == expected.slowest.cycles.mean()
    assert total(NETWORK, IMAGES, lanes) < total(NETWORK, IMAGES)


def test_measures_by_the_names_in_recipes() -> None:
    assert dict(MEASURES) == {"slowest": slowest, "sum": total}


def test_activity_is_what_golden_sends() -> None:
    result = Golden(NETWORK).run(IMAGES, trace=True)
    assert result.trace is not None
    sent = activity(NETWORK, IMAGES)
    assert set(sent) == {"input", "twice", "signs", "bursts", "steps"}
    assert np.array_equal(sent["input"], IMAGES.swapaxes(0, 1))
    assert all(
        np.array_equal(sent[name], result.trace[name].spikes) for name in sent if name != "input"
    )
