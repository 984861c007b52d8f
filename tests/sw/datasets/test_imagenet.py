"""ImageNet and Tiny ImageNet, from photographs that are written here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spikeloom.sw import datasets
from spikeloom.sw.errors import DataError, FileFormatError

CLASSES = ("n01443537", "n01629819", "n02094433")
Colour = tuple[int, int, int]


def write_picture(
    path: Path, colour: Any, size: tuple[int, int] = (64, 64), kind: str = "JPEG"
) -> None:
    """Write a picture of one colour, or one number of grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = {int: "L", tuple: "RGB"}[type(colour)]
    Image.new(mode, size, colour).save(path, kind, quality=100)


def write_tiny(folder: Path) -> Path:
    """Write two training images of each class, and three of validation, all of them different."""
    for label, name in enumerate(reversed(CLASSES)):
        for number in range(2):
            write_picture(
                folder / "train" / name / "images" / f"{name}_{number}.JPEG",
                100 * number + 10 * label,
            )
        (folder / "train" / name / f"{name}_boxes.txt").write_text("x")
    lines = []
    for number, name in enumerate((CLASSES[1], CLASSES[0], CLASSES[1])):
        write_picture(folder / "val" / "images" / f"val_{number}.JPEG", (50 * number, 0, 0))
        lines.append(f"val_{number}.JPEG\t{name}\t0\t32\t44\t62\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))
    return folder


@pytest.mark.parametrize("inner", ["", "tiny-imagenet-200"])
def test_tiny_images_as_the_archive_has_them(tmp_path: Path, inner: str) -> None:
    write_tiny(tmp_path / inner)
    train = datasets.load("tiny-imagenet", "train", tmp_path)
    assert (train.shape, train.bits, train.classes) == ((3, 64, 64), 8, 3)
    assert train.class_names == CLASSES
    assert train.labels.tolist() == [0, 1, 2] * 2
    # Grey pictures become colour.
    middle = train.images[:, :, 32, 32].tolist()
    assert middle == [[grey] * 3 for grey in (20, 10, 0, 120, 110, 100)]
    test = datasets.load("tiny-imagenet", "test", tmp_path)
    assert (test.labels.tolist(), test.classes) == ([1, 0, 1], 3)
    assert np.abs(test.images[:, 0, 5, 5] - np.array([0, 50, 100])).max() <= 1
    assert test.class_names == CLASSES


def test_tiny_images_that_were_sorted(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    (tmp_path / "val" / "val_annotations.txt").unlink()
    (tmp_path / "val" / CLASSES[2]).mkdir()
    os.replace(tmp_path / "val" / "images" / "val_1.JPEG", tmp_path / "val" / CLASSES[2] / "a.jpg")
    with pytest.raises(DataError, match="images is no class of the training split"):
        datasets.load("tiny-imagenet", "test", tmp_path)
    (tmp_path / "val" / "images").rename(tmp_path / "val" / ".images")
    assert datasets.load("tiny-imagenet", "test", tmp_path).labels.tolist() == [2]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("val_0.JPEG\tn09999999\t0", "line 1 of .* names no image and class .*n09999999"),
        ("val_0.JPEG", "names no image and class"),
        ("\tn01443537", "names no image and class"),
        ("../../x\tn01443537", "names no image and class"),
        ("a\0b\tn01443537", "names no image and class"),
    ],
)
def test_lists_of_images_that_are_damaged(tmp_path: Path, line: str, message: str) -> None:
    write_tiny(tmp_path)
    (tmp_path / "val" / "val_annotations.txt").write_text(line)
    with pytest.raises(DataError, match=message):
        datasets.load("tiny-imagenet", "test", tmp_path)


def test_tiny_images_that_are_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"train does not exist: .* \(from cs231n"):
        datasets.load("tiny-imagenet", "train", tmp_path)
    write_tiny(tmp_path)
    path = tmp_path / "val" / "images" / "val_1.JPEG"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(FileFormatError, match=r"val_1\.JPEG is damaged or cut short"):
        datasets.load("tiny-imagenet", "test", tmp_path)
    path.write_bytes(b"nonsense")
    with pytest.raises(FileFormatError, match=r"val_1\.JPEG is no image that can be read"):
        datasets.load("tiny-imagenet", "test", tmp_path)
    write_picture(path, 3, (64, 63))
    with pytest.raises(DataError, match=r"val_1\.JPEG has 64x63 pixels, not 64x64: get it again"):
        datasets.load("tiny-imagenet", "test", tmp_path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(FileFormatError, match=r"val_1\.JPEG is a pipe, not a file"):
        datasets.load("tiny-imagenet", "test", tmp_path)
    (tmp_path / "val" / "val_annotations.txt").write_text("")
    with pytest.raises(FileFormatError, match="lists no images"):
        datasets.load("tiny-imagenet", "test", tmp_path)


def striped(width: int, height: int, square: int) -> Image.Image:
    """Return a picture that is red but for its central square, which is blue."""
    picture = Image.new("RGB", (width, height), (255, 0, 0))
    left, top = (width - square) // 2, (height - square) // 2
    picture.paste((0, 0, 255), (left, top, left + square, top + square))
    return picture


def test_photographs_of_any_size_become_the_central_square(tmp_path: Path) -> None:
    folder = tmp_path / "imagenet"
    for name in ("train", "val"):
        (folder / name / CLASSES[0]).mkdir(parents=True)
    # 7/8 of the shorter side of 512 and 256 are the blue square.
    striped(600, 512, 448).save(folder / "train" / CLASSES[0] / "a.JPEG", "PNG")
    striped(256, 999, 224).save(folder / "train" / CLASSES[0] / "b.JPEG", "PNG")
    striped(128, 128, 112).convert("CMYK").save(folder / "val" / CLASSES[0] / "a.JPEG")
    train = datasets.load("imagenet", "train", tmp_path)
    assert (train.shape, train.labels.tolist(), train.classes) == ((3, 224, 224), [0, 0], 1)
    inside = train.images[:, :, 2:-2, 2:-2]
    assert (inside == np.array([0, 0, 255])[:, None, None]).all()
    # Pixels of the edge are the mean of two, one on each side.
    assert np.array_equal(train.images[1, :, 0, 0], [0, 0, 255])
    test = datasets.load("imagenet", "test", tmp_path)
    assert test.images[0, 2, 112, 112] > 200


def test_validation_images_that_are_not_sorted(tmp_path: Path) -> None:
    write_picture(tmp_path / "train" / CLASSES[0] / "a.JPEG", 1)
    with pytest.raises(FileFormatError, match="val does not exist"):
        datasets.load("imagenet", "test", tmp_path)
    write_picture(tmp_path / "val" / "ILSVRC2012_val_00000001.JPEG", 1)
    with pytest.raises(FileFormatError, match="without classes: sort them into a folder for each"):
        datasets.load("imagenet", "test", tmp_path)


def test_folders_without_images(tmp_path: Path) -> None:
    (tmp_path / "train" / ".hidden").mkdir(parents=True)
    with pytest.raises(FileFormatError, match="holds no folders, one for each class"):
        datasets.load("imagenet", "train", tmp_path)
    (tmp_path / "train" / CLASSES[0]).mkdir()
    with pytest.raises(FileFormatError, match="train holds no images"):
        datasets.load("imagenet", "train", tmp_path)


def test_many_images_are_read_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikeloom.sw.datasets.lazy.MEMORY", 0)
    write_tiny(tmp_path)
    train = datasets.load("tiny-imagenet", "train", tmp_path)
    assert train.streams
    # Those that are not asked for may be missing.
    (tmp_path / "train" / CLASSES[1] / "images" / f"{CLASSES[1]}_0.JPEG").unlink()
    pixels = train.images[np.array([5, 0])]
    assert pixels[:, 0, 9, 9].tolist() == [100, 20]
    with pytest.raises(FileFormatError, match="no image that can be read"):
        train.images[1]


def test_a_picture_that_unpacks_without_end(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    path = tmp_path / "val" / "images" / "val_0.JPEG"
    Image.new("1", (1 << 14, (1 << 12) + 1)).save(path, "PNG")
    with pytest.raises(FileFormatError, match="has 16384x4097 pixels, more than 67,108,864"):
        datasets.load("tiny-imagenet", "test", tmp_path)
