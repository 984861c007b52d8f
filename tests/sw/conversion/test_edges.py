"""What the fitting of neurons looks at: edges, tables of them, and widths."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from spikeloom.sw.conversion.absorption import IfAbsorber, SignedAbsorber
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import Range
from spikeloom.sw.spiking.population import MAX_EDGES, Population


def one(threshold: int, bias: float, reach: Range, steps: int = 4) -> Population:
    """Return one channel, whose unit is 1."""
    return Population(
        "conv1", steps, [Fraction(threshold)], [Fraction(1)], [Fraction(bias)], [reach], True
    )


def test_a_bias_beyond_the_width() -> None:
    # Of 2^45 in fractions of 2^-14, where four timesteps need three bits more.
    wide = one(1, -(2.0**45), Range(0, 2**46))
    assert IfAbsorber().idle(wide) == [False]
    with pytest.raises(UnsupportedError, match=rf"and bias -{2**59} do not fit 48 bits"):
        IfAbsorber().absorb(wide, 14)


@pytest.mark.parametrize("constant", [True, False])
def test_signed_edges_are_all_that_can_be_decided(constant: bool) -> None:
    """After t timesteps, up to t quanta of either sign, taken back only if the current varies."""
    population = replace(
        one(2, 0, Range(-9, 9), steps=3),
        constant=constant,
        negative_thresholds=[Fraction(3)],
    )
    ((above, below),) = SignedAbsorber().sides(population, last_only=False)
    ways = (True,) if constant else (True, False)
    expected = [(t, k, up) for t in (1, 2, 3) for k in range(1, t + 1) for up in ways]
    found = zip(above.edges.steps, above.edges.quanta, above.edges.up, strict=True)
    assert sorted((int(t), int(k), bool(up)) for t, k, up in found) == sorted(expected)
    found = zip(below.edges.steps, below.edges.quanta, below.edges.up, strict=True)
    mirrored = [(t, 1 - k, not up) for t, k, up in expected]
    assert sorted((int(t), int(k), bool(up)) for t, k, up in found) == sorted(mirrored)


@pytest.mark.parametrize("constant", [True, False])
def test_tables_of_every_timestep_have_a_most(constant: bool) -> None:
    varying = replace(one(2, 0, Range(0, 9)), constant=constant, counted=False)
    # T (T + 1) / 2 edges from below and, if the current varies, as many from above.
    steps = next(t for t in range(1, 999) if t * (t + 1) * (1 if constant else 2) > 2 * MAX_EDGES)
    assert replace(varying, timesteps=steps).tables == [True]
    assert replace(varying, timesteps=steps - 1).tables == [False, True]
