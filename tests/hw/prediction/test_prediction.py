"""Predicted cycles against the counters of the simulated hardware: the same, without tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.hw.components import with_units
from support.hw.pysim import miscounted, simulate
from support.networks.examples import every_kind, everything
from support.networks.strategies import images_for, networks

from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.prediction import Prediction, activity, predict
from spikeloom.sw.errors import DataError
from spikeloom.sw.network import (
    BernoulliInput,
    Connection,
    Conv2d,
    DirectInput,
    Identity,
    If,
    Ladder,
    Layer,
    Linear,
    Logits,
    MaxPool,
    Network,
)


def ints(rng: np.random.Generator, *shape: int) -> np.ndarray[Any, Any]:
    return rng.integers(-9, 10, shape)


def images(network: Network, count: int, share: float = 0.5) -> np.ndarray[Any, Any]:
    """Return random images, some of which are denser than others."""
    rng = np.random.default_rng(count)
    shape = (count, *network.input.image_shape)
    pixels = network.input.pixels()
    drawn = rng.integers(pixels.low, pixels.high + 1, shape)
    kept = rng.random(shape) < rng.uniform(0, 2 * share, (count, *[1] * (len(shape) - 1)))
    return drawn * kept


def residual() -> Network:
    """Return a network with a shortcut, where layers of unequal speed wait for one another."""
    rng = np.random.default_rng(4)
    zero = np.zeros(4, np.int64)

    def conv(source: str, channels: int) -> Connection:
        return Connection(source, "count", Conv2d(ints(rng, 4, channels, 3, 3), padding=(1, 1)))

    def layer(name: str, threshold: int, *connections: Connection) -> Layer:
        return Layer(name, 4, If(zero + threshold, zero + 9, zero, fraction_bits=0), connections)

    shortcut = Connection("stem", "count", Identity(zero + 3))
    return Network(
        DirectInput((2, 4, 3), bits=3),
        (
            layer("stem", 60, conv("input", 2)),
            layer("inner", 20, conv("stem", 4)),
            layer("sum", 20, conv("inner", 4), shortcut),
            Layer(
                "out",
                1,
                Logits(np.zeros(3, np.int64), fraction_bits=0),
                (Connection("sum", "count", Linear(ints(rng, 3, 48))),),
            ),
        ),
    )


def at_random(network: Network) -> Network:
    """Return a network with the same layers, for pixels that become random spikes."""
    return replace(network, input=BernoulliInput(network.input.shape, 4, network.input.steps or 3))


def slow_neurons() -> Network:
    """Return a network whose windows are done before its neurons are, so that sums wait."""
    rng = np.random.default_rng(5)
    zero = np.zeros(5, np.int64)
    pointwise = Conv2d(ints(rng, 5, 3, 1, 1))
    return Network(
        DirectInput((3, 4, 4), bits=2),
        (
            Layer(
                "slow",
                13,
                If(zero + 9, zero, zero, fraction_bits=0),
                (Connection("input", "count", pointwise),),
            ),
            Layer(
                "out",
                1,
                Logits(np.zeros(2, np.int64), fraction_bits=0),
                (Connection("slow", "count", Linear(ints(rng, 2, 80))),),
            ),
        ),
    )


def sliding() -> Network:
    """Return a network with max-pools that overlap, where the fast layer waits for the slow one."""
    rng = np.random.default_rng(6)
    zero = np.zeros(3, np.int64)
    branches = (
        Connection("stem", "count", Conv2d(ints(rng, 3, 3, 1, 1)), MaxPool((3, 3), (1, 1), (1, 1))),
        Connection("stem", "count", Conv2d(ints(rng, 3, 3, 3, 3), padding=(1, 1))),
    )
    stride = MaxPool((3, 2), (2, 2), (1, 0), ceil=True)
    return Network(
        DirectInput((2, 5, 4), bits=3),
        (
            Layer(
                "stem",
                3,
                If(zero + 30, zero + 9, zero, fraction_bits=0),
                (Connection("input", "count", Conv2d(ints(rng, 3, 2, 3, 3), padding=(1, 1))),),
            ),
            Layer("inner", 4, If(zero + 20, zero + 9, zero, fraction_bits=0), branches),
            Layer(
                "out",
                1,
                Logits(np.zeros(4, np.int64), fraction_bits=0),
                (Connection("inner", "count", Linear(ints(rng, 4, 18)), stride),),
            ),
        ),
    )


def behind_a_pool() -> Network:
    """Return a network whose second layer has a pool ahead of it."""
    rng = np.random.default_rng(7)
    zero = np.zeros(3, np.int64)
    neuron = If(zero + 20, zero + 9, zero, fraction_bits=0)
    conv = Conv2d(ints(rng, 3, 3, 3, 3), padding=(1, 1))
    pointwise = Connection("input", "count", Conv2d(ints(rng, 3, 2, 1, 1)))
    return Network(
        DirectInput((2, 6, 8), bits=3),
        (
            Layer("first", 2, neuron, (pointwise,)),
            Layer("second", 3, neuron, (Connection("first", "count", conv, MaxPool((2, 2))),)),
            Layer(
                "out",
                1,
                Logits(np.zeros(2, np.int64), fraction_bits=0),
                (Connection("second", "count", Linear(ints(rng, 2, 36))),),
            ),
        ),
    )


def predicted(network: Network, pixels: np.ndarray[Any, Any], config: HardwareConfig) -> Prediction:
    return predict(plan(network, config), activity(network, pixels))


def compare(network: Network, pixels: np.ndarray[Any, Any], config: HardwareConfig) -> None:
    """Require that the simulated hardware counts what is predicted."""
    planned, seen = simulate(network, pixels, config)
    assert miscounted(planned, pixels, seen) == []
    for layer in predicted(network, pixels, config).layers:
        counters = seen.counters[layer.name]
        for name in ("cycles", "events", "blocked"):
            found = int(getattr(layer, name).sum())
            assert found == counters[name], (layer.name, name, found, counters)


@pytest.mark.parametrize(
    ("network", "lanes", "events", "time"),
    [
        (everything(), {"conv": 2, "steps": 3}, {"steps": 2, "again": 2, "out": 3}, "loop"),
        (every_kind(), {"signs": 2, "steps": 3, "out": 2}, {"bursts": 2, "steps": 2}, "auto"),
        (residual(), {"stem": 1, "inner": 4, "sum": 4, "out": 3}, None, "auto"),
        (residual(), {"stem": 4, "inner": 4, "sum": 1, "out": 1}, {"sum": 2}, "auto"),
        (residual(), {"stem": 4, "inner": 2, "sum": 2, "out": 1}, {"sum": 4, "out": 5}, "fold"),
        (slow_neurons(), {"slow": 5, "out": 1}, None, "loop"),
        (slow_neurons(), {"slow": 3, "out": 1}, {"slow": 3}, "fold"),
        (sliding(), {"stem": 3, "inner": 1, "out": 1}, None, "auto"),
        (sliding(), {"stem": 1, "inner": 3, "out": 4}, {"inner": 3}, "loop"),
        (sliding(), {"stem": 2, "inner": 2, "out": 2}, {"out": 2}, "fold"),
        (at_random(every_kind()), {"signs": 2, "steps": 3, "out": 2}, {"bursts": 2}, "auto"),
        (at_random(residual()), {"stem": 4, "inner": 2, "sum": 2, "out": 1}, {"stem": 2}, "fold"),
    ],
)
def test_equals_the_counters(network: Network, lanes: Any, events: Any, time: str) -> None:
    config = HardwareConfig(lanes, events, time=time, counters=True)
    compare(network, images(network, 3), config)


def middle(fitting: Sequence[int]) -> int:
    return fitting[len(fitting) // 2]


@pytest.mark.parametrize(
    ("choose", "time"),
    [
        (min, "loop"),
        (max, "fold"),
        (middle, "loop"),
        *(
            pytest.param(*rest, marks=pytest.mark.sweep)
            for rest in ((min, "fold"), (max, "loop"), (middle, "fold"))
        ),
    ],
)
def test_equals_the_counters_with_units_that_serve_several_lanes(choose: Any, time: str) -> None:
    wide = {"lanes": {"stem": 4, "inner": 4, "sum": 4, "out": 3}}
    cases: list[tuple[Network, dict[str, Any]]] = [
        (residual(), wide),
        (sliding(), {"events": {"inner": 3}}),
        (slow_neurons(), {"lanes": {"slow": 5, "out": 2}}),
    ]
    for network, options in cases:
        config = HardwareConfig(**options, time=time, counters=True)
        compare(network, images(network, 2), with_units(network, config, choose))


@pytest.mark.parametrize(
    "slots", [1, 3, *(pytest.param(more, marks=pytest.mark.sweep) for more in (2, 5))]
)
def test_equals_the_counters_with_few_slots(slots: int) -> None:
    for network in (everything(), residual()):
        compare(network, images(network, 2), HardwareConfig(slots=slots, counters=True))


@pytest.mark.parametrize(
    ("network", "lanes", "slots", "time"),
    [
        (slow_neurons(), None, 1, "loop"),
        (slow_neurons(), {"slow": 3, "out": 1}, 2, "fold"),
        (residual(), {"stem": 1, "inner": 2, "sum": 1, "out": 1}, 1, "auto"),
        (sliding(), {"stem": 2, "inner": 2, "out": 2}, 8, "auto"),
        (everything(), None, 2, "loop"),
    ],
)
def test_equals_the_counters_of_compact_engines(
    network: Network, lanes: Any, slots: int, time: str
) -> None:
    config = HardwareConfig(lanes, None, slots, time=time, counters=True, compact=True)
    compare(network, images(network, 2), config)


@pytest.mark.parametrize(
    ("network", "lanes", "planes", "time"),
    [
        (residual(), {"sum": 1, "out": 1}, {"stem": 1, "inner": 2}, "auto"),
        (residual(), {"sum": 4, "inner": 1}, {"stem": 3, "out": 1}, "loop"),
        (slow_neurons(), {"out": 1}, {"slow": 2}, "loop"),
        (slow_neurons(), {"out": 2}, {"slow": 1}, "fold"),
        (sliding(), {"inner": 3, "out": 1}, {"stem": 1}, "auto"),
        (everything(), None, {"conv": 2, "out": 1}, "loop"),
        (every_kind(), None, {"steps": 1, "out": 2}, "auto"),
    ],
)
def test_equals_the_counters_of_unrolled_layers(
    network: Network, lanes: Any, planes: dict[str, int], time: str
) -> None:
    config = HardwareConfig(lanes, time=time, planes=planes, counters=True)
    compare(network, images(network, 3), config)


@pytest.mark.parametrize(
    ("network", "lanes", "events", "copies", "time"),
    [
        (residual(), {"sum": 4}, {"sum": 2}, {"sum": 3, "stem": 2}, "auto"),
        (residual(), {"stem": 4, "inner": 2}, {"inner": 4}, {"inner": 2}, "fold"),
        (slow_neurons(), {"slow": 5}, None, {"slow": 4}, "loop"),
        (behind_a_pool(), {"first": 3, "second": 3}, None, {"first": 8, "second": 4}, "auto"),
        (sliding(), {"stem": 3}, None, {"stem": 2, "inner": 2}, "auto"),
        (everything(), {"conv": 2}, None, {"conv": 2, "again": 3}, "loop"),
        (every_kind(), {"signs": 2}, {"bursts": 2}, {"signs": 3, "bursts": 2}, "auto"),
    ],
)
def test_equals_the_counters_of_copies(
    network: Network, lanes: Any, events: Any, copies: dict[str, int], time: str
) -> None:
    lanes = {layer.name: 1 for layer in network.layers} | lanes
    config = HardwareConfig(lanes, events, time=time, copies=copies, counters=True)
    compare(network, images(network, 2), config)


def test_unrolled_layers_take_the_same_cycles_for_all_images() -> None:
    network = slow_neurons()
    config = HardwareConfig(lanes={"out": 2}, planes={"slow": 1}, time="fold")
    found = [predicted(network, images(network, 3, share), config) for share in (0.0, 1.0)]
    assert found[0]["slow"].cycles.tolist() == found[1]["slow"].cycles.tolist()
    assert found[0]["slow"].events.tolist() == [16 * 2] * 3
    assert found[0].latency < found[1].latency, "the other layer has fewer events"


@settings(max_examples=30)
@given(data=st.data())
def test_never_below_the_limit(data: st.DataObject) -> None:
    network = data.draw(networks())
    found = predicted(network, data.draw(images_for(network, 3)), HardwareConfig())
    assert (np.diff(found.ends) > 0).all()
    for layer in found.layers:
        assert layer.limit * 3 * layer.events_per_cycle == pytest.approx(layer.events.sum())
        assert layer.cycles.sum() * layer.events_per_cycle >= layer.events.sum()
        assert (layer.starved >= 0).all()
        assert (layer.blocked >= 0).all()
        assert 0 <= layer.utilisation <= 1


def dense(inputs: int, neurons: int) -> Network:
    """Return a network of one layer without zeros or small windows to wait for."""
    logits = Logits(np.zeros(neurons, np.int64), fraction_bits=0)
    weight = np.ones((neurons, inputs), np.int64)
    return Network(
        DirectInput((inputs,), bits=4),
        (Layer("out", 1, logits, (Connection("input", "count", Linear(weight)),)),),
    )


@pytest.mark.parametrize(("lanes", "groups"), [(4, 1), (2, 2), (1, 4)])
def test_full_windows_take_a_cycle_for_each_digit_and_group(lanes: int, groups: int) -> None:
    """15 is 16 - 1: two digits of each of 64 values, for each group of lanes."""
    network = dense(64, 4)
    found = predicted(network, np.full((5, 64), 15), HardwareConfig(lanes=lanes))
    layer = found["out"]
    assert layer.events.tolist() == [2 * 64 * groups] * 5
    assert layer.limit == 2 * 64 * groups
    assert layer.cycles[1:].tolist() == np.diff(found.ends).tolist() == [2 * 64 * groups] * 4
    assert found.interval == 2 * 64 * groups
    assert found.slowest.name == "out"


def test_images_without_a_value_take_as_long_as_their_pixels() -> None:
    found = predicted(dense(64, 4), np.zeros((5, 64), np.int64), HardwareConfig(lanes=4))
    assert found["out"].events.sum() == 0
    assert found["out"].utilisation == 0
    assert found.interval == 64
    assert (found["out"].starved > 0).all()


def test_steps_of_a_ladder_are_seen() -> None:
    """A neuron compares for 16 cycles per window, longer than the events of the window take."""
    levels = np.tile(np.arange(1, 129), (1, 1))
    conv = Conv2d(np.ones((1, 1, 1, 1), np.int64))
    out = Layer(
        "out",
        1,
        Logits(np.zeros(1, np.int64), fraction_bits=0),
        (Connection("steps", "count", Linear(np.ones((1, 64), np.int64))),),
    )
    steps = Layer("steps", 128, Ladder(levels), (Connection("input", "count", conv),))
    network = Network(DirectInput((1, 8, 8), bits=1), (steps, out))
    found = predicted(network, np.ones((4, 1, 8, 8), np.int64), HardwareConfig())
    assert found["steps"].cycles[2:].tolist() == [64 * 16] * 2


def test_one_image_has_a_latency_and_no_interval() -> None:
    found = predicted(dense(8, 2), np.ones((1, 8), np.int64), HardwareConfig())
    assert found.interval is None
    assert found.latency == found.ends[0] + 1
    summary = found.as_dict()
    assert summary["interval"] is None
    assert summary["layers"][0]["events"] == found["out"].events.mean()


def test_spikes_may_stand_for_counts() -> None:
    network = residual()
    planned, pixels = plan(network), images(network, 2)
    counts = activity(network, pixels)
    spikes = dict(counts)
    spikes["stem"] = np.stack([counts["stem"][0] > t for t in range(4)]).astype(np.int64)
    assert predict(planned, spikes).ends.tolist() == predict(planned, counts).ends.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sent: sent.pop("stem"), r"no activity of 'stem': give what it sends"),
        (
            lambda sent: sent.update(stem=sent["stem"][:, :, 0]),
            r"activity of 'stem' must have the shape \(1, N, 4, 4, 3\), not \(1, 2, 4, 3\)",
        ),
        (
            lambda sent: sent.update(stem=sent["stem"][:, :1]),
            r"activity must be of the same images",
        ),
    ],
)
def test_activity_that_does_not_fit(change: Any, message: str) -> None:
    network = residual()
    sent = activity(network, images(network, 2))
    change(sent)
    with pytest.raises(DataError, match=message):
        predict(plan(network), sent)
