"""The command that writes docs/examples.md."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import examples, page
from spikeloom.sw.datasets import Dataset

BY_NAME = {example.name: example for example in examples.EXAMPLES}


def test_a_row() -> None:
    cosim = {"accuracy": 0.9, "compared": 12345, "differing": 0, "cycles_per_image": 1234.5}
    found = {
        "plain": 0.875,
        "train": {"accuracy": {"float": 0.95, "quantized": 0.9}},
        "run": {"accuracy": 0.9},
        "cosim": cosim,
    }
    cells = ("95.00 %", "90.00 %", "90.00 %", "90.00 %", "12,345", "0", "1,234")
    row = examples.row_of(BY_NAME["speakers"], found)
    assert row == ("speakers", "accuracy", "87.50 %, logistic regression", *cells)
    assert examples.row_of(BY_NAME["denoise"], found)[2:4] == (
        "0.8750, linear filter of 5x5",
        "0.9500",
    )
    assert len(row) == len(examples.HEADER)


def test_the_code_is_written(tmp_path: Path) -> None:
    copy = tmp_path / "examples.md"
    shutil.copy(examples.PAGE, copy)
    page.replace(copy, "diabetes", "old")
    examples.write_code(copy)
    assert copy.read_text(encoding="utf-8") == examples.PAGE.read_text(encoding="utf-8")


def test_plain_methods() -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(0, 256, (200, 3)).astype(np.uint8)
    classes = Dataset.from_arrays(table, table[:, 0] > 127, classes=2)
    assert examples.logistic(classes, classes) > 0.95
    values = Dataset.from_arrays(table, table.sum(1) * 1.5, task="values")
    assert examples.ridge(values, values) == pytest.approx(1, abs=1e-4)
    patches = rng.integers(0, 256, (20, 8, 8)).astype(np.uint8)
    wide = np.pad(patches.astype(float), ((0, 0), (1, 1), (1, 1)), "reflect")
    mean = (wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1]) / 2  # of the pixels above and below
    filtered = Dataset.from_arrays(patches, mean.reshape(20, -1), task="values")
    assert examples.linear_filter(filtered, filtered) == pytest.approx(1, abs=1e-6)
