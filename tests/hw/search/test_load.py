"""Estimated cycles of single engines, against exact predictions of the whole network."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.networks.strategies import images_for, networks

from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.hw.search.load import Load
from spikeloom.sw.cli.networks import open_network
from spikeloom.sw.datasets import first_images


@pytest.mark.parametrize(
    "config",
    [
        HardwareConfig(),
        HardwareConfig(budget=256, slots=2),
        HardwareConfig(
            lanes={"conv1": 16, "conv2": 32, "conv3": 32, "fc": 5},
            events={"conv2": 2, "conv3": 4},
            slots={"conv1": 4, "conv2": 1, "conv3": 1},
        ),
        HardwareConfig(lanes={"conv2": 32, "conv3": 32, "fc": 5}, planes={"conv1": 1}),
        HardwareConfig(slots=4, compact=True),
    ],
    ids=["default", "many lanes", "events", "unrolled", "compact"],
)
def test_estimates_are_near_the_cycles_of_a_trained_network(config: HardwareConfig) -> None:
    network = open_network("digits-conv")
    planned = plan(network, config)
    sent = activity(network, first_images("digits", network.input, 3))
    exact = predict(planned, sent)
    for layer in planned.layers:
        estimate = Load(layer, sent).cycles(layer)
        cycles = float(exact[layer.layer.name].cycles.mean())
        assert 0.9 * cycles <= estimate <= 1.02 * cycles, layer.layer.name


@settings(max_examples=40)
@given(st.data())
def test_no_engine_adds_fewer_events_than_are_estimated(data: st.DataObject) -> None:
    network = data.draw(networks(max_timesteps=2))
    images = data.draw(images_for(network, 2))
    lanes = data.draw(st.sampled_from((1, 2)))
    lanes_of = {layer.name: min(lanes, network.shapes[layer.name][0]) for layer in network.layers}
    slots = data.draw(st.sampled_from((1, 8)))
    planned = plan(network, HardwareConfig(lanes=lanes_of, slots=slots))
    sent = activity(network, np.asarray(images))
    exact = predict(planned, sent)
    for layer in planned.layers:
        # With one generator, all events of a window follow one another.
        estimate = Load(layer, sent).cycles(layer)
        assert estimate >= float(exact[layer.layer.name].events.mean())
