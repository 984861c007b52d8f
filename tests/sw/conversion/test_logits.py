"""Logits in integers: in the order of the real ones."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.sw.conversion.logits import absorb_logits
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import Range

REALS = st.floats(-8, 8, allow_nan=False).map(Fraction)
POSITIVE = st.floats(2**-8, 4).map(Fraction)


@given(
    st.lists(REALS, min_size=2, max_size=12),
    POSITIVE,
    st.lists(st.integers(-5, 5), min_size=12, max_size=12),
)
def test_logits_are_in_the_order_of_the_real_ones(
    biases: list[Fraction], unit: Fraction, values: list[int]
) -> None:
    logits = absorb_logits("fc", 1, unit, biases, [Range(-5, 5)] * len(biases))
    real = [a * unit + b for a, b in zip(values, biases, strict=False)]
    scale = 1 << logits.fraction_bits
    integers = [a * scale + int(b) for a, b in zip(values, logits.bias, strict=False)]
    for i, j in combinations(range(len(real)), 2):
        assert (real[i] > real[j]) == (integers[i] > integers[j])
        assert (real[i] == real[j]) == (integers[i] == integers[j])


def test_many_classes_with_close_biases_keep_their_order() -> None:
    biases = [Fraction(1, 2) + Fraction(i, 10**9) for i in range(200)]
    logits = absorb_logits("fc", 1, Fraction(1), biases, [Range(-9, 9)] * 200)
    assert (np.diff(logits.bias) > 0).all()
    assert logits.bias[-1] - logits.bias[0] < 1 << logits.fraction_bits


def test_logits_over_several_timesteps_are_rounded() -> None:
    logits = absorb_logits("fc", 4, Fraction(1, 2), [Fraction(1, 3)], [Range(-9, 9)])
    assert (logits.fraction_bits, logits.bias.tolist()) == (8, [round(256 * 2 / 3)])


def test_logits_give_up_fraction_bits_for_width() -> None:
    reach = [Range(-(2**42), 2**42)] * 2
    logits = absorb_logits("fc", 1, Fraction(1), [Fraction(0), Fraction(1)], reach)
    assert logits.fraction_bits < 8


def test_logits_that_fit_no_width() -> None:
    with pytest.raises(UnsupportedError, match=r"output layer 'fc'.* do not fit 48 bits"):
        absorb_logits("fc", 1, Fraction(2) ** -60, [Fraction(1), Fraction(0)], [Range(0, 1)] * 2)


@given(st.lists(REALS, min_size=1, max_size=4), POSITIVE, st.integers(-5, 5))
def test_logits_of_several_labels_have_the_sign_of_the_real_ones(
    biases: list[Fraction], unit: Fraction, value: int
) -> None:
    reach = [Range(-5, 5)] * len(biases)
    task = "labels" if len(biases) > 1 else "classes"
    logits = absorb_logits("fc", 1, unit, biases, reach, task)
    for bias, integer in zip(biases, logits.bias, strict=True):
        whole = value * (1 << logits.fraction_bits) + int(integer)
        assert (value * unit + bias > 0) == (whole > 0)


@given(st.lists(REALS, min_size=1, max_size=4), POSITIVE)
def test_values_are_rounded_to_the_nearest(biases: list[Fraction], unit: Fraction) -> None:
    logits = absorb_logits("fc", 1, unit, biases, [Range(-5, 5)] * len(biases), "values")
    step = unit / (1 << logits.fraction_bits)
    for bias, integer in zip(biases, logits.bias, strict=True):
        assert abs(int(integer) * step - bias) <= step / 2
