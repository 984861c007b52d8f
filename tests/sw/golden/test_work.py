"""The work of networks: by hand, and by loops over every synapse, image and timestep."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import naive
from support.networks.examples import every_kind, everything, recurrent
from support.networks.strategies import images_for, networks

from spikeloom.sw.golden import Golden, Meter, Work
from spikeloom.sw.golden.work import AMOUNTS, fan_out
from spikeloom.sw.network import (
    Burst,
    Connection,
    Conv2d,
    CountInput,
    Cuba,
    Dual,
    Identity,
    If,
    Ladder,
    Layer,
    Linear,
    Logits,
    Network,
    Neuron,
    Signed,
    SpikeInput,
    Synapses,
)


def metered(network: Network, images: Any, **options: Any) -> Work:
    meter = Meter(network)
    Golden(network).run(images, meter=meter, **options)
    return meter.work


def binary(value: int) -> int:
    return bin(value).count("1")


def signed_digits(value: int) -> int:
    """Return the number of digits in the non-adjacent form, by its definition."""
    count = 0
    while value:
        if value % 2:
            value -= 2 - value % 4  # 1 or -1, so that what is left can be divided by 4
            count += 1
        value //= 2
    return count


def by_loops(network: Network, images: Any) -> dict[str, Counter[str]]:
    """Return the amounts of each layer, from the contract's naive model."""
    found: dict[str, Counter[str]] = {layer.name: Counter() for layer in network.layers}
    for image in images.tolist():
        done = naive.run(network, image)
        for layer in network.layers:
            amounts, timesteps = found[layer.name], layer.timesteps
            spikes = done[layer.name].spikes
            amounts["spikes"] += sum(v != 0 for step in spikes for v in step.values())
            amounts["updates"] += sum(len(step) for step in spikes)
            ranges = [network.carried(layer, c) for c in layer.connections]
            form = any(r.low < 0 or r.high > 6 for r in ranges)
            digits = signed_digits if form else binary
            for number, connection in enumerate(layer.connections):
                synapses, weight = connection.synapses, connection.synapses.weight
                bits = max(v if v >= 0 else ~v for v in weight.ravel().tolist()).bit_length()
                bits = max(bits + bool((weight < 0).any()), 1)

                def summed(
                    values: naive.Map, weights: Any, convert: Callable[[int], int], of: Any
                ) -> int:
                    counted = {index: convert(value) for index, value in values.items()}
                    marked = dataclasses.replace(of, weight=weights)
                    return sum(naive.sums(marked, counted).values())

                ones = np.ones_like(weight)
                for t in range(1 if layer.constant else timesteps):
                    values = naive.carried(network, image, done, layer, connection, t)
                    added = summed(values, ones, digits, synapses)
                    amounts["additions"] += added
                    amounts["shifted"] += added - summed(values, ones, lambda v: v % 2, synapses)
                    amounts["weight_bits"] += added * bits
                    if connection.synapses.kind == "identity":
                        continue
                    low, high = ranges[number].low, ranges[number].high
                    kind = "acs" if low >= -1 and high <= 1 else "macs"
                    marks = (weight != 0).astype(np.int64)
                    amounts[kind] += summed(values, marks, lambda v: v != 0, synapses)
                    amounts["dense"] += summed(values, ones, lambda v: 1, synapses)
                shape = connection.pooled_shape(network.shapes[connection.source])
                flat = {tuple(i): 1 for i in np.argwhere(np.ones(shape)).tolist()}
                passes = timesteps if layer.recurrent else 1
                kind = "ann_additions" if synapses.kind == "identity" else "ann_macs"
                amounts[kind] += passes * summed(flat, ones, int, synapses)
    return found


def compare(network: Network, images: Any) -> None:
    work = metered(network, images)
    assert work.images == len(images)
    for name, expected in by_loops(network, images).items():
        layer = work[name]
        for amount in AMOUNTS:
            if amount != "update_additions":
                assert getattr(layer, amount) == expected[amount], (name, amount)
        rate = expected["spikes"] / (layer.neurons * layer.timesteps * len(images))
        assert layer.spike_rate == rate


def random_images(network: Network, count: int) -> Any:
    reach = network.input.pixels()
    shape = (count, *network.input.image_shape)
    rng = np.random.default_rng(count)
    return rng.integers(reach.low, reach.high, shape, endpoint=True) * (rng.random(shape) < 0.7)


@pytest.mark.parametrize("made", [everything, every_kind, recurrent])
def test_every_kind_equals_loops(made: Callable[[], Network]) -> None:
    network = made()
    compare(network, random_images(network, 3))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_networks_equal_loops(data: Any) -> None:
    network = data.draw(networks(max_timesteps=3))
    compare(network, np.asarray(data.draw(images_for(network, 2))))


def two_layers() -> Network:
    """Return a network with one neuron for a difference of two pixels, and three logits."""
    one = np.ones(1, np.int64)
    first = Connection("input", "count", Linear(np.array([[1, -1]])))
    thrice = Linear(np.array([[1], [0], [-3]]))
    return Network(
        CountInput((2,), 7),
        (
            Layer("dual", 2, Dual(4 * one, 2 * one, 0 * one, 0), (first,)),
            Layer("out", 2, Logits(np.arange(3), 0), (Connection("dual", "spikes", thrice),)),
        ),
    )


def test_by_hand() -> None:
    # Spikes: 1 and 1; 1 and 0 (2 + 2 reaches 4; then 0 + 2 does not); none. Each meets 3 weights,
    # one of which is 0. Pixels 4, 2 and 7 = 8 - 1 are 1, 1 and 2 digits, all shifted but the -1.
    work = metered(two_layers(), np.array([[4, 0], [2, 0], [0, 7]]))
    dual, out = work["dual"], work["out"]
    assert (dual.additions, dual.shifted, dual.weight_bits) == (4, 3, 2 * 4)
    assert (dual.acs, dual.macs, dual.dense, dual.ann_macs) == (0, 3, 6, 6)
    assert (dual.spikes, dual.updates, dual.update_additions) == (3, 6, 6 * 5)
    assert dual.spike_rate == 3 / 6
    assert (out.additions, out.shifted, out.weight_bits) == (9, 0, 3 * 9)
    assert (out.acs, out.macs, out.dense, out.ann_macs) == (6, 0, 18, 9)
    assert (out.spikes, out.updates, out.update_additions) == (0, 18, 18 * 2)
    assert work.total("additions") == 13
    assert work.as_dict()["layers"][0]["spike_rate"] == 0.5
    assert work.as_dict()["dense"] == 24


def test_batches_and_parts_add_up() -> None:
    network = every_kind()
    images = random_images(network, 5)
    whole = metered(network, images)
    assert metered(network, images, batch_size=2) == whole
    assert metered(network, images[:2]) + metered(network, images[2:]) == whole
    meter = Meter(network)
    for part in (images[:1], images[1:]):
        Golden(network).run(part, meter=meter, trace=True)
    assert meter.work == whole


def test_a_constant_current_beside_spikes_is_added_at_every_timestep() -> None:
    """As in hardware, whose accumulators begin each timestep from 0."""
    one = np.ones(1, np.int64)
    ways = (
        Connection("input", "count", Identity(one)),
        Connection("input", "spikes", Identity(one)),
    )
    out = Layer("out", 3, Logits(0 * one, 0), ways)
    work = metered(Network(SpikeInput((1,), 3), (out,)), np.array([[[1], [1], [0]]]))
    # The count 2 three times, and two spikes.
    assert work["out"].additions == 3 + 2
    # A shortcut is an addition of an artificial network, and no synaptic operation of NeuroBench.
    assert (work["out"].ann_macs, work["out"].ann_additions, work["out"].dense) == (0, 2, 0)


ONE = np.ones(1, np.int64)


@pytest.mark.parametrize(
    ("neuron", "operations"),
    [
        (If(ONE, 0 * ONE, ONE, 0), 4),
        (If(ONE, 0 * ONE, ONE, 0, (2, -3)), 6),
        (If(ONE, 0 * ONE, ONE, 0, reset_value=ONE), 3),
        (Cuba(ONE, 0 * ONE, ONE, 0, (1,), current_leak=(2, 3)), 4 + 1 + 1 + 2),
        (Dual(ONE, 0 * ONE, ONE, 0), 5),
        (Signed(ONE, ONE, ONE, 0), 6),
        (Burst(ONE, 0 * ONE, ONE, 0, 1), 4),
        (Burst(ONE, 0 * ONE, ONE, 0, 4, 2), 2 + 2 * 3 + 1),
        (Ladder(np.ones((1, 2), np.int64)), 1),
        (Logits(ONE, 0, (2,)), 3),
    ],
)
def test_additions_and_comparisons_of_neurons(neuron: Neuron, operations: int) -> None:
    assert neuron.operations == operations


@pytest.mark.parametrize(
    ("synapses", "source"),
    [
        (Linear(np.zeros((3, 12), np.int64)), (3, 2, 2)),
        (Identity(np.ones(3, np.int64)), (3, 2, 5)),
        (Conv2d(np.zeros((4, 3, 3, 3), np.int64), padding=(1, 1)), (3, 4, 5)),
        (Conv2d(np.zeros((4, 3, 2, 3), np.int64), (2, 1), (1, 0)), (3, 5, 6)),
        (Conv2d(np.zeros((6, 1, 3, 2), np.int64), (3, 2), (2, 1), 3), (3, 7, 6)),
        (Conv2d(np.zeros((2, 3, 1, 1), np.int64), (2, 3)), (3, 4, 4)),
    ],
    ids=["linear", "identity", "padded", "strided", "grouped", "positions left out"],
)
def test_fan_out_counts_changed_sums(synapses: Synapses, source: tuple[int, ...]) -> None:
    """A single source value of 1 and weights of 1: as many sums become 1 as it reaches."""
    ones = type(synapses)(**vars(synapses) | {"weight": np.ones_like(synapses.weight)})
    connection = Connection("input", "count", ones)
    channels = np.zeros(synapses.channels, np.int64)
    network = Network(CountInput(source, 1), (Layer("out", 1, Logits(channels, 0), (connection,)),))
    single = np.eye(math.prod(source), dtype=np.int64).reshape(-1, *source)
    expected = Golden(network).run(single).logits.sum(1).numpy().reshape(source)
    with torch.inference_mode():  # as a caller may have it
        assert np.array_equal(fan_out(synapses, source, np.ones_like), expected)
    assert expected.max() > 0
    assert expected.sum() == synapses.pairs(source)
