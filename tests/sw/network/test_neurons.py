from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from examples import ints

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import If, Ladder, Logits, Range


@pytest.mark.parametrize("low, high", [(-3, 2), (-2, 0), (0, 3), (1, 2), (-3, -1)])  # noqa: PT006
@pytest.mark.parametrize("threshold", [1, 2, 3, 5])
def test_if_potentials_stay_in_the_proven_range(low: int, high: int, threshold: int) -> None:
    timesteps = 4
    for initial, bias in itertools.product(range(threshold), (-1, 0, 2)):
        neuron = If(ints(threshold), ints(initial), ints(bias), fraction_bits=1)
        proven = neuron.potential(timesteps, Range(low, high))
        seen = {initial}
        for currents in itertools.product(range(low, high + 1), repeat=timesteps):
            v = initial
            for current in currents:
                v += 2 * current + bias
                seen.add(v)
                v -= threshold * (v >= threshold)
                seen.add(v)
        assert min(seen) in proven
        assert max(seen) in proven


def test_logits_range_is_tight() -> None:
    neuron = Logits(ints(-1, 3), fraction_bits=2)
    assert neuron.potential(3, Range(-2, 5)) == Range(3 * (-2 * 4 - 1), 3 * (5 * 4 + 3))
    # The potential before the first timestep is 0, whatever comes after.
    assert Logits(ints(1), fraction_bits=0).potential(2, Range(1, 2)) == Range(0, 6)


def test_ladder_potential_is_the_accumulator() -> None:
    assert Ladder(ints([1, 2])).potential(2, Range(-7, 9)) == Range(-7, 9)


def test_spikes_and_counts() -> None:
    neuron = If(ints(1), ints(0), ints(0), fraction_bits=0)
    assert (neuron.spike(), neuron.count(5)) == (Range(0, 1), Range(0, 5))
    output = Logits(ints(0), fraction_bits=0)
    assert (output.spike(), output.count(5)) == (Range(0, 0), Range(0, 0))
    assert (neuron.fires, output.fires) == (True, False)


def test_channels() -> None:
    assert If(ints(1, 2), ints(0, 0), ints(0, 0), fraction_bits=0).channels == 2
    assert Ladder(ints([1], [2], [3])).channels == 3
    assert Logits(ints(0), fraction_bits=0).channels == 1


@pytest.mark.parametrize("bits", [-1, 17, 1.0, None, True])
def test_fraction_bits_are_limited(bits: Any) -> None:
    for build in (
        lambda: If(ints(1), ints(0), ints(0), fraction_bits=bits),
        lambda: Logits(ints(0), fraction_bits=bits),
    ):
        with pytest.raises(ContractError, match="fraction_bits must be "):
            build()


def test_numpy_integers_become_plain() -> None:
    neuron = Logits(ints(0), fraction_bits=np.int64(3))  # type: ignore[arg-type]
    assert type(neuron.fraction_bits) is int


@pytest.mark.parametrize(
    ("threshold", "initial", "bias", "message"),
    [
        (ints(3, 0), ints(0, 0), ints(0, 0), "threshold of channel 1 must be positive, not 0: rai"),
        (ints(-5), ints(0), ints(0), "threshold of channel 0 must be positive, not -5"),
        (ints(3), ints(3), ints(0), "of channel 0 must be from 0 to threshold - 1 = 2, not 3"),
        (ints(3, 3), ints(0, -1), ints(0, 0), "initial potential of channel 1 .* not -1"),
        (ints(3, 3), ints(0), ints(0), "one value per channel each, not {'threshold': 2, 'i"),
        (ints(3), ints(0), ints([0]), r"bias must have 1 axes, .* not shape \(1, 1\)"),
        (ints(2**48), ints(0), ints(0), "threshold needs 49 bits"),
        (ints(3), ints(0), ints(-(2**63)), "bias needs 64 bits"),
    ],
)
def test_if_parameters_that_do_not_fit(
    threshold: Any, initial: Any, bias: Any, message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        If(threshold, initial, bias, fraction_bits=0)


def test_thresholds_may_fill_the_widest_register() -> None:
    neuron = If(ints(2**48 - 1), ints(0), ints(0), fraction_bits=0)
    neuron.check(1, Range(0, 1))


def test_ladder_levels_that_do_not_fit() -> None:
    with pytest.raises(ContractError, match="levels of channel 1 must not decrease, not 3 then 2"):
        Ladder(ints([1, 1, 2], [0, 3, 2]))
    with pytest.raises(ContractError, match="levels must have 2 axes"):
        Ladder(ints(1, 2))
    with pytest.raises(ContractError, match="levels needs 64 bits"):
        Ladder(ints([-(2**63), 2**63 - 1]))
    with pytest.raises(ContractError, match="one level per timestep: 2 levels for 3 timesteps"):
        Ladder(ints([1, 2])).check(3, Range(0, 1))


def test_potentials_wider_than_any_register() -> None:
    neuron = If(ints(2**40), ints(0), ints(0), fraction_bits=16)
    neuron.check(16, Range(0, 2**27))
    with pytest.raises(ContractError, match="the membrane potential needs 49 bits"):
        neuron.check(16, Range(0, 2**28))
