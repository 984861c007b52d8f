"""Limits of networks, by which a small file asks for little."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import (
    Connection,
    Conv2d,
    DirectInput,
    If,
    Layer,
    Linear,
    Logits,
    Network,
    load,
    save,
)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            [1, 1 << 14, 1 << 13],
            "the input has 1x16384x8192 values, which are more than 67,108,864",
        ),
        ([1, 1 << 20, 1 << 20], "the input has 1x1048576x1048576 values"),
    ],
)
def test_a_small_file_asks_for_no_terabytes(shape: list[int], message: str) -> None:
    logits = Logits(np.zeros(1, np.int64), 0)
    kernel = Conv2d(np.ones((1, 1, 1, 1), np.int64), stride=(1 << 10, 1 << 10))
    layer = Layer("out", 1, logits, (Connection("input", "count", kernel),))
    with pytest.raises(ContractError, match=message):
        Network(DirectInput(tuple(shape), bits=1), (layer,))


def test_layers_are_limited_as_the_input_is() -> None:
    inputs = DirectInput((1, 1 << 12, 1 << 12), bits=1)
    kernel = Conv2d(np.ones((5, 1, 1, 1), np.int64))
    layer = Layer(
        "out", 1, Logits(np.zeros(5, np.int64), 0), (Connection("input", "count", kernel),)
    )
    with pytest.raises(ContractError, match="it has 5x4096x4096 values, which are more than"):
        Network(inputs, (layer,))


def test_the_time_to_read_grows_with_the_number_of_layers(tmp_path: Path) -> None:
    def steps(count: int) -> int:
        """Return the Python calls that it takes to read a chain of layers."""
        weight = Linear(np.ones((1, 1), np.int64))
        zero, one = np.zeros(1, np.int64), np.ones(1, np.int64)
        hidden = [
            Layer(f"l{k}", 1, If(one, zero, zero, 0), (Connection(source, "count", weight),))
            for k, source in enumerate(["input", *(f"l{k}" for k in range(count - 1))])
        ]
        last = Layer("out", 1, Logits(zero, 0), (Connection(hidden[-1].name, "count", weight),))
        path = tmp_path / f"{count}.safetensors"
        save(Network(DirectInput((1,), 1), (*hidden, last)), path)
        calls = 0

        def count_calls(*_: Any) -> None:
            nonlocal calls
            calls += 1

        before = sys.getprofile()
        sys.setprofile(count_calls)
        try:
            load(path)
        finally:
            sys.setprofile(before)
        return calls

    few, many = steps(20), steps(80)
    assert many < 4.5 * few
