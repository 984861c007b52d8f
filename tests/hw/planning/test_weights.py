from __future__ import annotations

import numpy as np
import pytest
from support.hw.components import plan_of
from support.networks.examples import ints

from spikeloom.hw.planning import HardwareConfig, LayerPlan, plan
from spikeloom.sw.network import (
    Connection,
    Conv2d,
    DirectInput,
    Identity,
    Layer,
    Linear,
    Logits,
    Network,
    Synapses,
)

CHANNELS = 6


def layer(*synapses: Synapses, lanes: int = 4, events: int = 1) -> LayerPlan:
    """Return the plan of a layer that reads the input, of 6 channels, once by each synapses."""
    logits = Logits(np.zeros(CHANNELS, np.int64), 0)
    connections = tuple(Connection("input", "count", each) for each in synapses)
    network = Network(DirectInput((CHANNELS, 3, 3), 3), (Layer("layer", 1, logits, connections),))
    config = HardwareConfig({"layer": lanes}, {"layer": events})
    return plan(network, config)["layer"]


def conv(highest: int, size: int = 3) -> Conv2d:
    weight = np.full((CHANNELS, CHANNELS, size, size), -1)
    weight[-1] = highest
    return Conv2d(weight, padding=(size // 2, size // 2))


def depthwise(highest: int, size: int) -> Conv2d:
    weight = np.full((CHANNELS, 1, size, size), highest)
    return Conv2d(weight, padding=(size // 2, size // 2), groups=CHANNELS)


IDENTITY = Identity(ints(100, 200, 300, 400, 500, 1374))


def test_an_identity_keeps_its_width_to_itself() -> None:
    planned = layer(conv(127), IDENTITY)
    dense, single = planned.stores
    # Two lane groups and 9 places of the kernel, each with 6 channels; the weights of 4 lanes.
    assert (dense.first, dense.depth, dense.width) == (0, 2 * 9 * 6, 4 * 8)
    # From -1: 12 bits would be needed for both together. The number of a lane has 2 bits.
    assert not dense.single
    assert single.single
    assert (single.first, single.weights.high, single.width) == (108, 1374, 11 + 2)
    assert single.depth == planned.depth - 108 == len(planned.bank(0)) - 108
    assert planned.weights.width == 12


def test_a_word_has_one_weight_where_a_value_meets_one_channel() -> None:
    for synapses in (IDENTITY, depthwise(7, 3), depthwise(-5, 1)):
        for events in (1, 2):
            (store,) = layer(synapses, events=events).stores
            assert store.single
            for e in range(events):
                assert (np.count_nonzero(store.bank(e), axis=1) <= 1).all()


def widened(highest: int) -> Conv2d:
    """Return a shortcut into other channels, as a convolution of which most weights are 0."""
    weight = np.zeros((CHANNELS, CHANNELS, 1, 1), np.int64)
    weight[[1, 2, 4], [0, 2, 5]] = highest
    return Conv2d(weight)


def test_a_sparse_convolution_is_no_wider_than_an_identity() -> None:
    for events in (1, 2):
        (store,) = layer(widened(9), events=events).stores
        assert (store.single, store.width) == (True, 4 + 2)
        words = np.concatenate([store.bank(e) for e in range(events)])
        assert (np.count_nonzero(words, axis=1) <= 1).all()
        assert np.count_nonzero(words) == 3
    twice = widened(9).weight.copy()
    twice[0, 2] = 1
    (store,) = layer(Conv2d(twice)).stores
    assert (store.single, store.width) == (False, 4 * 4)


@pytest.mark.parametrize(("lanes", "unused"), [(1, 0), (2, 0), (3, 0), (4, 2), (5, 4), (6, 0)])
def test_lanes_without_a_channel_take_no_place(lanes: int, unused: int) -> None:
    rng = np.random.default_rng(lanes)
    deep = Linear(rng.integers(1, 8, (CHANNELS, 1500)))
    network = Network(
        DirectInput((1500,), 3),
        (
            Layer(
                "layer",
                1,
                Logits(np.zeros(CHANNELS, np.int64), 0),
                (Connection("input", "count", deep),),
            ),
        ),
    )
    memories = plan(network, HardwareConfig(lanes))["layer"].memories
    for memory in memories:
        empty = ~memory.bank(0).any(axis=0)
        assert memory.blank == 3 * empty.sum()
        assert (memory.store.lanes, memory.width) == (lanes, 3 * lanes)
    # Of two groups with 1,500 words each, the second begins behind 1,024 + 476 of 2,048.
    assert [memory.blank // 3 for memory in memories][-1] == unused


@pytest.mark.parametrize("lanes", [1, 2, 3, 6])
def test_bits_that_no_weight_has_take_no_place(lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    weight = rng.integers(-7, 8, (CHANNELS, CHANNELS, 3, 3))
    weight[1] = 0
    weight[4] = 4 * rng.integers(0, 2, weight[4].shape)
    (store,) = layer(Conv2d(weight), lanes=lanes).stores
    (memory,) = layer(Conv2d(weight), lanes=lanes).memories
    used = np.bitwise_or.reduce(store.bank(0), axis=0)
    assert memory.blank == sum(4 - bin(bits & 15).count("1") for bits in used.tolist())
    # A channel of zeros has no bit, and one of 0 and 4 has one; of three lanes, they share one.
    assert memory.blank == {6: 4 + 3, 3: 3}.get(lanes, 0)


def test_a_single_lane_needs_no_number() -> None:
    (store,) = layer(IDENTITY, lanes=1).stores
    assert (store.single, store.width) == (False, 11)


def test_equal_widths_share_a_memory() -> None:
    (store,) = layer(conv(127), conv(100, 1)).stores
    assert len(store.readers) == 2
    assert store.depth == 2 * 9 * 6 + 2 * 6


def test_widths_differ_where_that_saves_more_than_choosing_costs() -> None:
    # 12 bits for a few, 8 for most: 4 lanes, 108 words and 4 bits are more than 4 x 12 x 16 bits.
    narrow, wide = layer(conv(127), conv(2047, 1)).stores
    assert (narrow.width, wide.width) == (4 * 8, 4 * 12)
    # 9 bits and 8: 4 lanes and 108 words are fewer than 4 x 9 x 16 bits.
    (store,) = layer(conv(127), conv(255, 1)).stores
    assert store.width == 4 * 9


def test_deep_memories_are_cut_into_powers_of_two() -> None:
    """Depths by hand: as block RAM has them, with fewer words left empty than in one piece."""
    cut = {
        100: [100],
        512: [512],
        # 512 and 512 are no fewer than 1,024.
        784: [784],
        1024: [1024],
        1152: [1024, 128],
        # 1,024 and 512 and 512 are no fewer than 2,048.
        1600: [1600],
        3136: [2048, 1024, 64],
        5000: [4096, 904],
    }
    for inputs, expected in cut.items():
        planned = plan_of((inputs,), Linear(np.arange(inputs)[None]))["layer"]
        memories = planned.memories
        assert [memory.depth for memory in memories] == expected
        firsts = [sum(expected[:k]) for k in range(len(expected))]
        assert [memory.first for memory in memories] == firsts
        words = np.concatenate([memory.bank(0) for memory in memories])
        assert words[:, 0].tolist() == list(range(inputs))
