from __future__ import annotations

import pytest
from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data

from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import Range


@pytest.mark.parametrize(
    ("low", "high", "shape"),
    [
        (0, 0, unsigned(1)),
        (0, 1, unsigned(1)),
        (0, 4, unsigned(3)),
        (5, 7, unsigned(3)),
        (-1, 0, signed(1)),
        (-1, 1, signed(2)),
        (-4, 3, signed(3)),
        (-4, 4, signed(4)),
        (-5, -1, signed(4)),
        (-(1 << 47), (1 << 47) - 1, signed(48)),
    ],
)
def test_narrowest_shape(low: int, high: int, shape: Shape) -> None:
    assert shape_of(Range(low, high)) == shape


@pytest.mark.parametrize("width", range(1, 6))
@pytest.mark.parametrize("is_signed", [False, True])
def test_shape_is_tight(width: int, is_signed: bool) -> None:
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if is_signed else (0, (1 << width) - 1)
    shape = Shape(width, is_signed)
    assert shape_of(Range(low, high)) == shape
    assert shape_of(Range(low, high + 1)).width == width + 1


def test_sizes_of_a_feature_map() -> None:
    plan = StreamPlan(lanes=4, values=Range(0, 3), channels=6, height=2, width=5, steps=3)
    assert plan.lane_groups == 2
    assert plan.stored_channels == 8
    assert plan.row_values == 40
    assert plan.transfers == 2 * 5 * 2 * 3
    assert plan.layout == data.ArrayLayout(unsigned(2), 4)
    assert plan.layout.size == 8
    assert plan.signature.create().payload.shape() == plan.layout


def test_lanes_that_divide_the_channels_store_nothing_else() -> None:
    plan = StreamPlan(lanes=3, values=Range(0, 1), channels=6, height=1, width=1, steps=1)
    assert (plan.lane_groups, plan.stored_channels, plan.row_values) == (2, 6, 6)
