from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.hw.components import plan_of
from support.networks.examples import ints, logits_layer
from support.networks.strategies import networks

from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.network import (
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
    Shape,
    SumPool,
    Synapses,
)


def silent(channels: int) -> If:
    zeros = np.zeros(channels, np.int64)
    return If(np.full(channels, 9), zeros, zeros, fraction_bits=0)


def conv(source: str, outs: int, ins: int, side: int = 3, transport: str = "count") -> Connection:
    weight = np.arange(outs * ins * side * side).reshape(outs, ins, side, side) % 7 - 3
    return Connection(source, transport, Conv2d(weight, padding=(side // 2, side // 2)))


def chain() -> Network:
    """Return 3 channels, 6 by 6, then 5 channels, then 4 logits."""
    return Network(
        DirectInput((2, 6, 6), bits=4),
        (
            Layer("first", 4, silent(3), (conv("input", 3, 2),)),
            Layer("second", 4, silent(5), (conv("first", 5, 3, transport="spikes"),)),
            logits_layer("second", np.ones((4, 180), np.int64)),
        ),
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
            if data.draw(st.booleans())
        }
        planned = plan(network, HardwareConfig(given_lanes, budget=budget))
        for layer in planned.layers:
            name = layer.layer.name
            assert 1 <= layer.lanes <= network.shapes[name][0]
            assert layer.lanes == given_lanes.get(name, layer.lanes)
        least = sum(given_lanes.get(layer.name, 1) for layer in network.layers)
        assert sum(layer.lanes for layer in planned.layers) <= max(budget, least)


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


class TestBuffers:
    """A buffer that cannot hold the rows of a line would wait for ever."""

    @pytest.mark.parametrize(
        ("height", "kernel", "stride", "padding", "capacity"),
        [
            (6, 3, 1, 1, 4),
            (6, 3, 1, 0, 4),
            (7, 2, 5, 0, 10),
            (7, 1, 3, 0, 6),
            (2, 4, 1, 2, 3),
            (1, 3, 2, 1, 3),
            (9, 2, 2, 0, 5),
            (5, 5, 1, 0, 6),
        ],
    )
    def test_rows(self, height: int, kernel: int, stride: int, padding: int, capacity: int) -> None:
        synapses = Conv2d(np.ones((1, 1, kernel, 1), np.int64), (stride, 1), (padding, 0))
        windows = plan_of((1, height, 2), synapses)["layer"].readers[0].windows
        assert windows.buffer.capacity == capacity
        assert capacity >= max(line.need for line in windows.lines) + stride, "and room to go on"

    def test_linear_keeps_two_maps(self) -> None:
        windows = plan_of((1, 3, 2), Linear(np.ones((1, 6), np.int64)))["layer"].readers[0].windows
        assert windows.buffer.capacity == 6

    @pytest.mark.parametrize("events", [1, 2, 3, 4, 5, 8, 70])
    @pytest.mark.parametrize(("channels", "side"), [(1, 1), (1, 9), (16, 4), (12, 3), (100, 1)])
    def test_words_serve_every_bank(self, events: int, channels: int, side: int) -> None:
        weight = np.ones((1, channels * side * side), np.int64)
        windows = (
            plan_of((channels, side, side), Linear(weight), events=events)["layer"]
            .readers[0]
            .windows
        )
        assert windows.buffer.word_values % events == 0
        assert windows.slots >= 1
        assert windows.buffer.word_values <= max(64, events)

    def test_words_are_aligned_where_that_is_possible(self) -> None:
        weight = np.ones((1, 16, 3, 3), np.int64)
        windows = (
            plan_of((16, 4, 4), Conv2d(weight, padding=(1, 1)), events=2)["layer"]
            .readers[0]
            .windows
        )
        assert windows.buffer.word_values == 16
        assert windows.aligned


#: Lane groups that read the same window, so that pixels take less time than these.
GROUPS = 64


def dense(window: int, channels: int = GROUPS) -> Linear:
    return Linear(np.ones((channels, window), np.int64))


def test_neurons_have_the_time_of_a_window_or_that_of_the_pixels() -> None:
    # A window of 240 values is reckoned to take 12 cycles, and its image is 240 pixels.
    for channels, lanes, events, cycles in [
        (64, 1, 1, 12),
        (64, 1, 2, 6),
        (12, 1, 1, 20),
        (12, 4, 1, 80),
        (1, 1, 4, 240),
    ]:
        linear = dense(240, channels)
        planned = plan_of((240,), linear, silent(channels), lanes=lanes, events=events)
        assert planned["layer"].window_cycles == cycles
    conv = Conv2d(np.ones((8, 2, 5, 5), np.int64))
    planned = plan_of((2, 12, 9), conv, silent(8), lanes=4)
    assert planned["layer"].window_cycles == max(50 / 20, 2 * 12 * 9 / (8 * 5 * 2))


@pytest.mark.parametrize(
    ("timesteps", "window", "events", "steps"),
    [
        (6, 120, 1, 1),
        (6, 119, 1, 2),
        (6, 60, 1, 2),
        (6, 120, 2, 2),
        (6, 10, 1, 6),
        (12, 10, 1, 6),
        (11, 10, 1, 1),
        (1, 1, 1, 1),
    ],
)
def test_ladders_take_several_timesteps_where_windows_are_small(
    timesteps: int, window: int, events: int, steps: int
) -> None:
    ladder = Ladder(np.tile(np.arange(timesteps), (GROUPS, 1)))
    options: dict[str, Any] = {"timesteps": timesteps, "events": events, "lanes": 1}
    planned = plan_of((window,), dense(window), ladder, **options)
    assert planned["layer"].steps_per_cycle == steps
    assert timesteps % steps == 0
    planned = plan_of((window,), dense(window), silent(GROUPS), **options)
    assert planned["layer"].steps_per_cycle == 1, "the next step depends on this one's spike"


@pytest.mark.parametrize(
    ("timesteps", "window", "queue"), [(6, 120, 1), (6, 119, 16), (2, 39, 16), (1, 1, 1)]
)
def test_sums_wait_where_windows_are_small(timesteps: int, window: int, queue: int) -> None:
    neurons = silent(GROUPS)
    options: dict[str, Any] = {"timesteps": timesteps, "lanes": 1}
    looped = plan_of((window,), dense(window), neurons, time="loop", **options)
    assert looped["layer"].queue == queue
    spiking = plan_of((window,), dense(window), neurons, incoming="spikes", **options)
    assert spiking["layer"].queue == 1, "each sum serves one timestep, which takes one cycle"


class TestUnits:
    """Neuron units that serve several lanes."""

    def units(self, window: int, timesteps: int, lanes: int, **choices: Any) -> int:
        neurons = silent(GROUPS * lanes)
        linear = dense(window, GROUPS * lanes)
        planned = plan_of(
            (window,), linear, neurons, timesteps=timesteps, lanes=lanes, time="loop", **choices
        )["layer"]
        assert planned.turns * planned.units == lanes
        assert planned.served == (planned.turns * timesteps if planned.layer.constant else 1)
        return planned.units

    @pytest.mark.parametrize(
        ("window", "timesteps", "lanes", "units"),
        [
            (640, 4, 8, 1),
            (639, 4, 8, 2),
            (320, 4, 8, 2),
            (160, 4, 8, 4),
            (80, 4, 8, 8),
            (40, 4, 8, 8),
            (700, 4, 7, 1),
            (400, 4, 7, 7),
            (240, 4, 6, 2),
        ],
    )
    def test_the_fewest_that_are_as_fast_as_windows(
        self, window: int, timesteps: int, lanes: int, units: int
    ) -> None:
        assert self.units(window, timesteps, lanes) == units

    def test_one_for_each_lane_where_currents_or_spikes_have_timesteps(self) -> None:
        assert self.units(640, 4, 8) == 1
        assert self.units(640, 4, 8, incoming="spikes") == 8
        assert self.units(640, 4, 8, outgoing="spikes") == 8

    def test_one_for_each_lane_where_parameters_are_constants_and_no_sums_wait(self) -> None:
        def units(channels: int, timesteps: int) -> int:
            options: dict[str, Any] = {"lanes": 4, "timesteps": timesteps}
            planned = plan_of((240,), dense(240, channels), silent(channels), **options)
            return planned["layer"].units

        assert units(channels=4, timesteps=1) == 4
        assert units(channels=4, timesteps=2) == 1
        assert units(channels=8, timesteps=1) == 1

    def test_logits_leave_before_there_are_others(self) -> None:
        def units(window: int) -> int:
            logits = Logits(np.zeros(4 * GROUPS, np.int64), 0)
            planned = plan_of((window,), dense(window, 4 * GROUPS), logits, lanes=4)
            return planned["layer"].units

        # Four cycles to send, and four turns.
        assert units(160) == 1
        assert units(159) == 2

    def test_as_chosen(self) -> None:
        for units in (1, 2, 4, 8):
            assert self.units(80, 4, 8, units={"layer": units}) == units
            options: dict[str, Any] = {"lanes": 8, "timesteps": 4, "units": {"layer": units}}
            planned = plan_of((80,), dense(80), silent(GROUPS), **options)
            assert planned["layer"].queue == 1, "a unit for each lane would be fast enough"

    def test_what_does_not_fit(self) -> None:
        with pytest.raises(
            ConfigError, match=r"layer 'layer': units = 3 must be 1, 2, 4 or 8: .* its 8 lanes"
        ):
            self.units(40, 4, 8, units={"layer": 3})
        with pytest.raises(ConfigError, match=r"units = 1 must be 8: each lane keeps its own"):
            self.units(40, 4, 8, units={"layer": 1}, incoming="spikes")


class TestFolding:
    """Timesteps under a constant current in a logarithmic number of cycles."""

    def folded(self, time: str, window: int = 10, timesteps: int = 12, **choices: Any) -> bool:
        choices |= {"timesteps": timesteps, "time": time, "lanes": 1}
        planned = plan_of((window,), dense(window), silent(GROUPS), **choices)
        return planned["layer"].folded

    def test_where_the_loop_would_be_slowest(self) -> None:
        # A window of 240 values keeps its processing element busy for about 12 cycles.
        assert self.folded("auto", window=239)
        assert not self.folded("auto", window=240)
        assert self.folded("auto", window=240, events=2)

    def test_where_it_is_shorter(self) -> None:
        # 2 and 3 timesteps take 2 cycles as a division.
        assert not self.folded("auto", timesteps=2)
        assert self.folded("auto", timesteps=3)

    def test_as_chosen(self) -> None:
        assert self.folded("fold", window=500)
        assert not self.folded("loop", window=1)

    def test_neither_what_changes_nor_what_sends_spikes(self) -> None:
        assert not self.folded("fold", incoming="spikes")
        assert not self.folded("fold", outgoing="spikes")

    def test_cycles(self) -> None:
        linear = Linear(np.ones((1, 10), np.int64))
        for timesteps, cycles in [(1, 1), (2, 2), (3, 2), (4, 3), (15, 4), (16, 5)]:
            planned = plan_of((10,), linear, silent(1), timesteps=timesteps, time="fold")
            assert planned["layer"].cycles == cycles
            planned = plan_of((10,), linear, silent(1), timesteps=timesteps, time="loop")
            assert planned["layer"].cycles == timesteps


def test_slots_can_be_given_by_layer() -> None:
    lanes = {"first": 1, "second": 1, "out": 1}
    planned = plan(chain(), HardwareConfig(lanes=lanes, slots={"first": 1, "second": 3}))
    default = plan(chain(), HardwareConfig(lanes=lanes))["out"].slots
    assert [layer.slots for layer in planned.layers] == [1, 3, default]
    assert default > 3
    with pytest.raises(ConfigError, match="slots are given for third, but"):
        plan(chain(), HardwareConfig(slots={"third": 1}))
