"""Targets of the user's own: classes, several labels, or real values; checked, and drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikeloom.sw.datasets.arrays import Array, IntArray, are_whole, as_array
from spikeloom.sw.datasets.labels import class_names_of, labels_of
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.tasks import CLASSES, LABELS, VALUES, require_task


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets as a data set stores them.

    Parameters
    ----------
    targets : array
        int64 of shape (N,), bool of shape (N, ``count``) or float32 of shape (N, ``count``).
    count : int
        Number of classes, labels or values.
    names : tuple of str, or None
        Their names, if they have names.
    task : str
    """

    targets: npt.NDArray[Any]
    count: int
    names: tuple[str, ...] | None
    task: str


def targets_of(
    targets: Any,
    count: int,
    classes: int | Sequence[str] | None,
    name: str,
    task: str | None = None,
) -> Targets:
    """Return targets as a data set stores them, after checking them.

    Parameters
    ----------
    targets : array, tensor or list
        See :meth:`~spikeloom.sw.datasets.Dataset.from_arrays`.
    count : int
        Number of images.
    classes : int, or sequence of str, optional
        Number or names of the classes, labels or values; by default those that the targets show.
    name : str
        Name of the data set, for messages.
    task : str, optional
        By default, the one that type and shape of the targets show.

    Raises
    ------
    ConfigError
        If there is no such task.
    DataError
        If the targets are not of the task, or their type and shape show none.
    """
    array = as_array(targets, f"labels of {name}")
    meant = _shown(array, classes is not None) if task is None else require_task(task)
    if meant == CLASSES:
        return Targets(*labels_of(array, count, classes, name), CLASSES)
    number, names = class_names_of(classes, name)
    if len(array) != count:
        raise DataError(f"{name} has {count} images but targets of {len(array)}: give as many")
    if meant == VALUES and array.ndim == 1:
        array = array[:, None]
    what = "labels" if meant == LABELS else "values"
    if array.ndim != 2 or 0 in array.shape:
        raise DataError(
            f"targets of {name} have the shape {array.shape}, but for the task {meant!r} must have "
            f"(N, {what})"
        )
    if number is not None and number != array.shape[1]:
        raise DataError(
            f"{name} has {array.shape[1]} {what} for each image, but classes say {number}: give as "
            f"many names"
        )
    kept = _switches(array, name) if meant == LABELS else _real(array, name)
    return Targets(kept, array.shape[1], names, meant)


def _shown(array: Array, named: bool) -> str:
    """Return the task that type and shape of targets show; classes, if they show none.

    ``named`` says whether classes are given, which numbers along one axis then are.
    """
    if array.dtype.kind not in "biuf" or array.size == 0:
        return CLASSES
    if array.ndim == 1:
        whole = array.dtype.kind != "f" or are_whole(array)
        # NaN is refused by either; numbers such as 3.0 are refused as labels, with both remedies.
        return CLASSES if named or whole or not np.isfinite(array).all() else VALUES
    if array.ndim != 2 or array.shape[1] == 1:
        one = array.ndim == 2 and array.dtype.kind == "f"
        return VALUES if one and not are_whole(array) else CLASSES
    if not np.isin(array, (0, 1)).all():
        return VALUES if array.dtype.kind == "f" else CLASSES
    # One label for each image: they may be one-hot, which the refusal of classes says.
    return CLASSES if (array.sum(1) == 1).all() else LABELS


def _switches(array: Array, name: str) -> npt.NDArray[np.bool_]:
    if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise DataError(
            f"targets of {name} must be 0 or 1 for each label (True and False are the same), not "
            f"{_range(array)}"
        )
    return array.astype(np.bool_)


def _real(array: Array, name: str) -> npt.NDArray[np.float32]:
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise DataError(f"values of {name} must be finite numbers, not {_range(array)}")
    return array.astype(np.float32)


def _range(array: Array) -> str:
    if array.dtype.kind not in "biuf":
        return str(array.dtype)
    return f"{array.dtype} from {array.min():.4g} to {array.max():.4g}"


def held_out(groups: IntArray, share: float, seed: int, name: str) -> npt.NDArray[np.bool_]:
    """Return which images are held out: of each group, its share, as exactly as possible.

    Parameters
    ----------
    groups : array of int64, shape (N,)
        Number of each image's group, such as its class.
    share : float
        Between 0 and 1.
    seed : int
    name : str
        Name of the data set, for messages.

    Returns
    -------
    array of bool, shape (N,)

    Raises
    ------
    ConfigError
        If none, or all, would be held out.
    """
    # Groups are numbered anew: their numbers may be large, and few.
    _, groups, counted = np.unique(groups, return_inverse=True, return_counts=True)
    wanted = share * counted
    total = int(np.floor(share * len(groups) + 0.5))
    if not 0 < total < len(groups):
        part = "validation" if total == 0 else "training"
        raise ConfigError(
            f"a share of {share} for validation leaves no image of {name}'s {len(groups)} "
            f"for {part}: choose another share, or more images"
        )
    counts = np.floor(wanted).astype(np.int64)
    # Images that rounding down has left over go to the classes that lost most by it.
    most = np.argsort(counts - wanted, kind="stable")
    counts[most[: total - counts.sum()]] += 1
    generator = np.random.default_rng(seed)
    held = np.zeros(len(groups), bool)
    for group, count in enumerate(counts):
        members = np.flatnonzero(groups == group)
        held[generator.permutation(members)[:count]] = True
    return held
