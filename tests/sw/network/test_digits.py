"""Digits of values: as few as there can be, and those that the hardware sends."""

from __future__ import annotations

import numpy as np

from spikeloom.hw.values import DigitPlan
from spikeloom.sw.network import Range
from spikeloom.sw.network.digits import digit_counts, recoded


def test_by_hand() -> None:
    assert digit_counts(np.array([[0, 1], [3, 6]]), recoded=False).tolist() == [[0, 1], [2, 2]]
    values = np.array([-7, -6, 0, 3, 7, 8, 91])
    assert digit_counts(values, recoded=True).tolist() == [2, 2, 0, 2, 2, 1, 4]


def test_recoded_where_it_saves_a_digit_or_a_value_is_negative() -> None:
    assert [recoded(Range(*span)) for span in ((0, 6), (0, 7), (-1, 1))] == [False, True, True]


def test_as_many_as_the_hardware_sends() -> None:
    for values in (Range(0, 6), Range(0, 300), Range(-200, 200)):
        numbers = np.arange(values.low, values.high + 1)
        sent = [len(DigitPlan.of(values).digits(number)) for number in numbers.tolist()]
        assert digit_counts(numbers, recoded(values)).tolist() == sent
