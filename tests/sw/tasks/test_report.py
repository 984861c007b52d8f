"""Reports: figures of decisions, against values by hand."""

from __future__ import annotations

import pytest
import torch

from spikeloom.sw.tasks import report


def test_balanced_accuracy_and_confusion() -> None:
    targets = torch.tensor([0, 0, 0, 0, 1, 1])
    found = report.of_classes(torch.tensor([0, 0, 0, 1, 1, 0]), targets, 3)
    # 3 of 4, and 1 of 2; the class 2 has no images.
    assert found["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert found["confusion"] == [[3, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_decisions_for_outputs_that_are_no_class_have_columns() -> None:
    found = report.of_classes(torch.tensor([0, 3]), torch.tensor([0, 1]), 2)
    assert found["confusion"] == [[1, 0, 0, 0], [0, 0, 0, 1]]


def test_many_classes_have_no_confusion_matrix() -> None:
    labels = torch.arange(report.MOST_CLASSES + 1)
    assert report.of_classes(labels, labels, len(labels)) == {"balanced_accuracy": 1.0}


def test_figures_of_labels() -> None:
    targets = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 0]]).bool()
    decided = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 0]]).bool()
    found = report.of_labels(decided, targets)
    assert found["label_accuracy"] == pytest.approx([2 / 3, 2 / 3, 1])
    # One hit, one miss, no false alarm: 2 / 3. The last label neither occurs nor is decided.
    assert found["label_f1"] == pytest.approx([2 / 3, 2 / 3, 1])
    assert found["mean_f1"] == pytest.approx(7 / 9)
    assert found["all_right"] == pytest.approx(1 / 3)


def test_figures_of_values() -> None:
    targets = torch.tensor([[0.0, 5.0], [2.0, 5.0]])
    found = report.of_values(torch.tensor([[0.5, 5.0], [2.0, 4.0]]), targets)
    assert found["mean_absolute_error"] == [0.25, 0.5]
    # Mean squares 0.125 and 0.5; variances 1 and, of equal targets, 1 by definition.
    assert found["r2"] == [0.875, 0.5]


def test_lines_for_people() -> None:
    confusion = {"balanced_accuracy": 0.625, "confusion": [[3, 1], [2, 1]]}
    assert report.lines_of(confusion, ["cat", "dog"]) == [
        "balanced accuracy: 62.50 %",
        "most often confused: dog as cat (2), cat as dog (1)",
    ]
    assert report.lines_of({"balanced_accuracy": 1.0, "confusion": [[1]]}) == [
        "balanced accuracy: 100.00 %"
    ]
    labels = {"label_accuracy": [0.5], "label_f1": [0.25], "mean_f1": 0.25, "all_right": 0.5}
    assert report.lines_of(labels) == [
        "all labels right: 50.00 %",
        "mean F1: 0.250",
        "label 0: accuracy 50.00 %, F1 0.250",
    ]
    assert report.lines_of({"mean_absolute_error": [0.25], "r2": [0.5]}, ["mass"]) == [
        "value mass: mean absolute error 0.25, R² 0.5000"
    ]


def test_a_feature_map_has_too_many_values_for_lines_of_their_own() -> None:
    def lines(count: int) -> list[str]:
        values = [0.5] * count
        return report.lines_of({"mean_absolute_error": values, "r2": values})

    assert len(lines(report.MOST_LINES)) == len(lines(256)) == report.MOST_LINES
    assert lines(report.MOST_LINES)[-1].startswith(f"value {report.MOST_LINES - 1}: ")
    assert lines(256)[-1] == f"and {256 - report.MOST_LINES + 1} more values"
