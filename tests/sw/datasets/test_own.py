"""Data of the user's own by their path: splits, classes, and files that are refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spikeloom.sw.datasets import first_images, images_to_run, lazy, load
from spikeloom.sw.errors import ConfigError, DataError, FileFormatError, UnsupportedError
from spikeloom.sw.network import DirectInput

COUNT = 30
#: Every image has a value of its own.
PIXELS = np.arange(COUNT, dtype=np.uint8)[:, None, None, None] + np.zeros((1, 1, 4, 5), np.uint8)
LABELS = np.arange(COUNT) % 3
SOURCE = DirectInput((1, 4, 5), 8)


def values(data: Any) -> list[int]:
    return [int(image.max()) for image in np.asarray(data.images)]


def both(path: Path | str, **options: Any) -> tuple[Any, Any]:
    return load(str(path), "train", **options), load(str(path), "test", **options)


def require_divided(training: Any, test: Any) -> None:
    """Require that a fifth of each class is the test split, and no image is in both."""
    assert (len(training), len(test)) == (24, 6)
    assert sorted(values(training) + values(test)) == list(range(COUNT))
    for part in (training, test):
        assert part.labels.tolist() == [value % 3 for value in values(part)]
    assert np.bincount(test.labels).tolist() == [2, 2, 2]


# --- arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y")])
def test_one_npz_file_is_divided(tmp_path: Path, names: tuple[str, str]) -> None:
    path = tmp_path / "own.npz"
    arrays: Any = dict(zip(names, (PIXELS, LABELS), strict=True))
    np.savez(path, **arrays)
    training, test = both(path)
    require_divided(training, test)
    assert values(load(str(path), "test")) == values(test)
    assert training.name == str(path)


@pytest.mark.parametrize("names", ["{}_images {}_labels", "x_{} y_{}"])
def test_a_npz_file_of_both_splits(tmp_path: Path, names: str) -> None:
    arrays: dict[str, Any] = {}
    for split, part in (("train", slice(20)), ("test", slice(20, None))):
        images, labels = names.format(split, split).split()
        arrays |= {images: PIXELS[part], labels: np.array(["a", "b", "c"])[LABELS[part]]}
    arrays[labels][:] = "c"
    np.savez(tmp_path / "own.npz", **arrays)
    training, test = both(tmp_path / "own.npz")
    assert values(training) == list(range(20))
    assert values(test) == list(range(20, 30))
    assert training.class_names == test.class_names == ("a", "b", "c")
    assert set(test.labels) == {2}


def test_names_of_classes_in_a_npz_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=PIXELS, labels=LABELS, classes=["no", "yes", "x", "y"])
    training, test = both(tmp_path / "own.npz")
    assert training.class_names == test.class_names == ("no", "yes", "x", "y")


@pytest.mark.parametrize(
    ("images", "labels"),
    [("mine.npy", "mine_labels.npy"), ("mine.npy", "labels.npy"), ("images.npy", "labels.npy")],
)
def test_a_npy_file_is_mapped_and_its_labels_lie_beside(
    tmp_path: Path, images: str, labels: str
) -> None:
    np.save(tmp_path / images, PIXELS)
    np.save(tmp_path / labels, LABELS)
    training, test = both(tmp_path / images)
    require_divided(training, test)
    assert training.streams
    assert test.streams
    if images == "images.npy":
        require_divided(*both(tmp_path))


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_a_folder_of_arrays(tmp_path: Path, kind: str) -> None:
    for split, part in (("train", slice(20)), ("val", slice(20, None))):
        if kind == "npz":
            np.savez(tmp_path / f"{split}.npz", images=PIXELS[part], labels=LABELS[part])
        else:
            np.save(tmp_path / f"{split}_images.npy", PIXELS[part])
            np.save(tmp_path / f"{split}_labels.npy", LABELS[part])
    training, test = both(tmp_path)
    assert values(training) == list(range(20))
    assert values(test) == list(range(20, 30))
    assert training.streams == (kind == "npy")


def test_images_without_labels_are_all_run(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", PIXELS)
    images, labels = images_to_run(str(tmp_path / "mine.npy"), SOURCE)
    assert labels is None
    assert np.array_equal(np.asarray(images), PIXELS)
    assert np.array_equal(first_images(str(tmp_path / "mine.npy"), SOURCE, 3), PIXELS[:3])
    with pytest.raises(DataError, match="images but no labels: add them, as the array 'labels'"):
        load(str(tmp_path / "mine.npy"), "train")
    np.save(tmp_path / "labels.npy", LABELS)
    images, labels = images_to_run(str(tmp_path / "mine.npy"), SOURCE)
    assert (len(images), labels is None) == (6, False)


def test_paths_are_found_in_other_folders(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=PIXELS, labels=LABELS)
    require_divided(*both("own.npz", root=tmp_path))
    require_divided(*both("own.npz", beside=tmp_path))


def test_arrays_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    for arrays, message in (
        ({"pictures": PIXELS, "labels": LABELS}, "holds pictures, labels: call the arrays"),
        ({"images": PIXELS[:3], "labels": LABELS}, "3 images but 30 labels"),
        ({"images": PIXELS / 255, "labels": LABELS}, r"\(images \* 255\)"),
        ({"images": np.array([None]), "labels": LABELS}, "damaged or no array file"),
    ):
        np.savez(path, **arrays)
        with pytest.raises((DataError, FileFormatError), match=message):
            load(str(path), "train")
    (tmp_path / "own.npy").write_bytes(path.read_bytes())
    with pytest.raises(FileFormatError, match=r"holds several arrays: give it the ending \.npz"):
        load(str(tmp_path / "own.npy"), "train")
    np.save(tmp_path / "objects.npy", np.array([None]))
    for name in ("objects.npy", "text.npy"):
        (tmp_path / "text.npy").write_text("text")
        with pytest.raises(FileFormatError, match=f"{name} is damaged or no array file"):
            load(str(tmp_path / name), "train")
    with pytest.raises(FileFormatError, match=r"none\.npz do not exist: check the path"):
        load("none.npz", "train")
    with pytest.raises(ConfigError, match=r"called 'none'; there are .* and your own: a \.npz"):
        load("none", "train")
    np.savez(tmp_path / "train.npz", images=PIXELS, labels=LABELS)
    with pytest.raises(FileFormatError, match=r"holds train\.npz, but not test\.npz: add it, or"):
        load(str(tmp_path), "train")


# --- images by class ------------------------------------------------------------------------------


def save_images(folder: Path, names: str = "abc", mode: str = "L", kind: str = "png") -> None:
    for value, image in enumerate(PIXELS):
        path = folder / names[value % 3] / f"{value:02}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).convert(mode).save(path)


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_folder_by_class_is_divided(
    tmp_path: Path, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_memory:
        monkeypatch.setattr(lazy, "MEMORY", 10)
    save_images(tmp_path)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    training, test = both(tmp_path)
    require_divided(training, test)
    assert training.streams == (not in_memory)
    assert training.class_names == ("a", "b", "c")
    assert training.shape == (1, 4, 5)
    # In turn, so that the first images are not all of one class.
    assert values(test.head(3)) == sorted(values(test.head(3)))
    assert set(training.labels[:6]) == {0, 1, 2}


def test_a_folder_of_both_splits(tmp_path: Path) -> None:
    save_images(tmp_path / "train")
    save_images(tmp_path / "val")
    for path in (tmp_path / "val" / "a").iterdir():
        path.unlink()
    (tmp_path / "val" / "a").rmdir()
    training, test = both(tmp_path)
    assert values(training) == list(range(COUNT))
    assert (len(test), test.classes, set(test.labels)) == (20, 3, {1, 2})
    (tmp_path / "val" / "b").rename(tmp_path / "val" / "d")
    with pytest.raises(DataError, match="d is no class of the training split, which has a, b, c"):
        load(str(tmp_path), "test")


def test_images_in_colour_make_all_of_them_so(tmp_path: Path) -> None:
    save_images(tmp_path)
    Image.new("RGB", (5, 4), (10, 20, 30)).save(tmp_path / "a" / "colour.png")
    data = load(str(tmp_path), "train")
    assert data.shape == (3, 4, 5)
    pixels = np.concatenate(
        [np.asarray(data.images), np.asarray(load(str(tmp_path), "test").images)]
    )
    assert [10, 20, 30] in pixels[:, :, 0, 0].tolist()
    assert [7, 7, 7] in pixels[:, :, 0, 0].tolist()


def test_folders_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="holds no images by class: put them into one folder"):
        load(str(tmp_path), "train")
    save_images(tmp_path / "data")
    whole = str(tmp_path / "data")
    bad = tmp_path / "data" / "b" / "zz.png"
    for content, message in (
        (Image.new("L", (5, 5)), r"zz\.png has 5x5 pixels, but .*00\.png has 5x4: bring all"),
        (Image.new("I;16", (5, 4)), r"zz\.png has pixels of mode I;16: save it with 8 bits"),
    ):
        content.save(bad)
        with pytest.raises((DataError, FileFormatError), match=message):
            load(whole, "train")
    good = (tmp_path / "data" / "b" / "01.png").read_bytes()
    for damaged in (b"no image", good[: len(good) // 2]):
        bad.write_bytes(damaged)
        with pytest.raises(FileFormatError, match=r"zz\.png is (no image that|damaged or cut)"):
            load(whole, "train")
    bad.unlink()
    (tmp_path / "data" / "d").mkdir()
    with pytest.raises(FileFormatError, match="d holds no images: remove it"):
        load(whole, "train")
    (tmp_path / "data").rename(tmp_path / "train")
    with pytest.raises(FileFormatError, match="has a folder train, but no folder test"):
        load(str(tmp_path), "train")


# --- functions ------------------------------------------------------------------------------------

CODE = """
import numpy as np
PIXELS = np.arange(30, dtype=np.uint8)[:, None, None, None] + np.zeros((1, 1, 4, 5), np.uint8)
LABELS = np.arange(30) % 3
def split(split):
    part = slice(20) if split == "train" else slice(20, None)
    return PIXELS[part], LABELS[part]
def whole():
    return PIXELS, LABELS
def fails(split):
    raise KeyError(split)
def number(split):
    return 7
"""


def test_functions(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    training, test = both(f"{path}:split")
    assert values(training) == list(range(20))
    assert values(test) == list(range(20, 30))
    assert training.name == f"{path}:split"
    require_divided(*both(f"{path}:whole"))
    assert len(images_to_run(f"{path}:split", SOURCE)[0]) == 10
    for name, error, message in (
        ("fails", UnsupportedError, "mine.py:fails fails: KeyError: 'train'"),
        ("number", DataError, "or a DataLoader, not int"),
        ("none", ConfigError, "has no function 'none'; the functions in it: split, whole, fails"),
        ("LABELS", ConfigError, "has no function 'LABELS'"),
    ):
        with pytest.raises(error, match=message):
            load(f"{path}:{name}", "train")
    with pytest.raises(FileFormatError, match=r"none\.py do not exist"):
        load("none.py:split", "train")


def test_a_pipe_is_no_array(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "images.npy")
    with pytest.raises(FileFormatError, match=r"array file .*images\.npy is a pipe, not a file"):
        load(str(tmp_path / "images.npy"), "test")
