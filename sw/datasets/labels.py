"""Labels of the user's own: integers or names, checked, in the form of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spikeloom.sw.datasets.arrays import Array, IntArray, are_whole, as_array
from spikeloom.sw.errors import DataError
from spikeloom.sw.network.network import MAX_VALUES

#: Images per class that make a label's absence from the labels look like a mistake.
_MANY = 10


def labels_of(
    labels: Any, count: int, classes: int | Sequence[str] | None, name: str
) -> tuple[IntArray, int, tuple[str, ...] | None]:
    """Return labels as a data set stores them, the number of classes, and their names.

    Parameters
    ----------
    labels : array, tensor or list
        Integers of any type, booleans, or texts.
    count : int
        Number of images.
    classes : int, or sequence of str, optional
        Their number, or their names; by default those that the labels show.
    name : str
        Name of the data set, for messages.

    Returns
    -------
    labels : array of int64, shape (N,)
    classes : int
    names : tuple of str, or None
        None if neither labels nor classes are texts.

    Raises
    ------
    DataError
        If labels have another shape, type, number or range.
    """
    number, names = class_names_of(classes, name)
    array = as_array(labels, f"labels of {name}")
    if array.ndim != 1:
        raise DataError(_other_shape(array, name))
    if len(array) != count:
        raise DataError(
            f"{name} has {count} images but {len(array)} labels: give one for each image"
        )
    if count == 0:
        raise DataError(f"{name} is empty: give at least one image")
    if array.dtype.kind in "USO":
        return _from_texts(array, number, names, name)
    if array.dtype.kind not in "biu":
        whole = array.dtype.kind == "f" and are_whole(array)
        mend = "each is the number of a class, or its name"
        if whole:
            mend = "labels.astype('int64'); or say task='values' if they are real values"
        raise DataError(f"labels of {name} are {array.dtype}, but must be integers: {mend}")
    low, high = int(array.min()), int(array.max())
    if number is None:
        number = high + 1
        if low == 1 and high > 1 and len(array) >= _MANY * high:
            raise DataError(
                f"labels of {name} are from 1 to {high}, but classes are counted from 0: take "
                f"labels - 1, or say classes={high + 1} if the class 0 has no images here"
            )
    if number > MAX_VALUES:
        raise DataError(
            f"labels of {name} are from {low} to {high}, but a network has at most {MAX_VALUES:,} "
            f"classes: count them from 0"
        )
    if low < 0 or high >= number:
        raise DataError(f"labels of {name} must be from 0 to {number - 1}, not {low} to {high}")
    return array.astype(np.int64), number, names


def _other_shape(array: Array, name: str) -> str:
    found = f"labels of {name} have the shape {array.shape}, but must have (N,)"
    if array.ndim == 2 and array.shape[1] == 1:
        return f"{found}: labels.ravel(); or say task='values' if they are real values"
    if array.ndim == 2 and array.dtype.kind in "biuf":
        return (
            f"{found}: if they are one-hot, labels.argmax(1); if an image can have several labels, "
            f"say task='labels', and if they are values, task='values'"
        )
    return found


def class_names_of(
    classes: int | Sequence[str] | None, name: str
) -> tuple[int | None, tuple[str, ...] | None]:
    """Return the number of classes and their names, as far as they are given."""
    if isinstance(classes, int | np.integer):
        return int(classes), None
    if classes is None:
        return None, None
    names = _names(classes, name)
    return len(names), names


def _names(classes: Sequence[str], name: str) -> tuple[str, ...]:
    names = tuple(classes)
    wrong = next((x for x in names if not isinstance(x, str) or not x), None)
    if isinstance(classes, str) or wrong is not None or len(set(names)) < len(names):
        raise DataError(
            f"classes of {name} must be their number, or a list of different names, not {classes!r}"
        )
    return tuple(str(x) for x in names)


def _from_texts(
    array: Array, number: int | None, names: tuple[str, ...] | None, name: str
) -> tuple[IntArray, int, tuple[str, ...]]:
    """Return the number of each name."""
    texts = array.tolist()
    if array.dtype.kind == "S":
        texts = [x.decode(errors="replace") for x in texts]
    for index, text in enumerate(texts):
        if not isinstance(text, str) or not text:
            raise DataError(
                f"label {index} of {name} is {text!r}, but labels must be integers or names"
            )
    if names is None:
        names = tuple(sorted(set(texts)))
        if number is not None and number != len(names):
            raise DataError(
                f"labels of {name} hold {len(names)} different names, but classes={number}: give "
                f"the list of names as classes"
            )
    numbers = {text: index for index, text in enumerate(names)}
    for index, text in enumerate(texts):
        if text not in numbers:
            raise DataError(
                f"label {index} of {name} is {text!r}, which is none of its classes "
                f"{', '.join(names)}"
            )
    return np.array([numbers[text] for text in texts], np.int64), len(names), names
