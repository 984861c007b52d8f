"""Labels of the user's own: types and names that are taken, and remedies for others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.errors import DataError

LABELS = [0, 1, 2, 1]


def data_of(labels: Any = None, classes: Any = None) -> Dataset:
    """Return a data set of four images with these labels."""
    images = np.zeros((4, 1, 2, 2), np.uint8)
    return Dataset.from_arrays(images, LABELS if labels is None else labels, classes)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(LABELS, np.int32),
        np.array(LABELS, np.uint8),
        LABELS,
        tuple(LABELS),
        torch.tensor(LABELS),
        torch.tensor(LABELS, dtype=torch.int16),
        [np.int64(x) for x in LABELS],
    ],
)
def test_labels_of_any_integer_type_are_taken(labels: Any) -> None:
    data = data_of(labels)
    assert (data.labels.dtype, data.labels.tolist(), data.classes) == (np.int64, LABELS, 3)
    assert data.class_names is None
    assert data.targets().dtype == torch.int64


@pytest.mark.parametrize("kind", [list, np.array, lambda x: np.array(x, object), np.bytes_])
def test_names_become_labels(kind: Any) -> None:
    names = ["dog", "cat", "cow", "cat"]
    if kind is np.bytes_:
        kind = lambda texts: np.array(texts, "S3")  # noqa: E731
    data = data_of(kind(names))
    assert data.class_names == ("cat", "cow", "dog")
    assert data.labels.tolist() == [2, 0, 1, 0]
    chosen = data_of(kind(names), ["dog", "cat", "cow", "hen"])
    assert (chosen.classes, chosen.labels.tolist()) == (4, [0, 1, 2, 1])
    assert chosen.take([3]).class_names == ("dog", "cat", "cow", "hen")


def test_classes_by_number_or_name() -> None:
    assert data_of(classes=5).classes == 5
    named = data_of(classes=["a", "b", "c"])
    assert (named.classes, named.class_names) == (3, ("a", "b", "c"))
    assert data_of([True, False, True, True]).labels.tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([0, 1], None, "4 images but 2 labels: give one for each image"),
        ([0, 1, 2, 3], 3, "from 0 to 2, not 0 to 3"),
        ([0, -1, 2, 3], None, "from 0 to 3, not -1 to 3"),
        (np.eye(3)[LABELS], None, r"shape \(4, 3\).*labels\.argmax\(1\)"),
        (np.array(LABELS)[:, None], None, r"labels\.ravel\(\)"),
        (np.zeros((4, 1, 1)), None, r"shape \(4, 1, 1\), but must have \(N,\)$"),
        ([0.0, 1.0, 2.0, 1.0], None, r"float64, .*labels\.astype\('int64'\)"),
        ([0.5, 1.0, 2.0, 1.0], 3, "number of a class, or its name"),
        (["a", "b", "d", "b"], ["a", "b", "c"], "label 2 of own data is 'd', .* a, b, c"),
        (["a", "b", "d", "b"], 2, "hold 3 different names, but classes=2"),
        (["a", "", "d", "b"], None, "label 1 of own data is ''"),
        (np.array(["a", 1, None, "b"], object), None, "label 1 of own data is 1, but"),
        (LABELS, ["a", "b", "a"], "a list of different names"),
        (LABELS, "abc", "a list of different names, not 'abc'"),
    ],
)
def test_labels_that_are_refused(labels: Any, classes: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        data_of(labels, classes)


def test_labels_that_are_counted_from_1() -> None:
    images, labels = np.zeros((40, 1, 2, 2), np.uint8), np.arange(40) % 4 + 1
    with pytest.raises(DataError, match=r"from 1 to 4, .* take labels - 1, or say classes=5"):
        Dataset.from_arrays(images, labels)
    assert Dataset.from_arrays(images, labels - 1).classes == 4
    assert Dataset.from_arrays(images, labels, 5).classes == 5
    # So few that the class 0 may be missing by chance.
    assert Dataset.from_arrays(images[:5], labels[:5]).classes == 5


def test_numbers_that_no_class_can_have() -> None:
    with pytest.raises(DataError, match="from 0 to 67108864, but a network has at most 67,108,864"):
        data_of([0, 1, 2, 1 << 26])
    with pytest.raises(DataError, match="from 0 to 2251799813685248, but a network has at most"):
        data_of([0, 1, 2, 1 << 51])
