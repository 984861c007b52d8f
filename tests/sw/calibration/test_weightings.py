"""Weightings: the paper's formulas, and what it says of them."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.sw.calibration import Weighting
from spikeloom.sw.calibration.weightings import SigmoidWeighting

MOVING = ("cosine", "sigmoid")


def test_kinds_are_found_by_name() -> None:
    assert list(Weighting.kinds) == ["output", "uniform", "cosine", "sigmoid", "layerwise"]


def test_worked_examples() -> None:
    assert Weighting.kinds["output"]().weights(3, 0.4) == [0, 0, 1]
    assert Weighting.kinds["uniform"]().weights(4, 0.4) == [0.25] * 4
    # cos(π/2·(1/2 - p)) and cos(π/2·(1 - p)) at p = 0: cos 45° and cos 90°.
    assert Weighting.kinds["cosine"]().weights(2, 0) == pytest.approx([1, 0])
    half = math.sqrt(0.5)
    assert Weighting.kinds["cosine"]().weights(2, 1) == pytest.approx(
        [half / (1 + half), 1 / (1 + half)]
    )
    # The slope of a sigmoid at 0 is a quarter of μ.
    assert SigmoidWeighting(8).raw(0.5, 0.5) == 2
    assert SigmoidWeighting(2).raw(1, 0.5) == pytest.approx(2 * math.e / (1 + math.e) ** 2)
    # Each of four layers for a quarter of the time.
    turns = [Weighting.kinds["layerwise"]().weights(4, p / 8).index(1) for p in range(9)]
    assert turns == [0, 0, 1, 1, 2, 2, 3, 3, 3]


@given(st.sampled_from(list(Weighting.kinds)), st.integers(1, 40), st.floats(0, 1, allow_nan=False))
def test_weights_are_shares(kind: str, layers: int, progress: float) -> None:
    weights = Weighting.kinds[kind]().weights(layers, progress)
    assert len(weights) == layers
    assert sum(weights) == pytest.approx(1)
    assert all(weight >= 0 for weight in weights)


@pytest.mark.parametrize("kind", MOVING)
@given(layers=st.integers(2, 40), progress=st.floats(0, 1))
def test_attention_moves_from_the_first_layer_to_the_last(
    kind: str, layers: int, progress: float
) -> None:
    weighting = Weighting.kinds[kind]()
    first, last = weighting.weights(layers, 0), weighting.weights(layers, 1)
    assert all(a > b for a, b in pairwise(first))
    assert all(a < b for a, b in pairwise(last))
    # In between the layer next to pL counts most.
    weights = weighting.weights(layers, progress)
    distances = [abs(index - progress * layers) for index in range(1, layers + 1)]
    assert distances[weights.index(max(weights))] == pytest.approx(min(distances), abs=1e-4)
