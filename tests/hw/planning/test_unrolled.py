"""Unrolled layers: their plans, and messages where there is none."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from support.hw.components import plain_if, plan_of
from support.hw.networks import residual

from spikeloom.hw.options import TimeMode
from spikeloom.hw.planning import HardwareConfig, LayerPlan, Plan, UnrolledPlan, plan
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Conv2d, Linear, MaxPool, Network


def ones(*shape: int) -> Conv2d:
    return Conv2d(np.ones(shape, np.int64))


def unrolled(shape: tuple[int, ...], synapses: Any, planes: int = 1, **options: Any) -> Plan:
    options.setdefault("lanes", synapses.channels)
    return plan_of(shape, synapses, planes={"layer": planes}, **options)


def chain() -> Network:
    """Return two layers, of 3 channels and of a logit."""
    return plan_of((2, 6, 5), ones(3, 2, 3, 2), plain_if(3, 9)).network


def test_has_all_channels_and_the_rows_of_a_kernel_but_one() -> None:
    planned = unrolled((2, 6, 5), ones(3, 2, 3, 2), planes=2)["layer"]
    assert isinstance(planned, UnrolledPlan)
    assert (planned.lanes, planned.events, planned.planes) == (3, 1, 2)
    assert (planned.depth, planned.queue) == (0, 0)
    buffer = planned.readers[0].windows.buffer
    assert (buffer.capacity, buffer.depth) == (2, 2 * 5 * 2)
    assert planned.sums.kernel.tolist() == [[1] * 12] * 3


def test_other_layers_get_the_budget_and_the_numbers_for_all() -> None:
    for config in (
        HardwareConfig(1, 1, planes={"layer": 2}),
        HardwareConfig(budget=1, planes={"layer": 2}),
        HardwareConfig({"sum": 1}, {"sum": 1}, planes={"layer": 2}),
    ):
        planned = plan(chain(), config)
        assert type(planned["layer"]) is UnrolledPlan
        assert type(planned["sum"]) is LayerPlan
        assert (planned["layer"].lanes, planned["sum"].lanes) == (3, 1)


def test_all_layers_can_be_unrolled() -> None:
    network = chain()
    planned = plan(network, HardwareConfig(planes={layer.name: 1 for layer in network.layers}))
    assert all(isinstance(layer, UnrolledPlan) for layer in planned.layers)


@pytest.mark.parametrize(("planes", "steps", "folded"), [(1, 1, False), (4, 1, True)])
def test_neurons_keep_up(planes: int, steps: int, folded: bool) -> None:
    """Integrate-and-fire neurons of 4 steps: 4 cycles of planes are enough, one is not."""
    conv, neuron = ones(2, 1, 2, 2), plain_if(2, 9)
    planned = unrolled((1, 3, 3), conv, planes, neuron=neuron, timesteps=4)["layer"]
    assert (planned.steps_per_cycle, planned.folded) == (steps, folded)
    loop = unrolled((1, 3, 3), conv, planes, neuron=neuron, timesteps=4, time=TimeMode.LOOP)
    assert not loop["layer"].folded
    assert isinstance(loop["layer"], UnrolledPlan)
    assert loop["layer"].interval == max(9 + 4 * (4 // planes - 1), 4 * 4)


def refused(message: str, *arguments: Any, **options: Any) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        unrolled(*arguments, **options)


def test_messages() -> None:
    conv, pool = ones(2, 2, 2, 2), MaxPool((2, 2))
    name = "layer 'layer': "
    refused(name + "an unrolled layer has no pool ahead of it", (2, 4, 4), conv, pool=pool)
    spikes = {"neuron": plain_if(2, 9), "incoming": "spikes"}
    refused(name + "an unrolled layer reads pixels or counts, but", (2, 4, 4), conv, **spikes)
    grouped = Conv2d(np.ones((2, 1, 2, 2), np.int64), groups=2)
    refused("a grouped convolution or an identity cannot be unrolled", (2, 4, 4), grouped)
    refused("lanes = 1 must be 2, since planes are given for it", (2, 4, 4), conv, lanes=1)
    refused("events = 2 must be 1, since planes are given for it", (2, 4, 4), conv, events=2)
    refused("planes = 5 must not exceed the 4 bits", (2, 4, 4), conv, planes=5)
    large = Linear(np.ones((200, 200), np.int64))
    refused("it would have 10,000 tables of 4 weights, which is more", (200,), large)
    with pytest.raises(ConfigError, match="layer 'outer': an unrolled layer has one connection"):
        plan(residual(), HardwareConfig(planes={"outer": 1}))
    with pytest.raises(ConfigError, match="planes are given for nowhere, but"):
        plan(chain(), HardwareConfig(planes={"nowhere": 1}))
