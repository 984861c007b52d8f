"""Layers that read their own spikes: every value equals golden, and every cycle the prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.hw.pysim import differing, simulate

from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.golden import Meter
from spikeloom.sw.network import (
    Burst,
    Connection,
    Cuba,
    DirectInput,
    Dual,
    If,
    Layer,
    Linear,
    Logits,
    Network,
    Neuron,
    Signed,
    SpikeInput,
)

INPUTS, HIDDEN, CLASSES = 7, 6, 3


def neurons(kind: str) -> Neuron:
    threshold, initial, bias = np.full(HIDDEN, 19), np.zeros(HIDDEN, int), np.arange(HIDDEN) - 2
    made: dict[str, Neuron] = {
        "if": If(threshold, initial, bias, 0, (3, -5), reset_amount=np.full(HIDDEN, 21)),
        "dual": Dual(threshold, initial, bias, 0),
        "signed": Signed(threshold, threshold - 5, bias, 0, 2, 1),
        "burst": Burst(threshold, initial, bias, 0, 3, (2,)),
        "cuba": Cuba(threshold, initial, bias, 0, (3,), current_leak=(1,)),
    }
    return made[kind]


def network(
    kind: str, steps: int = 4, own: int = 1, timed: bool = False, outgoing: str = "count"
) -> Network:
    """Return a network of two layers whose connection number ``own`` reads the layer itself."""
    rng = np.random.default_rng(0)

    def loop(name: str, source: str, transport: str, ins: int) -> Layer:
        given = Connection(source, transport, Linear(rng.integers(-9, 10, (HIDDEN, ins))))
        fed = Connection(name, "spikes", Linear(rng.integers(-9, 10, (HIDDEN, HIDDEN))))
        pair = (given, fed) if own else (fed, given)
        return Layer(name, steps, neurons(kind), pair)

    return Network(
        SpikeInput((INPUTS,), steps, 3) if timed else DirectInput((INPUTS,), bits=2),
        (
            loop("first", "input", "spikes" if timed else "count", INPUTS),
            loop("second", "first", "spikes", HIDDEN),
            Layer(
                "out",
                steps if outgoing == "spikes" else 1,
                Logits(np.zeros(CLASSES, int), 0),
                (Connection("second", outgoing, Linear(rng.integers(-9, 10, (CLASSES, HIDDEN)))),),
            ),
        ),
    )


def images(made: Network, number: int = 4) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(1)
    return rng.integers(0, 4, (number, *made.input.image_shape))


CASES = [
    ("if", {}, {}),
    ("dual", {"timed": True}, {"events": 2}),
    ("signed", {"own": 0, "outgoing": "spikes"}, {"events": 3}),
    ("burst", {"timed": True, "outgoing": "spikes"}, {"slots": 1}),
    ("cuba", {"own": 0, "timed": True}, {"lanes": 1}),
    ("if", {"steps": 1}, {}),
]


@pytest.mark.parametrize(("kind", "shape", "options"), CASES)
def test_equals_golden_and_the_prediction(
    kind: str, shape: dict[str, Any], options: dict[str, Any]
) -> None:
    made = network(kind, **shape)
    config = HardwareConfig(**options, debug=True, counters=True)
    given = images(made)
    planned, seen = simulate(made, given, config)
    assert differing(made, given, planned, seen) == []
    meter = Meter(made)
    sent = activity(made, given, meter)
    assert sent["first"].any(), "the layer has spikes to read"
    found = predict(planned, sent)
    for layer in found.layers:
        for name in ("cycles", "events", "blocked"):
            expected = int(getattr(layer, name).sum())
            assert seen.counters[layer.name][name] == expected, (layer.name, name)
        # All channels are lanes.
        events = seen.counters[layer.name]["events"]
        work = meter.work[layer.name]
        assert layer.name == "out" or work.additions == events * work.neurons, layer.name


@pytest.mark.parametrize("kind", ["dual", "cuba"])
def test_stalls_change_no_value(kind: str) -> None:
    made = network(kind, timed=kind == "dual")
    given = images(made, 3)
    config = HardwareConfig(debug=True)
    planned, seen = simulate(made, given, config, stall_in=0.4, stall_out=0.4)
    assert differing(made, given, planned, seen) == []


def test_all_channels_are_computed_at_once() -> None:
    planned = plan(network("if"), HardwareConfig(lanes=1))
    assert [layer.lanes for layer in planned.layers] == [HIDDEN, HIDDEN, 1]
    with pytest.raises(ConfigError, match="layer 'first': a layer that reads its own spikes can"):
        plan(network("if"), HardwareConfig(planes={"first": 1}))
