"""Labelled images: checks and batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support.models import small

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.errors import DataError

Array = np.ndarray[Any, Any]


def numbered(count: int, labels: Any = None) -> Dataset:
    """Return a data set whose images, of two pixels, hold 0 and their number."""
    images = np.zeros((count, 1, 1, 2), np.uint8)
    images[:, 0, 0, 1] = np.arange(count)
    given = np.zeros(count, np.int64) if labels is None else np.asarray(labels)
    return Dataset("d", images, given, 8, 10, 1 / 255)


def test_inputs_are_scaled_to_one() -> None:
    inputs = small.digits("test").inputs()
    assert inputs.shape == (360, 1, 8, 8)
    assert inputs.dtype == torch.float32
    assert float(inputs.max()) == 1.0
    assert small.digits("test").targets().tolist()[:3] == small.digits("test").labels[:3].tolist()


@pytest.mark.parametrize(
    "indices",
    [[5, 0, 5], np.array([5, 0, 5]), torch.tensor([5, 0, 5])],
    ids=lambda i: type(i).__name__,
)
def test_batches(indices: Any) -> None:
    data = numbered(6, [3, 1, 4, 1, 5, 9])
    images, targets = data.batch(indices)
    assert (images.dtype, targets.dtype) == (torch.float32, torch.int64)
    assert torch.equal(
        images * 255, torch.tensor([5.0, 0.0, 5.0])[:, None, None, None] * torch.tensor([0.0, 1.0])
    )
    assert targets.tolist() == [9, 3, 9]


def test_batches_of_a_slice_in_a_precision_and_on_a_device() -> None:
    data = numbered(200)
    images, targets = data.batch(slice(150, 153), "cpu", torch.float64)
    assert images[:, 0, 0, 1].tolist() == [150 / 255, 151 / 255, 152 / 255]
    assert data.batch(slice(2), "meta")[0].device.type == "meta"
    assert len(targets) == 3
    assert torch.equal(data.batch()[0], data.inputs())


def test_batches_leave_the_images_alone() -> None:
    data = small.digits("test")
    before = data.images[:9].copy()
    data.batch(slice(9))[0].zero_()
    assert np.array_equal(data.images[:9], before)


@pytest.mark.parametrize(
    ("images", "labels", "bits", "message"),
    [
        (np.zeros((2, 1, 2, 2)), [0], 4, "2 images but 1 labels"),
        (np.zeros((2, 2, 2)), [0, 0], 4, r"not \(2, 2, 2\)"),
        (np.zeros((0, 1, 2, 2)), [], 4, r"none of them 0"),
        (np.full((1, 1, 2, 2), 16), [0], 4, "pixel 16, which does not fit 4 bits"),
    ],
)
def test_data_sets_are_validated(images: Array, labels: list[int], bits: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset("d", images.astype(np.uint8), np.array(labels, np.int64), bits, 10, 1.0)


def test_spikes_must_add_up_to_the_images() -> None:
    images, spikes = np.ones((1, 1, 2, 2), np.uint8), np.ones((1, 3, 1, 2, 2), np.uint8)
    Dataset("d", images * 3, np.array([0]), 4, 10, 1.0, spikes)
    for wrong in (spikes[:, :2], spikes[0]):
        with pytest.raises(DataError, match=r"spikes of d must have shape .* and add up over T"):
            Dataset("d", images * 3, np.array([0]), 4, 10, 1.0, wrong)


def test_a_data_set_is_shown_in_two_lines() -> None:
    assert repr(small.digits("test")) == (
        "<Dataset 'digits': 360 images of 1x8x8, 10 classes\n"
        "  pixels 0 to 31, for a model 0 to 1.938>"
    )
    images = np.zeros((5, 1, 2, 2), np.int8) - 1
    named = Dataset.from_arrays(images, list("abcde"), name="mine")
    assert repr(named) == (
        "<Dataset 'mine': 5 images of 1x2x2, 5 classes: a, b, c, ..., e\n"
        "  pixels -128 to 127, for a model -1 to 0.9922>"
    )
