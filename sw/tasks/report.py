"""Figures that say how good a model's decisions are, one function for each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Importing torch takes seconds.
    from torch import Tensor

#: Most classes whose confusion matrix is part of a report.
MOST_CLASSES = 100
#: Most lines on single labels or values.
MOST_LINES = 16


def of_classes(decided: Tensor, targets: Tensor, count: int) -> dict[str, Any]:
    """Return how often each class was taken for which.

    Parameters
    ----------
    decided, targets : tensor of int64, shape (N,)
    count : int
        Number of classes.

    Returns
    -------
    dict
        ``balanced_accuracy``, the mean over the classes that occur of the share of their images
        that is right; and ``confusion``, a list of rows: how many images of the row's class were
        decided to be of the column's. Of more than :data:`MOST_CLASSES` classes it is left out.
    """
    import torch

    size = max(count, int(decided.max()) + 1)  # a model may have more outputs
    pairs = torch.bincount(targets * size + decided, minlength=size * size).reshape(size, size)
    confusion, images = pairs[:, : max(count, 1)], pairs.sum(1)
    if size > count and int(pairs[:, count:].sum()):
        confusion = pairs
    occurring = images > 0
    shares = pairs.diagonal()[occurring].double() / images[occurring]
    found: dict[str, Any] = {"balanced_accuracy": float(shares.mean())}
    if size <= MOST_CLASSES:
        found["confusion"] = confusion[:count].tolist()
    return found


def of_labels(decided: Tensor, targets: Tensor) -> dict[str, Any]:
    """Return how well each of several labels is found.

    Parameters
    ----------
    decided, targets : tensor of bool, shape (N, labels)

    Returns
    -------
    dict
        ``label_accuracy`` and ``label_f1``, a number for each label; ``mean_f1``; and
        ``all_right``, the share of the images of which all labels are right. F1 is the harmonic
        mean of precision and recall, 0 of a label that occurs nowhere but is decided somewhere,
        and 1 of one that neither occurs nor is decided.
    """
    import torch

    both = (decided & targets).sum(0).double()
    either = decided.sum(0) + targets.sum(0)
    f1 = torch.where(either > 0, 2 * both / either.clamp(min=1), torch.ones_like(both))
    same = decided == targets
    return {
        "label_accuracy": same.double().mean(0).tolist(),
        "label_f1": f1.tolist(),
        "mean_f1": float(f1.mean()),
        "all_right": float(same.all(1).double().mean()),
    }


def of_values(decided: Tensor, targets: Tensor) -> dict[str, Any]:
    """Return how near real values are.

    Parameters
    ----------
    decided, targets : tensor of floats, shape (N, values)

    Returns
    -------
    dict
        ``mean_absolute_error`` and ``r2``, a number for each value. R² is 1 less the mean squared
        error in relation to the variance of the targets: 1 is perfect, and 0 no better than always
        answering their mean.
    """
    decided, targets = decided.double(), targets.double()
    error = decided - targets
    return {
        "mean_absolute_error": error.abs().mean(0).tolist(),
        "r2": (1 - error.square().mean(0) / spread(targets)).tolist(),
    }


def spread(targets: Tensor) -> Tensor:
    """Return the variance of each value over the images, float64; 1 where all are equal."""
    import torch

    variance = targets.double().var(0, unbiased=False)
    return torch.where(variance > 0, variance, torch.ones_like(variance))


def lines_of(report: Mapping[str, Any], names: Sequence[str] | None = None) -> list[str]:
    """Return a report in lines for people.

    Parameters
    ----------
    report : mapping
        From one of the functions above.
    names : sequence of str, optional
        Names of the classes, labels or values; by default their numbers.
    """
    lines = []
    if "balanced_accuracy" in report:
        lines.append(f"balanced accuracy: {report['balanced_accuracy']:.2%}".replace("%", " %"))
    if "confusion" in report:
        lines += _confusion(report["confusion"], names)
    if "label_f1" in report:
        lines.append(f"all labels right: {report['all_right']:.2%}".replace("%", " %"))
        lines.append(f"mean F1: {report['mean_f1']:.3f}")
        rows = zip(report["label_accuracy"], report["label_f1"], strict=True)
        lines += _shown(
            [
                f"label {_name(names, number)}: accuracy {share:.2%}, F1 {f1:.3f}".replace(
                    "%", " %"
                )
                for number, (share, f1) in enumerate(rows)
            ],
            "labels",
        )
    if "r2" in report:
        rows = zip(report["mean_absolute_error"], report["r2"], strict=True)
        lines += _shown(
            [
                f"value {_name(names, number)}: mean absolute error {error:.4g}, R² {r2:.4f}"
                for number, (error, r2) in enumerate(rows)
            ],
            "values",
        )
    return lines


def _shown(lines: list[str], what: str) -> list[str]:
    """Return lines of labels or values, of which a feature map has too many for people."""
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[: MOST_LINES - 1], f"and {len(lines) - MOST_LINES + 1} more {what}"]


def _confusion(rows: Sequence[Sequence[int]], names: Sequence[str] | None) -> list[str]:
    """Return the pairs of classes that are confused most often, the worst first."""
    pairs = [
        (count, row, column)
        for row, counts in enumerate(rows)
        for column, count in enumerate(counts)
        if row != column and count
    ]
    worst = sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))[:5]
    if not worst:
        return []
    found = ", ".join(
        f"{_name(names, row)} as {_name(names, column)} ({count})" for count, row, column in worst
    )
    return [f"most often confused: {found}"]


def _name(names: Sequence[str] | None, number: int) -> str:
    return str(number) if names is None or number >= len(names) else names[number]
