from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from support.networks.examples import ints

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import Burst, Dual, If, Ladder, Logits, Neuron, Range, Signed


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


def leaky(v: int, shifts: Sequence[int]) -> int:
    """Return v less ``⌊v/2^k⌋`` for each shift k, or more by ``⌊v/2^-k⌋`` if k is negative."""
    return v - sum(v // 2**k if k > 0 else -(v // 2**-k) for k in shifts)


def dual_step(neuron: Dual, v: int, m: int, current: int) -> tuple[int, int, int]:
    v = leaky(v, neuron.shifts) + current
    threshold = int(neuron.threshold[0])
    spike = 1 if v >= threshold else -1 if v < 0 < m else 0
    return v, v - spike * threshold, m + spike


def signed_step(neuron: Signed, v: int, m: int, current: int) -> tuple[int, int, int]:
    v += current
    positive, negative = int(neuron.threshold[0]), int(neuron.negative_threshold[0])
    up, down = (positive if m >= 0 else negative), (negative if m <= 0 else positive)
    if 2 * v >= up:
        return v, v - up, m + 1
    if 2 * v <= -down:
        return v, v + down, m - 1
    return v, v, m


def burst_step(neuron: Burst, v: int, m: int, current: int) -> tuple[int, int, int]:
    v = leaky(v, neuron.shifts) + current
    threshold = int(neuron.threshold[0])
    spike = min(max(v // threshold, 0), neuron.largest)
    return v, v - spike * threshold, m + spike


#: One step of each kind, as on the contract's page: v before firing, v after, m after.
STEPS: dict[str, Callable[[Any, int, int, int], tuple[int, int, int]]] = {
    "dual": dual_step,
    "signed": signed_step,
    "burst": burst_step,
}


def reached(neuron: Any, start: int, currents: Sequence[int], timesteps: int) -> set[int]:
    """Return every potential, before and after firing, that any sequence of currents leads to."""
    states, seen = {(start, 0)}, {start}
    for _ in range(timesteps):
        after = set()
        for (v, m), current in itertools.product(states, currents):
            before, v_after, m_after = STEPS[neuron.kind](neuron, v, m, current)
            seen |= {before, v_after}
            after.add((v_after, m_after))
        states = after
    return seen


SPANS = [(-3, 2), (-2, 0), (0, 3), (1, 2), (-3, -1), (-1, 6)]


#: Leaks of which the first five keep the order of values, the others do not; the last is a gain.
LEAKS = [(), (1,), (2, -3), (3, -4, 5), (31,), (1, 2), (-1, 1, 1), (-2, -2)]


def keeps_order(shifts: Sequence[int]) -> bool:
    kept = [leaky(v, shifts) for v in range(-64, 65)]
    return kept == sorted(kept)


@pytest.mark.parametrize(("low", "high"), SPANS)
@pytest.mark.parametrize("threshold", [1, 2, 3, 5, 40])
def test_dual_and_burst_potentials_stay_in_the_proven_range(
    low: int, high: int, threshold: int
) -> None:
    timesteps = 5
    for initial, bias in itertools.product({0, threshold >> 1, threshold - 1}, (-1, 0, 2)):
        shared = (ints(threshold), ints(initial), ints(bias), 1)
        currents = [2 * a + bias for a in range(low, high + 1)]
        bursts = itertools.product((1, 3), (None, *LEAKS))
        duals = (Dual(*shared, leak) for leak in LEAKS)
        for neuron in (*duals, *(Burst(*shared, most, leak) for most, leak in bursts)):
            proven = neuron.potential(timesteps, Range(low, high))
            seen = reached(neuron, initial, currents, timesteps)
            assert Range(min(seen), max(seen)) | proven == proven
            if not keeps_order(neuron.shifts):
                continue
            # The ends are reached where nothing fires on the way.
            if initial == 0 and currents[0] <= 0:
                assert min(seen) == proven.low
            if proven.high < threshold and currents[-1] >= 0:
                assert max(seen) == proven.high


@pytest.mark.parametrize(("low", "high"), SPANS)
@pytest.mark.parametrize("thresholds", [(1, 1), (2, 5), (7, 1), (3, 3), (50, 60)])
def test_signed_potentials_stay_in_the_proven_range(
    low: int, high: int, thresholds: tuple[int, int]
) -> None:
    timesteps = 5
    for bias in (-1, 0, 2):
        neuron = Signed(ints(thresholds[0]), ints(thresholds[1]), ints(bias), 1)
        currents = [2 * a + bias for a in range(low, high + 1)]
        proven = neuron.potential(timesteps, Range(low, high))
        seen = reached(neuron, 0, currents, timesteps)
        assert Range(min(seen), max(seen)) | proven == proven


def test_ends_of_the_signed_range_are_reached() -> None:
    # Quanta too large to fire: the potential is the sum of the currents.
    neuron = Signed(ints(1000), ints(1000), ints(1), 1)
    assert neuron.potential(4, Range(-3, 2)) == Range(-20, 20)
    assert min(reached(neuron, 0, [-5, 5], 4)) == -20
    # Quanta that always fire, downwards first: v is -10 before, and at 10 after, of a quantum 20.
    neuron = Signed(ints(20), ints(20), ints(0), 0)
    assert neuron.potential(1, Range(-10, 0)) == Range(-10, 10)
    assert reached(neuron, 0, [-10], 1) == {0, -10, 10}


def test_ends_of_the_leaking_burst_range_are_reached() -> None:
    neuron = Burst(ints(1000), ints(7), ints(0), 0, 1, leak=1)
    proven = neuron.potential(4, Range(-9, 9))
    highest = list(itertools.accumulate([9] * 4, lambda v, a: v - (v >> 1) + a, initial=7))
    lowest = list(itertools.accumulate([-9] * 4, lambda v, a: v - (v >> 1) + a, initial=0))
    assert proven == Range(lowest[-1], highest[-1])
    assert proven.high in reached(neuron, 7, [9], 4)
    # The leak holds v below twice the largest current, however long it lasts.
    assert neuron.potential(4096, Range(-9, 9)).high <= 18
    assert neuron.potential(4096, Range(-9, 9)).low >= -18


def test_spikes_and_counts_of_several_values() -> None:
    shared = (ints(4), ints(2), ints(0), 0)
    assert (Dual(*shared).spike(), Dual(*shared).count(5)) == (Range(-1, 1), Range(0, 5))
    burst = Burst(*shared, largest=3)
    assert (burst.spike(), burst.count(5)) == (Range(0, 3), Range(0, 15))
    signed = Signed(ints(4), ints(2), ints(0), 0, amplitude=2, negative_amplitude=8)
    assert (signed.spike(), signed.count(5)) == (Range(-8, 8), Range(-40, 10))


@pytest.mark.parametrize("amplitude", [0, 3, -1, 8192, 2.0, None, True])
def test_amplitudes_that_are_no_shifts(amplitude: Any) -> None:
    for name in ("amplitude", "negative_amplitude"):
        with pytest.raises(ContractError, match=f"^{name} must be "):
            Signed(ints(4), ints(2), ints(0), 0, **{name: amplitude})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"largest": 0}, "largest must be from 1 to 4096, not 0"),
        ({"largest": 4097}, "largest must be from 1 to 4096, not 4097"),
        ({"largest": 1.5}, "largest must be an integer, not 1.5"),
        ({"largest": 3, "leak": 0}, "leak must be from 1 to 31, or from -31 to -1, not 0"),
        ({"largest": 3, "leak": 32}, "leak must be from -31 to 31, not 32"),
        ({"largest": 3, "leak": 0.5}, "leak must be an integer, not 0.5"),
    ],
)
def test_bursts_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Burst(ints(4), ints(2), ints(0), 0, **options)


def test_signed_and_dual_parameters_that_do_not_fit() -> None:
    with pytest.raises(ContractError, match="negative_threshold of channel 1 must be positive, no"):
        Signed(ints(1, 1), ints(3, 0), ints(0, 0), 0)
    with pytest.raises(ContractError, match="'threshold': 2, 'negative_threshold': 1, 'bias': 2"):
        Signed(ints(1, 1), ints(3), ints(0, 0), 0)
    kinds: tuple[Callable[..., Neuron], ...] = (Dual, partial(Burst, largest=2))
    for kind in kinds:
        with pytest.raises(ContractError, match="from 0 to threshold - 1 = 2, not 3"):
            kind(ints(3), ints(3), ints(0), 0)
        with pytest.raises(ContractError, match="threshold of channel 0 must be positive, not 0"):
            kind(ints(0), ints(0), ints(0), 0)


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
