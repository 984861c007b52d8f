"""Events and additions equal those counted by hand, and those that the hardware counts."""

from __future__ import annotations

import numpy as np
import pytest
from support.hw import pysim
from support.hw.networks import showcase, showcase_images
from support.networks.examples import every_kind, everything

from benchmarks.activity import activity, shared_lanes
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import plan
from spikeloom.sw.network import (
    Connection,
    CountInput,
    Dual,
    Layer,
    Linear,
    Logits,
    Network,
    SumPool,
)


def two_layers() -> Network:
    """Return a network with one neuron for the difference of two pixels, and three logits."""
    ones = np.ones(1, np.int64)
    dual = Dual(4 * ones, 2 * ones, 0 * ones, 0)
    first = Connection("input", "count", Linear(np.array([[1, -1]])))
    twice = np.repeat([[1]], 3, axis=0)
    return Network(
        CountInput((2,), 7),
        (
            Layer("dual", 2, dual, (first,)),
            Layer(
                "out",
                2,
                Logits(np.arange(3), 0),
                (Connection("dual", "spikes", Linear(twice)),),
            ),
        ),
    )


def test_activity_of_a_network_by_hand() -> None:
    images = np.array([[4, 0], [2, 0], [0, 7]])
    # Spikes: 1 and 1, 1 and 0 (2 + 2 reaches 4; then 0 + 2 does not), none. Each reaches 3 logits.
    # Pixels 4, 2 and 7 = 8 - 1 are 1, 1 and 2 digits, each for the one neuron.
    found = activity(two_layers(), images, np.array([2, 2, 0]))
    assert found.events == 3 / 3
    assert found.additions == {"dual": 4 / 3, "out": 9 / 3}
    assert found.total == 13 / 3
    assert found.accuracy == 2 / 3


def test_digits_of_pooled_sums_are_added() -> None:
    """A sum of 4 in one window is one digit, while its four spikes would be four digits."""
    network = Network(
        CountInput((1, 2, 2), 1),
        (
            Layer(
                "out",
                1,
                Logits(np.zeros(2, np.int64), 0),
                (Connection("input", "count", Linear(np.ones((2, 1), np.int64)), SumPool((2, 2))),),
            ),
        ),
    )
    found = activity(network, np.ones((1, 1, 2, 2), np.int64), np.zeros(1, np.int64))
    assert found.additions == {"out": 2}
    assert found.events == 0


@pytest.mark.parametrize("network", [everything, every_kind], ids=["everything", "every kind"])
def test_any_batching_and_every_kind(network: object) -> None:
    """For all transports, pools and synapses, a batch has the additions of its images."""
    built = network()  # type: ignore[operator]
    rng = np.random.default_rng(0)
    reach = built.input.values()
    images = rng.integers(reach.low, reach.high, (3, *built.input.image_shape), endpoint=True)
    labels = np.zeros(3, np.int64)
    together = activity(built, images, labels)
    alone = [activity(built, images[k : k + 1], labels[k : k + 1]) for k in range(3)]
    assert together.events * 3 == pytest.approx(sum(x.events for x in alone))
    assert together.total * 3 == pytest.approx(sum(x.total for x in alone))
    assert together.total > 0


def test_additions_are_the_hardwares_events() -> None:
    network, images = showcase(), showcase_images()
    config = HardwareConfig({"conv": 3, "steps": 5, "spiking": 2, "out": 5}, counters=True)
    planned, seen = pysim.simulate(network, images, config)
    assert pysim.miscounted(planned, images, seen) == []
    assert all(seen.counters[p.layer.name]["events"] for p in planned.layers)


def test_shared_lanes_divide_the_channels() -> None:
    network = showcase()
    lanes = shared_lanes(network)
    assert lanes.keys() == {layer.name for layer in network.layers}
    for p in plan(network, HardwareConfig(lanes)).layers:
        assert p.target.channels % p.lanes == 0
