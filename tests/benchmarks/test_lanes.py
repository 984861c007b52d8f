"""The synthesised layers are those that the page describes, and their cells are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.lanes import ADDERS, UNITS, Adder, Cells, Unit, measure_adders, measure_units


def test_units_share_one_layer() -> None:
    for unit in UNITS:
        plan = unit.plan()
        assert plan.layer.timesteps == 4
        assert plan.ranges.accumulator.width == 14
        assert plan.sends == unit.sends
        assert plan.layer.neuron.kind == unit.kind
        leaks = unit.leak and unit.kind != "cuba"
        potential = 14 if unit.kind == "ladder" else 20 if leaks else 21
        assert plan.ranges.potential.width == potential


def test_elements_differ_only_in_the_values_they_read() -> None:
    for adder in ADDERS:
        few, many = adder.plan(4), adder.plan(8)
        assert (few.lanes, many.lanes) == (4, 8)
        assert (few.weights, few.events) == (many.weights, 1)
        assert few.readers[0].connection.synapses.weight.shape == (8, 128)
    reach = [(adder.plan(4).values.low, adder.plan(4).values.high) for adder in ADDERS]
    assert reach == [(0, 1), (-1, 1), (-8, 8), (0, 3), (0, 4), (-4, 32)]


def test_cells() -> None:
    one = Cells.of(
        {"LUT4": 10, "CCU2C": 3, "TRELLIS_FF": 5, "PFUMX": 2},
        {"SB_LUT4": 12, "SB_CARRY": 4, "SB_DFFE": 2, "SB_DFFSR": 3},
    )
    assert one == Cells(10, 3, 5, 12, 4, 5)
    assert one.equivalents == 16
    two = Cells(30, 9, 7, 20, 6, 13)
    assert two.per_lane(one, 4) == Cells(5, 1.5, 0.5, 2, 0.5, 2)


@pytest.mark.parametrize(
    ("ecp5", "ice40"), [({"MULT18X18D": 1}, {}), ({"LUT4": 1}, {"SB_MAC16": 1})]
)
def test_a_multiplier_stops_the_measurement(ecp5: dict[str, int], ice40: dict[str, int]) -> None:
    with pytest.raises(AssertionError, match="there must be no multiplier"):
        Cells.of(ecp5, ice40)


def test_the_smallest_ones_synthesise(tmp_path: Path) -> None:
    (ladder,) = measure_units(tmp_path, [Unit("ladder", "ladder", "count")])
    # Its count is the only value that is kept from step to step.
    assert ladder.ecp5_ff == ladder.ice40_ff == 3
    assert ladder.lut4 > 0
    assert ladder.ccu2c > 0
    (spikes,) = measure_adders(tmp_path, [Adder("if", "spikes")])
    # The partial sum of one event, 8 bits, and the accumulator of 14.
    assert spikes.ecp5_ff == spikes.ice40_ff == 8 + 14
