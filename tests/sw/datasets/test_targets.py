"""Targets: the task that they show, their checks, and splits."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from spikeloom.sw.datasets import Dataset, as_dataset
from spikeloom.sw.datasets.targets import held_out
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.tasks import Labels, Values

IMAGES = np.arange(4 * 4, dtype=np.uint8).reshape(4, 1, 2, 2)
SWITCHES = np.array([[1, 0, 1], [0, 0, 0], [1, 0, 0], [0, 1, 1]])
REAL = np.array([[0.5, -1.0], [2.0, 3.0], [0.25, 0.0], [1.0, 8.5]])


def data_of(targets: Any, *args: Any, **options: Any) -> Dataset:
    return Dataset.from_arrays(IMAGES, targets, *args, **options)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_switches_show_several_labels(dtype: Any) -> None:
    data = data_of(SWITCHES.astype(dtype), ["a", "b", "c"])
    assert (data.task, data.classes, data.class_names) == ("labels", 3, ("a", "b", "c"))
    assert data.labels.dtype == np.bool_
    assert data.targets().dtype is torch.float32
    assert torch.equal(data.batch([0, 3])[1], torch.tensor(SWITCHES[[0, 3]]).float())
    assert isinstance(data.meaning, Labels)


@pytest.mark.parametrize("targets", [REAL, REAL[:, 0], REAL[:, :1], torch.tensor(REAL).half()])
def test_fractions_show_values(targets: Any) -> None:
    data = data_of(targets)
    assert (data.task, data.labels.dtype) == ("values", np.float32)
    assert data.labels.shape == (4, data.classes)
    np.testing.assert_array_equal(data.labels[:, 0], REAL[:, 0].astype(np.float32))
    assert isinstance(data.meaning, Values)
    assert data.meaning.spread is not None
    np.testing.assert_allclose(data.meaning.spread[0], REAL[:, 0].var())


def test_a_task_that_is_said() -> None:
    one_hot = np.eye(4)
    assert data_of(one_hot, task="labels").classes == 4
    assert data_of(one_hot, task="values").labels.tolist() == one_hot.tolist()
    assert data_of([1, 2, 3, 4], task="values").labels.tolist() == [[1], [2], [3], [4]]
    assert data_of([1, 0, 1, 2], task="classes").task == "classes"
    assert as_dataset((IMAGES, one_hot), task="labels").task == "labels"
    with pytest.raises(DataError, match="is of the task 'values', not 'labels'"):
        as_dataset(data_of(REAL), task="labels")


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        (np.eye(4), {}, "if they are one-hot, labels.argmax.*task='labels', .*task='values'"),
        ([1.0, 2.0, 3.0, 4.0], {}, "or say task='values' if they are real values"),
        ([[1], [2], [3], [4]], {}, r"labels.ravel\(\); or say task='values'"),
        (SWITCHES + 1, {"task": "labels"}, "must be 0 or 1 for each label .*int64 from 1 to 2"),
        (SWITCHES[:, 0], {"task": "labels"}, r"the shape \(4,\), .* must have \(N, labels\)"),
        (SWITCHES[:3], {}, "4 images but targets of 3"),
        (SWITCHES, {"classes": ["a", "b"]}, "has 3 labels for each image, but classes say 2"),
        (REAL + np.inf, {"task": "values"}, "must be finite numbers"),
        (["a", "b", "c", "d"], {"task": "values"}, "must be finite numbers, not <U1"),
    ],
)
def test_targets_that_are_refused(targets: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        data_of(targets, **options)


def test_an_unknown_task() -> None:
    with pytest.raises(ConfigError, match="no task is called 'regression'"):
        data_of(REAL, task="regression")


def test_targets_of_torch_data_sets() -> None:
    tensors = TensorDataset(torch.from_numpy(IMAGES), torch.tensor(REAL))
    items = [(image, row) for image, row in zip(IMAGES, SWITCHES, strict=True)]
    for given, task, expected in (
        (tensors, "values", REAL),
        (DataLoader(tensors, 2), "values", REAL),
        (items, "labels", SWITCHES),
    ):
        data = as_dataset(given)
        assert data.task == task
        np.testing.assert_array_equal(data.labels, expected)


def test_parts_keep_the_task() -> None:
    images = np.zeros((40, 1, 2, 2), np.uint8)
    data = Dataset.from_arrays(images, np.arange(40) / 8)
    training, held = data.split(0.25, 3)
    assert (len(training), len(held), held.task) == (30, 10, "values")
    both = np.concatenate([training.labels, held.labels])
    assert sorted(both.ravel().tolist()) == data.labels.ravel().tolist()
    assert data.split(0.25, 3)[1].labels.tolist() == held.labels.tolist()


def test_a_split_of_classes_with_large_numbers_takes_little() -> None:
    """And holds out the same images as one of the same classes with small numbers."""
    few, many = np.array([0, 1, 0, 1] * 5), np.array([3, (1 << 26) - 1, 3, (1 << 26) - 1] * 5)
    tracemalloc.start()
    held = held_out(many, 0.3, 1, "x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    assert held.tolist() == held_out(few, 0.3, 1, "x").tolist()
    assert (few[held].tolist().count(0), few[held].tolist().count(1)) == (3, 3)
