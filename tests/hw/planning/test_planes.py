"""Plans of plane sums: tables, constants and counts, against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.hw.planning.planes import PlaneSumsPlan, Table
from spikeloom.sw.network import Range


def planned(kernel: list[list[int]], values: Range, planes: int = 1) -> PlaneSumsPlan:
    return PlaneSumsPlan(np.array(kernel), values, Range(-(1 << 20), 1 << 20), planes)


def test_words_are_sums_of_subsets() -> None:
    table = Table((4, 7), (3, -5))
    assert table.words == (0, 3, -5, -2)
    assert (table.range.low, table.range.high) == (-5, 3)


def test_weights_of_zero_have_no_place() -> None:
    plan = planned([[1, 0, 2, 3, 0, 4, 5], [0] * 7], Range(0, 1))
    assert plan.tables == ((Table((0, 2, 3, 5), (1, 2, 3, 4)), Table((6,), (5,))), ())
    assert (plan.number, plan.levels) == (2, 1)


@pytest.mark.parametrize(
    ("values", "offset", "bits"),
    [
        (Range(0, 255), 0, 8),
        (Range(3, 9), 0, 4),
        (Range(-128, 127), -128, 8),
        (Range(-33, 222), -33, 8),
        (Range(-3, -1), -3, 2),
        (Range(0, 0), 0, 1),
    ],
)
def test_offset_leaves_no_value_negative(values: Range, offset: int, bits: int) -> None:
    plan = planned([[2, 3], [-1, -1]], values)
    assert (plan.offset, plan.bits) == (offset, bits)
    assert plan.constants == (5 * offset, -2 * offset)


@pytest.mark.parametrize(
    ("planes", "steps", "levels"), [(1, 8, 2), (2, 4, 3), (3, 3, 4), (8, 1, 5)]
)
def test_steps_and_levels(planes: int, steps: int, levels: int) -> None:
    plan = planned([[1] * 9], Range(0, 255), planes)
    assert (plan.steps, plan.levels) == (steps, levels)


def test_bits_of_tables_and_adders() -> None:
    # Tables of 0 to 4, 0 to 4 and 0 to 1: 3 + 3 + 1 bits. Their sums are 0 to 8 and 0 to 9.
    plan = planned([[1] * 9], Range(0, 3), planes=1)
    assert (plan.table_bits, plan.adder_bits) == (7, 4 + 4)
    # Two planes: twice that, and an adder for 0 to 27 without its lowest bit.
    plan = planned([[1] * 9], Range(0, 3), planes=2)
    assert (plan.table_bits, plan.adder_bits) == (14, 16 + 4)
