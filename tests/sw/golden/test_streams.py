from __future__ import annotations

import numpy as np
import pytest
from support.hw.networks import residual, showcase
from support.hw.pysim import pixels
from support.networks.examples import every_kind, everything

from spikeloom.sw.golden.streams import counts_of, in_network_order, in_stream_order, pixel_stream
from spikeloom.sw.network import BernoulliInput, Network, SpikeInput


@pytest.mark.parametrize(
    "network",
    [everything(), every_kind(), showcase(), residual()],
    ids=["everything", "every kind", "showcase", "residual"],
)
def test_pixels_come_in_the_order_of_the_stream(network: Network) -> None:
    images = np.random.default_rng(0).integers(0, 8, (2, *network.input.image_shape))
    stream = pixel_stream(network.input, images)
    assert stream.shape[0] == 2
    assert stream.flatten().tolist() == pixels(network, images)


def test_timesteps_are_faster_than_channels() -> None:
    images = np.arange(12).reshape(1, 3, 2, 1, 2)
    stream = pixel_stream(SpikeInput((2, 1, 2), 3, 11), images)
    assert stream.tolist() == [[0, 4, 8, 2, 6, 10, 1, 5, 9, 3, 7, 11]]


def test_pixels_that_become_spikes_come_once() -> None:
    images = np.arange(4).reshape(1, 2, 1, 2)
    assert pixel_stream(BernoulliInput((2, 1, 2), 2, 3), images).tolist() == [[0, 2, 1, 3]]


def test_stream_order_has_the_channel_fastest() -> None:
    values = np.arange(24).reshape(2, 3, 2, 2)
    stream = in_stream_order((3, 2, 2), values)
    assert stream[0].tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    assert in_network_order((3, 2, 2), stream).tolist() == values.reshape(2, 12).tolist()


def test_counts_of_a_layer_that_sends_counts() -> None:
    """Three channels on two lanes: the last lane of the second group means nothing."""
    words = [[1, 2], [3, 99], [4, 5], [6, 99]]
    counts = counts_of((3, 1, 2), np.array([words, [[0, 0]] * 4]))
    assert counts.tolist() == [[[[1, 4]], [[2, 5]], [[3, 6]]], [[[0, 0]]] * 3]


def test_counts_of_a_layer_that_sends_spikes() -> None:
    words = [[[1, 0], [1, -1], [0, 7], [1, 7]]]
    assert counts_of((3,), np.array(words)).tolist() == [[2, -1, 1]]
