"""Data of the user's own by their path: arrays, a folder of images, or a function in a file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.sw import numpy_file, python_file
from spikeloom.sw.datasets.arrays import Array, pixels_of
from spikeloom.sw.datasets.binning import Binning
from spikeloom.sw.datasets.coerce import as_dataset
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.folder import image_folder
from spikeloom.sw.datasets.images import read_numpy
from spikeloom.sw.datasets.lazy import LazyImages
from spikeloom.sw.errors import ConfigError, DataError, FileFormatError, UnsupportedError
from spikeloom.sw.files import require_file
from spikeloom.sw.tasks import CLASSES

#: Share of the images that is the test split, of data that come without one.
HELD = 0.2
#: Seed of the choice of these images.
SEED = 0
#: Names of folders and files that hold a split, the first that exists.
_NAMES = {"train": ("train",), "test": ("test", "val", "valid", "validation")}
#: Names of the arrays of images and of labels, without and with the name of a split.
_ARRAYS = (("images", "labels"), ("x", "y"))
_SPLIT_ARRAYS = (("{}_images", "{}_labels"), ("x_{}", "y_{}"))

#: Images and, if there are any, labels.
_Pair = tuple[Any, Any]


def is_own(name: str) -> bool:
    """Return whether a data set's name is a path to data of the user's own."""
    return (
        ".py:" in name
        or Path(name).suffix in (".npz", ".npy")
        or len(Path(name).parts) > 1
        or Path(name).is_dir()
    )


def load_own(
    name: str,
    split: str,
    folders: Sequence[str | Path | None] = (),
    binning: Binning | None = None,
    task: str | None = None,
) -> Dataset:
    """Return one split of data of the user's own.

    Data without a test split are divided: a fifth of each class is the test split, always the same
    images, and the others are the training split.

    Parameters
    ----------
    name : str
        A ``.npz`` file with ``images`` and ``labels`` (or ``x`` and ``y``), and perhaps
        ``classes``, the names of the classes; or with ``train_images``, ``train_labels``,
        ``test_images``, ``test_labels`` (or ``x_train`` and so on). A ``.npy`` file of images, with
        the labels beside it. A folder with ``train.npz`` and ``test.npz``, with
        ``train_images.npy`` and so on, or with images by class, perhaps in ``train`` and ``test``.
        Or ``FILE.py:FUNCTION``, which is called with the name of a split, or without an argument if
        it takes none, and returns data as :func:`~spikeloom.sw.datasets.as_dataset` takes them.
    split : {"train", "test"}
    folders : sequence of path, optional
        More folders to look in.
    binning : Binning, optional
        For recordings of events.
    task : str, optional
        Meaning of the labels, where their type and shape do not show it.

    Raises
    ------
    FileFormatError
        If there are no such data, or a file is damaged.
    DataError
        If images or labels cannot be taken.
    ConfigError, UnsupportedError
        If a Python file has no such function, or its code raises an error.
    """
    if ".py:" in name:
        return _of_function(name, split, folders, binning, task)
    path = _found(name, folders)
    if path.is_dir() and not _arrays_in(path):
        if task not in (None, CLASSES):
            raise ConfigError(f"{name} holds images by class, which have no {task}")
        return _of_folder(path, name, split)
    splits, classes = _arrays(path)
    if "whole" in splits:
        return _part(_data_of(splits["whole"], classes, name, task), split)
    data = _data_of(splits["train"], classes, name, task)
    if split == "train":
        return data
    # Names and number of the classes are the training split's.
    names = data.class_names or data.classes
    return _data_of(splits["test"], names, name, data.task)


def load_own_images(
    name: str,
    folders: Sequence[str | Path | None] = (),
    binning: Binning | None = None,
    task: str | None = None,
) -> Dataset | Array | LazyImages:
    """Return the test split of data of the user's own; of data without labels, all images.

    Parameters and errors are those of :func:`load_own`.

    Returns
    -------
    Dataset, or array of integers of shape (N, channels, height, width)
    """
    path = None if ".py:" in name else _found(name, folders)
    if path is not None and not (path.is_dir() and not _arrays_in(path)):
        splits, _ = _arrays(path)
        images, labels = splits["whole" if "whole" in splits else "test"]
        if labels is None:
            return pixels_of(images, name)[0]
    return load_own(name, "test", folders, binning, task)


def _found(name: str, folders: Sequence[str | Path | None]) -> Path:
    """Return the path of a file or folder, which is relative to the first folder that has it."""
    for path in (Path(name), *(Path(folder) / name for folder in folders if folder)):
        if path.exists():
            return path
    raise FileFormatError(f"the data {name} do not exist: check the path")


def _part(whole: Dataset, split: str) -> Dataset:
    """Return a split of data that come without one."""
    training, test = whole.split(HELD, SEED)
    return training if split == "train" else test


def _data_of(arrays: _Pair, classes: Any, name: str, task: str | None) -> Dataset:
    images, labels = arrays
    if labels is None:
        raise DataError(
            f"{name} has images but no labels: add them, as the array 'labels' of a .npz file, or "
            f"as a file labels.npy beside a .npy file"
        )
    return Dataset.from_arrays(images, labels, classes, name=name, task=task)


def _arrays_in(folder: Path) -> dict[str, Path]:
    """Return the ``.npz`` or ``.npy`` files of images in a folder, by split."""
    for pattern in ("{}.npz", "{}_images.npy"):
        found = {
            split: next((p for n in names if (p := folder / pattern.format(n)).is_file()), None)
            for split, names in _NAMES.items()
        }
        files = {split: path for split, path in found.items() if path is not None}
        if len(files) == len(_NAMES):
            return files
        if files:
            has, lacks = next(iter(files.values())), next(iter(_NAMES.keys() - files.keys()))
            raise FileFormatError(
                f"{folder} holds {has.name}, but not {pattern.format(lacks)}: add it, or name the "
                f"file itself, of which a fifth is then kept for testing"
            )
    whole = folder / "images.npy"
    return {"whole": whole} if whole.is_file() else {}


def _arrays(path: Path) -> tuple[dict[str, _Pair], Any]:
    """Return images and labels by split, or as "whole", and the names of the classes."""
    if path.is_dir():
        files = _arrays_in(path)
        read = {split: _arrays(file) for split, file in files.items()}
        pairs = {split: splits.get("whole") for split, (splits, _) in read.items()}
        for split, pair in pairs.items():
            if pair is None:
                raise FileFormatError(f"{files[split]} holds splits, but is one: save its images")
        classes = next(iter(read.values()))[1]
        return {split: pair for split, pair in pairs.items() if pair is not None}, classes
    if path.suffix == ".npy":
        return {"whole": (_mapped(path), _labels_beside(path))}, None
    arrays = read_numpy(path)
    found = _splits(arrays)
    if not found:
        raise FileFormatError(
            f"{path} holds {', '.join(arrays) or 'nothing'}: call the arrays 'images' and "
            f"'labels', or train_images, train_labels, test_images and test_labels"
        )
    classes = arrays.get("classes")
    return found, None if classes is None else [str(x) for x in np.atleast_1d(classes)]


def _splits(arrays: Mapping[str, Any]) -> dict[str, _Pair]:
    for images, labels in _SPLIT_ARRAYS:
        names = {split: (images.format(split), labels.format(split)) for split in _NAMES}
        if all(pair[0] in arrays for pair in names.values()):
            return {split: (arrays[x], arrays.get(y)) for split, (x, y) in names.items()}
    for images, labels in _ARRAYS:
        if images in arrays:
            return {"whole": (arrays[images], arrays.get(labels))}
    return {}


def _mapped(path: Path) -> Array:
    """Return the array in a ``.npy`` file without reading it."""
    try:
        require_file(path, "array file")
        with open(path, "rb") as file:
            if file.read(2) == b"PK":
                raise FileFormatError(f"{path} holds several arrays: give it the ending .npz")
        return numpy_file.mapped(path)
    except (ValueError, OSError) as error:
        raise FileFormatError(
            f"{path} is damaged or no array file ({error}): write it with numpy.save"
        ) from None


def _labels_beside(path: Path) -> Array | None:
    """Return the labels in the ``.npy`` file that belongs to one of images, if there is one."""
    names = [f"{path.stem}_labels.npy"]
    if "images" in path.name:
        names.insert(0, path.name.replace("images", "labels"))
    else:
        names.append("labels.npy")
    file = next((x for x in map(path.with_name, names) if x.is_file() and x != path), None)
    return None if file is None else np.array(_mapped(file))


def _of_folder(path: Path, name: str, split: str) -> Dataset:
    parts = {
        part: next((p for n in names if (p := path / n).is_dir()), None)
        for part, names in _NAMES.items()
    }
    training, test = parts["train"], parts["test"]
    if training is None:
        return _part(image_folder(path, name), split)
    if test is None:
        raise FileFormatError(
            f"{path} has a folder train, but no folder test: add it, or name {training} itself, of "
            f"which a fifth is then kept for testing"
        )
    if split == "train":
        return image_folder(training, name)
    classes = sorted(x.name for x in training.iterdir() if x.is_dir() and x.name[0] != ".")
    return image_folder(test, name, classes)


def _of_function(
    name: str,
    split: str,
    folders: Sequence[str | Path | None],
    binning: Binning | None,
    task: str | None,
) -> Dataset:
    place, _, called = name.rpartition(":")
    path = _found(place, folders)
    module = python_file.run(path, "spikeloom_data")
    function = getattr(module, called, None)
    if not callable(function):
        theirs = [
            key
            for key, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__ == module.__name__
        ]
        raise ConfigError(
            f"{path} has no function {called!r}; the functions in it: {', '.join(theirs) or 'none'}"
        )
    takes_split = _takes_argument(function)
    try:
        data = function(split) if takes_split else function()
    except Exception as error:
        raise UnsupportedError(f"{name} fails: {type(error).__name__}: {error}") from error
    found = as_dataset(data, name=name, binning=binning, task=task)
    found = replace(found, name=name, layout="NCHW")
    return found if takes_split else _part(found, split)


def _takes_argument(function: Any) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return True
    return any(
        x.kind in (x.POSITIONAL_ONLY, x.POSITIONAL_OR_KEYWORD, x.VAR_POSITIONAL) for x in parameters
    )
