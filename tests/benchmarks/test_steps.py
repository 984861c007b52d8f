"""Settings of timesteps and widths, of an untrained model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import steps
from spikeloom.hw.planning import plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.sw import models


def test_pixels_of_other_widths() -> None:
    given = np.arange(17)
    # Seven levels and 0: sixteenths of seven, rounded to the nearest, and halves to even.
    assert steps.pixels(given, 3).tolist() == [round(7 * k / 16) for k in range(17)]
    assert steps.pixels(given, 1).tolist() == [0] * 9 + [1] * 8
    assert steps.pixels(given, 5).max() == 31


def test_the_settings_reach_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = models.build("digits-mlp")
    monkeypatch.setattr(steps, "_model", lambda: model)
    setting = steps.Setting(timesteps=3, transport="spikes", weight_bits=3, bits=2)
    net = setting.network()
    pixels = net.input.values()
    assert (pixels.low, pixels.high) == (0, 3)
    assert [layer.timesteps for layer in net.layers[:-1]] == [3] * (len(net.layers) - 1)
    weights = [c.synapses.weight for layer in net.layers for c in layer.connections]
    assert max(int(np.abs(w).max()) for w in weights) <= 3
    assert {str(c.transport) for c in net.layers[-1].connections} == {"spikes"}
    events, cycles, luts = setting.measured()
    found = predict(plan(net), activity(net, setting.images()))
    assert events == sum(layer.events.mean() for layer in found.layers)
    assert cycles == found.interval
    assert luts > 0
