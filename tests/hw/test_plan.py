from __future__ import annotations

import itertools
import re
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from components import plan_of
from examples import counted, everything, ints, logits_layer
from hypothesis import given, settings
from strategies import networks

from spikeloom.hw.config import HardwareConfig
from spikeloom.hw.plan import LayerPlan, plan
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.network import (
    Connection,
    Conv2d,
    DirectInput,
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
        assert planned["second"].source.stored_channels == 4
        assert planned["second"].events == 4

    def test_linear_takes_any_events(self) -> None:
        for events in range(1, 12):
            assert plan(chain(), HardwareConfig(1, {"out": events}))["out"].events == events

    def test_layers_with_two_sources(self) -> None:
        expected = (
            "layer 'steps' is fed by 'conv', 'again'; the hardware runs chains of layers, where "
            "it would be fed by 'again' alone"
        )
        with pytest.raises(UnsupportedError, match=f"^{re.escape(expected)}$"):
            plan(everything())

    def test_layers_that_skip_one(self) -> None:
        network = Network(
            DirectInput((2,), bits=4),
            (
                Layer("aside", 1, silent(2), (counted("input", np.eye(2, dtype=np.int64)),)),
                logits_layer("input", np.eye(2, dtype=np.int64)),
            ),
        )
        with pytest.raises(UnsupportedError, match=r"^layer 'out' is fed by 'input'; .* 'aside' "):
            plan(network)

    def test_synapses_without_hardware(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Kinds register themselves: the one made up here is gone after the test.
        monkeypatch.setattr(Synapses, "kinds", dict(Synapses.kinds))

        class Identity(Synapses, kind="identity"):
            weight = np.ones((2, 1), np.int64)

            def shape(self, source: Shape) -> Shape:
                return source

            def header(self) -> dict[str, Any]:
                return {"kind": self.kind}

        network = Network(
            DirectInput((2,), bits=4),
            (Layer("out", 1, Logits(ints(0, 0), 0), (Connection("input", "count", Identity()),)),),
        )
        expected = "^layer 'out': synapses of kind 'identity' cannot be generated$"
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
        assert planned.input == first.source
        assert (planned.input.lanes, planned.input.transfers) == (1, 72)
        assert first.target == second.source
        assert (first.sends, second.sends, out.sends) == ("spikes", "count", "logits")
        assert (first.target.steps, second.target.steps, out.target.steps) == (4, 1, 1)
        assert (first.target.values.high, second.target.values.high) == (1, 4)
        assert out.target.values == chain().ranges["out"].potential

    def test_pools_change_shape_and_values(self) -> None:
        for pool, high in ((SumPool((2, 3)), 15 * 6), (MaxPool((2, 3)), 15)):
            planned = plan_of((3, 5, 7), Linear(np.ones((2, 12), np.int64)), pool=pool)["layer"]
            assert planned.pool is not None
            target = planned.pool.target
            assert (target.channels, target.height, target.width) == (3, 2, 2)
            assert target.values.high == high
            assert planned.source is target

    def test_layers_are_found_by_name(self) -> None:
        planned = plan(chain())
        assert planned["second"] is planned.layers[1]

    def test_weight_range_holds_zero(self) -> None:
        planned = plan_of((2,), Linear(ints([3, 5])))["layer"]
        assert (planned.weights.low, planned.weights.high) == (0, 5)
        planned = plan_of((2,), Linear(ints([-3, -5])))["layer"]
        assert (planned.weights.low, planned.weights.high) == (-5, 0)


@st.composite
def layer_plans(draw: st.DrawFn) -> tuple[LayerPlan, np.ndarray[Any, Any]]:
    """A layer on lanes of the input's channels, and its weights as a convolution's."""
    channels, outs = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    height, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    shape = (channels, height, width)
    seed = draw(st.integers(0, 1 << 16))
    rng = np.random.default_rng(seed)
    if draw(st.booleans()):
        kernel = (draw(st.integers(1, height)), draw(st.integers(1, width)))
        weight = rng.integers(-9, 9, (outs, channels, *kernel))
        synapses: Synapses = Conv2d(weight)
        events = draw(st.sampled_from([e for e in (1, 2, 3, 4) if channels % e == 0]))
    else:
        flat = rng.integers(-9, 9, (outs, channels * height * width))
        synapses = Linear(flat)
        weight = flat.reshape(outs, channels, height, width)
        events = draw(st.integers(1, 5))
    lanes = draw(st.integers(1, outs))
    return plan_of(shape, synapses, lanes=lanes, events=events)["layer"], weight


@given(drawn=layer_plans())
@settings(max_examples=100)
def test_every_weight_is_where_its_address_says(drawn: tuple[LayerPlan, Any]) -> None:
    planned, weight = drawn
    lanes, events, span = planned.lanes, planned.events, planned.windows.span
    stored = planned.source.stored_channels
    banks = [planned.bank(e) for e in range(events)]
    found = np.zeros((planned.target.groups, weight.shape[2], span, events, lanes), np.int64)
    for out, channel, y, x in itertools.product(*map(range, weight.shape)):
        value = x * stored + channel
        address = (out // lanes * weight.shape[2] + y) * span + value // events
        assert banks[value % events][address][out % lanes] == weight[out, channel, y, x]
        found[out // lanes, y, value // events, value % events, out % lanes] = 1
    # What no weight is found at multiplies lanes, channels or columns that do not exist.
    flat = found.reshape(-1, events, lanes)
    for e, bank in enumerate(banks):
        assert len(bank) == len(flat)
        assert (np.array(bank)[flat[:, e] == 0] == 0).all()


def test_weights_of_lanes_that_fill_up_are_zero() -> None:
    network = Network(
        DirectInput((1, 2, 2), bits=2),
        (
            Layer("conv", 1, Ladder(ints([1], [2], [3])), (conv("input", 3, 1, side=1),)),
            logits_layer("conv", np.arange(1, 25).reshape(2, 12)),
        ),
    )
    planned = plan(network, HardwareConfig(lanes={"conv": 2, "out": 1}))["out"]
    assert planned.kernel.shape == (2, 2, 2, 4)
    # Torch's order is channel, row, column; the stored order is row, column, channel.
    assert planned.kernel[0, :, :, :3].tolist() == [
        [[1, 5, 9], [2, 6, 10]],
        [[3, 7, 11], [4, 8, 12]],
    ]
    assert (planned.kernel[..., 3] == 0).all()


class TestBuffers:
    """A buffer that could not hold what a line needs would wait for ever."""

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
        windows = plan_of((1, height, 2), synapses)["layer"].windows
        assert windows.buffer.capacity == capacity
        assert capacity >= max(line.need for line in windows.lines) + stride, "and room to go on"

    def test_linear_keeps_two_maps(self) -> None:
        windows = plan_of((1, 3, 2), Linear(np.ones((1, 6), np.int64)))["layer"].windows
        assert windows.buffer.capacity == 6

    @pytest.mark.parametrize("events", [1, 2, 3, 4, 5, 8, 70])
    @pytest.mark.parametrize(("channels", "side"), [(1, 1), (1, 9), (16, 4), (12, 3), (100, 1)])
    def test_words_serve_every_bank(self, events: int, channels: int, side: int) -> None:
        weight = np.ones((1, channels * side * side), np.int64)
        windows = plan_of((channels, side, side), Linear(weight), events=events)["layer"].windows
        assert windows.buffer.word_values % events == 0
        assert windows.slots >= 1
        assert windows.buffer.word_values <= max(64, events)

    def test_words_are_aligned_where_that_is_possible(self) -> None:
        weight = np.ones((1, 16, 3, 3), np.int64)
        windows = plan_of((16, 4, 4), Conv2d(weight, padding=(1, 1)), events=2)["layer"].windows
        assert windows.buffer.word_values == 16
        assert windows.aligned


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
    linear = Linear(np.ones((1, window), np.int64))
    ladder = Ladder(np.arange(timesteps)[None])
    planned = plan_of((window,), linear, ladder, timesteps=timesteps, events=events)
    assert planned["layer"].steps_per_cycle == steps
    assert timesteps % steps == 0
    planned = plan_of((window,), linear, silent(1), timesteps=timesteps, events=events)
    assert planned["layer"].steps_per_cycle == 1, "the next step depends on this one's spike"


@pytest.mark.parametrize(
    ("timesteps", "window", "queue"), [(6, 120, 0), (6, 119, 16), (1, 20, 0), (1, 19, 16)]
)
def test_sums_wait_where_windows_are_small(timesteps: int, window: int, queue: int) -> None:
    linear = Linear(np.ones((1, window), np.int64))
    assert plan_of((window,), linear, silent(1), timesteps=timesteps)["layer"].queue == queue
    spiking = plan_of((window,), linear, silent(1), timesteps=timesteps, incoming="spikes")
    assert spiking["layer"].queue == 0, "each sum serves one timestep, which takes one cycle"
