"""Measurements of a layer, and their way to JSON and back."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.models.small import HEALTH

from spikeloom.sw.diagnostics import LayerHealth
from spikeloom.sw.errors import FileFormatError

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
MAYBE = st.none() | NUMBERS


@given(
    st.builds(
        LayerHealth,
        name=st.text(),
        timesteps=st.integers(1, 4096),
        largest=st.integers(1, 4096),
        steps=st.integers(0),
        start=MAYBE,
        threshold=MAYBE,
        wanted=MAYBE,
        gradient=MAYBE,
        weight_gradient=MAYBE,
        clipped=MAYBE,
        below=MAYBE,
        zero=NUMBERS,
        dead=NUMBERS,
        rate=NUMBERS,
        saturation=NUMBERS,
    )
)
def test_json_brings_everything_back(health: LayerHealth) -> None:
    assert LayerHealth.from_json(json.loads(json.dumps(health.to_json()))) == health


def test_what_is_not_finite_is_no_json_number() -> None:
    broken = replace(HEALTH, threshold=math.nan, gradient=math.inf, rate=math.nan)
    text = json.dumps(broken.to_json(), allow_nan=False)
    back = LayerHealth.from_json(json.loads(text))
    assert back.threshold is None
    assert back.gradient is None
    assert math.isnan(back.rate)


def test_movement_and_ratio() -> None:
    assert HEALTH.moved == 0.25
    assert HEALTH.ratio == 8.0
    assert replace(HEALTH, start=None).moved is None
    assert replace(HEALTH, threshold=None).moved is None
    assert replace(HEALTH, gradient=0.0).ratio is None
    assert replace(HEALTH, gradient=None).ratio is None
    assert replace(HEALTH, weight_gradient=None).ratio is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "has the name 3"),
        ({"timesteps": 2.5}, "has the timesteps 2.5"),
        ({"rate": "much"}, "has the rate 'much'"),
        ({"steps": True}, "has the steps True"),
        ({"extra": 1, "more": 2}, "missing or unknown: extra, more"),
    ],
)
def test_damaged_records_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        LayerHealth.from_json(HEALTH.to_json() | change)


def test_a_missing_field_is_named() -> None:
    record = HEALTH.to_json()
    del record["rate"]
    with pytest.raises(FileFormatError, match="missing or unknown: rate"):
        LayerHealth.from_json(record)
    with pytest.raises(FileFormatError, match=r"no JSON object: \[1\]"):
        LayerHealth.from_json([1])  # type: ignore[arg-type]
