from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.hw.components import plain_if, plan_of
from support.hw.networks import silent
from support.networks.examples import recurrent

from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Conv2d, Ladder, Linear, Logits

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


def test_copies_have_windows_of_a_row_and_neurons_that_keep_up() -> None:
    """Six windows in a row, of three copies: sums come three times as often."""
    conv = Conv2d(np.ones((8, 10, 2, 2), np.int64))
    one, three = (
        plan_of((10, 3, 7), conv, plain_if(8, 9), timesteps=2, lanes=8, copies={"layer": copies})
        for copies in (1, 3)
    )
    assert [planned["layer"].copies for planned in (one, three)] == [1, 3]
    assert three["layer"].events_per_cycle == 3
    # An image has 210 pixels for 12 windows.
    assert one["layer"].window_cycles == 210 / 12
    assert three["layer"].window_cycles == 210 / 12
    assert three["layer"].queue == 1, "a place for each copy"
    few = plan_of((10, 3, 7), conv, plain_if(8, 9), lanes=4, copies={"layer": 3})["layer"]
    assert few.queue == few.sums_per_position == 2, "a place for each lane group"


@pytest.mark.parametrize(
    ("synapses", "shape", "options", "message"),
    [
        (Conv2d(np.ones((2, 1, 1, 1), np.int64)), (1, 3, 3), {}, "must not exceed the 3 windows"),
        (Linear(np.ones((2, 9), np.int64)), (9,), {}, "of which this layer has one: leave copies"),
        (
            Conv2d(np.ones((2, 1, 1, 1), np.int64)),
            (1, 9, 9),
            {"planes": {"layer": 1}, "lanes": 2},
            "an unrolled layer has one engine: leave it out of copies, or out of planes",
        ),
    ],
)
def test_copies_that_cannot_be(
    synapses: Any, shape: tuple[int, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^layer 'layer': .*{message}"):
        plan_of(shape, synapses, copies={"layer": 4}, **options)


def test_a_layer_that_reads_itself_has_no_copies() -> None:
    with pytest.raises(ConfigError, match="'loop': a layer that reads its own spikes has one"):
        plan(recurrent(), HardwareConfig(copies={"loop": 2}))
