from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings
from support.hw.networks import chain
from support.networks.strategies import networks

from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.sw.network import Network


class TestBalance:
    def lanes(self, config: HardwareConfig) -> list[int]:
        planned = plan(chain(), config)
        assert [layer.layer.name for layer in planned.layers] == ["first", "second", "out"]
        return [layer.lanes for layer in planned.layers]

    def test_budget_goes_to_the_slowest(self) -> None:
        # Products per image: 1944, 4 timesteps of 4860, 720.
        assert self.lanes(HardwareConfig(budget=1)) == [1, 1, 1]
        assert self.lanes(HardwareConfig(budget=3)) == [1, 1, 1]
        assert self.lanes(HardwareConfig(budget=4)) == [1, 2, 1]
        assert self.lanes(HardwareConfig(budget=6)) == [1, 4, 1]
        assert self.lanes(HardwareConfig(budget=7)) == [1, 5, 1], "no more than its channels"

    def test_nothing_is_spent_that_speeds_nothing_up(self) -> None:
        assert self.lanes(HardwareConfig(budget=1 << 16)) == [1, 5, 1]

    def test_choices_are_respected(self) -> None:
        assert self.lanes(HardwareConfig(lanes={"first": 3})) == [3, 5, 1]
        assert self.lanes(HardwareConfig(lanes={"second": 2})) == [1, 2, 1]
        assert self.lanes(HardwareConfig(lanes=2, budget=1)) == [2, 2, 2]

    def test_events_count(self) -> None:
        config = HardwareConfig(events={"second": 3}, budget=8)
        assert self.lanes(config) == [1, 2, 1], "2 of 3 and twice 1 make 8"
        config = HardwareConfig(events={"second": 3}, budget=7)
        assert self.lanes(config) == [1, 1, 1], "7 do not suffice for the next step"

    @given(network=networks(max_layers=4), data=st.data())
    @settings(max_examples=60)
    def test_within_budget_and_channels(self, network: Network, data: st.DataObject) -> None:
        budget = data.draw(st.integers(1, 24))
        given_lanes = {
            layer.name: data.draw(st.integers(1, network.shapes[layer.name][0]))
            for layer in network.layers
            if not layer.recurrent and data.draw(st.booleans())
        }
        planned = plan(network, HardwareConfig(given_lanes, budget=budget))
        for layer in planned.layers:
            name = layer.layer.name
            assert 1 <= layer.lanes <= network.shapes[name][0]
            assert layer.lanes == given_lanes.get(name, layer.lanes)
        # A recurrent layer has all its lanes.
        given_lanes |= {x.name: network.shapes[x.name][0] for x in network.layers if x.recurrent}
        least = sum(given_lanes.get(layer.name, 1) for layer in network.layers)
        assert sum(layer.lanes for layer in planned.layers) <= max(budget, least)
