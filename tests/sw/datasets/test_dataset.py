"""Data sets: their parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.models import small

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.errors import ConfigError


def numbered(labels: Any, classes: int = 10) -> Dataset:
    """Return a data set whose images, of 2 bytes, tell their number."""
    labels = np.asarray(labels, np.int64)
    number = np.arange(len(labels))
    images = np.stack([number >> 8, number & 255], 1).astype(np.uint8)
    return Dataset("d", images[:, None, None], labels, 8, classes, 1 / 255)


def numbers(data: Dataset) -> list[int]:
    return [int(high) << 8 | int(low) for high, low in data.images[:, 0, 0]]


def test_head() -> None:
    assert len(small.digits("test").head(7)) == 7
    assert numbers(numbered([0] * 9).head(4)) == [0, 1, 2, 3]
    assert len(small.digits("test").head(9999)) == 360
    with pytest.raises(ConfigError, match="at least 1, not 0"):
        small.digits("test").head(0)


def test_take() -> None:
    taken = numbered([3, 1, 4, 1]).take([2, 0])
    assert numbers(taken) == [2, 0]
    assert taken.labels.tolist() == [4, 3]
    assert (taken.name, taken.bits, taken.classes, taken.scale) == ("d", 8, 10, 1 / 255)


def test_take_keeps_spikes() -> None:
    spikes = np.arange(12, dtype=np.uint8).reshape(3, 2, 1, 1, 2)
    data = Dataset("d", spikes.sum(1, dtype=np.uint8), np.array([0, 1, 2]), 5, 3, 1.0, spikes)
    taken = data.take(torch.tensor([2, 1]))
    assert taken.spikes is not None
    assert np.array_equal(taken.spikes, spikes[[2, 1]])


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([], "at least one, not by"),
        ([[0]], r"not by int64 of shape \(1, 1\)"),
        ([0.0], "not by float64"),
        (np.array([True, False]), "not by bool"),
        ([0, 4], "numbers 0 to 3, so 0 to 4 cannot"),
        ([-1], "numbers 0 to 3, so -1 to -1 cannot"),
    ],
)
def test_take_of_what_is_not_there(indices: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        numbered([0, 1, 2, 3]).take(indices)


@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=300),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_splits_are_disjoint_complete_and_stratified(
    labels: list[int], share: float, seed: int
) -> None:
    data = numbered(labels, 5)
    # Python's round() would send halves to the even neighbour.
    total = int(share * len(labels) + 0.5)
    if total in (0, len(labels)):
        with pytest.raises(ConfigError, match="leaves no image of d's"):
            data.split(share, seed)
        return
    training, validation = data.split(share, seed)
    assert len(validation) == total
    assert sorted(numbers(training) + numbers(validation)) == list(range(len(labels)))
    for part in (training, validation):
        assert numbers(part) == sorted(numbers(part))
        assert part.labels.tolist() == [labels[number] for number in numbers(part)]
    for label in range(5):
        assert abs((validation.labels == label).sum() - share * labels.count(label)) < 1
    again = data.split(share, seed)
    assert [numbers(part) for part in again] == [numbers(training), numbers(validation)]


def test_splits_follow_the_seed() -> None:
    data = small.digits("train")
    first, second = (data.split(0.1, seed)[1] for seed in (0, 1))
    assert not np.array_equal(first.images, second.images)
    assert np.array_equal(np.bincount(first.labels), np.bincount(second.labels))
    # A tenth of the images, drawn by chance: neither the first ones nor every tenth.
    held = numbers(numbered([0] * 1000).split(0.1, 0)[1])
    assert len(held) == 100
    assert 400 < np.mean(held) < 600
    assert len(set(np.diff(held))) > 5


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5, float("nan"), 10])
def test_splits_of_a_nonsensical_share(share: float) -> None:
    with pytest.raises(ConfigError, match=rf"between 0 and 1, not {share}"):
        small.digits("test").split(share, 0)


def test_splits_that_leave_nothing() -> None:
    data = numbered([0, 1, 2, 3])
    with pytest.raises(ConfigError, match=r"0\.1 for validation leaves no .* 4 for validation"):
        data.split(0.1, 0)
    with pytest.raises(ConfigError, match=r"0\.9 for validation leaves no .* 4 for training"):
        data.split(0.9, 0)
    with pytest.raises(ConfigError, match="seed of a split must be at least 0, not -1"):
        data.split(0.5, -1)
