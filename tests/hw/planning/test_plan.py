from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.hw.components import plan_of
from support.hw.networks import chain, conv, silent
from support.networks.examples import ints, logits_layer

from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.network import (
    Connection,
    Conv2d,
    DirectInput,
    Identity,
    Layer,
    Linear,
    Logits,
    MaxPool,
    Network,
    Shape,
    SumPool,
    Synapses,
)


class TestRefusals:
    def test_lanes_beyond_the_channels(self) -> None:
        expected = "^layer 'first': lanes = 4 must not exceed its 3 output channels$"
        with pytest.raises(ConfigError, match=expected):
            plan(chain(), HardwareConfig(lanes={"first": 4}))

    def test_one_number_beyond_some_channels(self) -> None:
        with pytest.raises(ConfigError, match=r"^layer 'first': lanes = 5 must not exceed its 3"):
            plan(chain(), HardwareConfig(lanes=5))

    def test_lanes_of_an_unknown_layer(self) -> None:
        with pytest.raises(ConfigError, match=r"^lanes are given for third, but the network's"):
            plan(chain(), HardwareConfig(lanes={"third": 1}))

    def test_events_that_do_not_divide_the_stored_channels(self) -> None:
        expected = "^layer 'second': events = 2 must divide the 3 stored channels of its source "
        with pytest.raises(ConfigError, match=expected):
            plan(chain(), HardwareConfig(lanes=1, events={"second": 2}))

    def test_lanes_that_fill_up_are_stored_channels(self) -> None:
        planned = plan(chain(), HardwareConfig(lanes={"first": 2}, events={"second": 4}))
        assert planned["second"].readers[0].stream.stored_channels == 4
        assert planned["second"].events == 4

    def test_linear_takes_any_events(self) -> None:
        for events in range(1, 12):
            assert plan(chain(), HardwareConfig(1, {"out": events}))["out"].events == events

    def test_every_connection_must_fit(self) -> None:
        shortcut = Connection("first", "count", Identity(ints(1, 1, 1)))
        deeper = Layer("second", 4, silent(3), (conv("input", 3, 2), shortcut))
        out = logits_layer("second", np.ones((4, 108), np.int64))
        network = Network(DirectInput((2, 6, 6), 4), (chain()["first"], deeper, out))
        assert plan(network, HardwareConfig(1, {"second": 1}))["second"].events == 1
        expected = "^layer 'second': events = 2 must divide the 3 stored channels of its source "
        with pytest.raises(ConfigError, match=expected):
            plan(network, HardwareConfig(1, {"second": 2}))
        planned = plan(network, HardwareConfig({"first": 2, "second": 1}, {"second": 2}))
        assert [r.windows.events for r in planned["second"].readers] == [2, 2]

    @pytest.mark.parametrize(
        "grouped", [Conv2d(np.ones((3, 1, 1, 1), np.int64), groups=3), Identity(ints(1, 2, 3))]
    )
    def test_events_of_a_grouped_convolution_lie_within_a_position(self, grouped: Synapses) -> None:
        expected = (
            "^layer 'layer': events = 2 must divide the 3 stored channels of its source .*: choose "
            "1 or another divisor, or give events by layer$"
        )
        with pytest.raises(ConfigError, match=expected):
            plan_of((3, 2, 2), grouped, events=2)
        assert plan_of((3, 2, 2), grouped, events=3)["layer"].events == 3

    def test_synapses_without_hardware(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Kinds register themselves: the one made up here is gone after the test.
        monkeypatch.setattr(Synapses, "kinds", dict(Synapses.kinds))

        class Strange(Synapses, kind="strange"):
            weight = np.ones((2, 1), np.int64)

            def shape(self, source: Shape) -> Shape:
                return source

            def header(self) -> dict[str, Any]:
                return {"kind": self.kind}

        network = Network(
            DirectInput((2,), bits=4),
            (Layer("out", 1, Logits(ints(0, 0), 0), (Connection("input", "count", Strange()),)),),
        )
        expected = "^layer 'out': synapses of kind 'strange' cannot be generated$"
        with pytest.raises(UnsupportedError, match=expected):
            plan(network)


class TestPlan:
    def test_defaults(self) -> None:
        planned = plan(chain())
        assert planned.config == HardwareConfig()
        assert planned.network == chain()
        assert all(layer.events == 1 for layer in planned.layers)

    def test_streams_follow_one_another(self) -> None:
        planned = plan(chain(), HardwareConfig(lanes=2))
        first, second, out = planned.layers
        (into_first,), (into_second,) = first.readers, second.readers
        assert planned.input == into_first.source == into_first.stream
        assert (planned.input.lanes, planned.input.transfers) == (1, 72)
        assert first.target == into_second.source == into_second.stream
        assert (first.sends, second.sends, out.sends) == ("spikes", "count", "logits")
        assert (first.target.steps, second.target.steps, out.target.steps) == (4, 1, 1)
        assert (first.target.values.high, second.target.values.high) == (1, 4)
        assert out.target.values == chain().ranges["out"].potential

    def test_pools_change_shape_and_values(self) -> None:
        for pool, high in ((SumPool((2, 3)), 15 * 6), (MaxPool((2, 3)), 15)):
            planned = plan_of((3, 5, 7), Linear(np.ones((2, 12), np.int64)), pool=pool)["layer"]
            (reader,) = planned.readers
            assert reader.pool is not None
            target = reader.pool.target
            assert (target.channels, target.height, target.width) == (3, 2, 2)
            assert target.values.high == high
            assert reader.stream is target

    def test_layers_are_found_by_name(self) -> None:
        planned = plan(chain())
        assert planned["second"] is planned.layers[1]

    def test_weight_range_holds_zero(self) -> None:
        planned = plan_of((2,), Linear(ints([3, 5])))["layer"]
        assert (planned.weights.low, planned.weights.high) == (0, 5)
        planned = plan_of((2,), Linear(ints([-3, -5])))["layer"]
        assert (planned.weights.low, planned.weights.high) == (-5, 0)


def test_slots_can_be_given_by_layer() -> None:
    lanes = {"first": 1, "second": 1, "out": 1}
    planned = plan(chain(), HardwareConfig(lanes=lanes, slots={"first": 1, "second": 3}))
    default = plan(chain(), HardwareConfig(lanes=lanes))["out"].slots
    assert [layer.slots for layer in planned.layers] == [1, 3, default]
    assert default > 3
    with pytest.raises(ConfigError, match="slots are given for third, but"):
        plan(chain(), HardwareConfig(slots={"third": 1}))
