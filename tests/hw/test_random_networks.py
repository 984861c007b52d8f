"""Random small networks on random hardware: every spike, potential, count and logit equals golden.

The simulator is Amaranth's; lanes, events, stalls and back-pressure are drawn as well.
"""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, given, seed, settings
from pysim import differing, simulate
from strategies import images_for, networks

from spikeloom.hw.config import HardwareConfig
from spikeloom.sw.network import Conv2d, Network


@st.composite
def configs(draw: st.DrawFn, network: Network) -> HardwareConfig:
    """Lanes and events that fit a chain of layers."""
    lanes, events = {}, {}
    stored = network.input.shape[0]
    for layer in network.layers:
        channels = network.shapes[layer.name][0]
        lanes[layer.name] = draw(st.integers(1, min(channels, 4)))
        fixed = isinstance(layer.connections[0].synapses, Conv2d)
        fitting = [e for e in (1, 2, 3, 4) if not fixed or stored % e == 0]
        events[layer.name] = draw(st.sampled_from(fitting))
        stored = -(-channels // lanes[layer.name]) * lanes[layer.name]
    return HardwareConfig(lanes, events, debug=True, counters=True)


# In shares, so that both cores work; each with examples of its own.
@pytest.mark.parametrize("share", range(4))
def test_equals_golden(share: int) -> None:
    sizes = {"max_side": 4 + share % 2, "max_channels": 3, "max_timesteps": 3 + share // 2}

    @seed(share)
    @settings(max_examples=50, phases=[Phase.generate])
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        network = data.draw(networks(**sizes))
        config = data.draw(configs(network))
        images = data.draw(images_for(network, 2))
        stalls = data.draw(st.tuples(st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, 0.5])))
        planned, seen = simulate(
            network, images, config, stall_in=stalls[0], stall_out=stalls[1], seed=share
        )
        assert differing(network, images, planned, seen) == []

    check()
