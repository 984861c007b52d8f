"""MNIST's files: found, whole and damaged."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.sw import datasets
from spikeloom.sw.errors import ConfigError, DataError, FileFormatError

Array = np.ndarray[Any, Any]


def idx(array: Array) -> bytes:
    header = bytes((0, 0, 8, array.ndim))
    return header + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def write_mnist(
    folder: Path, images: Array, labels: Array, zipped: bool = True
) -> tuple[Path, Path]:
    paths = []
    for name, array in (("images-idx3", images), ("labels-idx1", labels)):
        content = idx(array)
        path = folder / f"train-{name}-ubyte{'.gz' if zipped else ''}"
        path.write_bytes(gzip.compress(content) if zipped else content)
        paths.append(path)
    return paths[0], paths[1]


IMAGES = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28)
LABELS = np.array([3, 1, 4], np.uint8)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_idx_files(tmp_path: Path, zipped: bool, name: str) -> None:
    write_mnist(tmp_path, IMAGES, LABELS, zipped)
    data = datasets.load(name, "train", tmp_path)
    assert np.array_equal(data.images[:, 0], IMAGES)
    assert data.labels.tolist() == [3, 1, 4]
    assert (data.bits, data.scale, data.shape) == (8, 1 / 255, (1, 28, 28))


def test_unpacked_files_with_a_dot_in_the_name(tmp_path: Path) -> None:
    for path in write_mnist(tmp_path, IMAGES, LABELS, zipped=False):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert len(datasets.load("mnist", "train", tmp_path)) == 3


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"t10k-images-idx3-ubyte\.gz does not exist"):
        datasets.load("mnist", "test", tmp_path)


def test_files_in_a_folder_of_the_data_set(tmp_path: Path) -> None:
    (tmp_path / "fashion-mnist").mkdir()
    write_mnist(tmp_path / "fashion-mnist", IMAGES, LABELS)
    assert len(datasets.load("fashion-mnist", "train", tmp_path)) == 3


def test_a_missing_file_comes_with_advice(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"name the folder .* \(from github\.com/zalando"):
        datasets.load("fashion-mnist", "test", tmp_path)


def test_a_folder_is_needed() -> None:
    with pytest.raises(ConfigError, match="mnist does not come with Spikeloom: name the folder"):
        datasets.load("mnist", "test")


DAMAGE = {
    "a cut gzip": (lambda b: gzip.compress(b)[:-20], "damaged or cut short"),
    "a broken gzip": (lambda b: b"\x1f\x8b" + b"x" * 50, "damaged or cut short"),
    "a wrong magic": (lambda b: b"\x00\x00\x0d\x03" + b[4:], "begins with 00000d03, not 00000803"),
    "an empty file": (lambda b: b"", "begins with nothing"),
    "a cut header": (lambda b: b[:9], "cut short within its header"),
    "a cut body": (lambda b: b[:-1], "has 2367 bytes, but its header .* needs 2368"),
    "no images": (
        lambda b: b[:4] + bytes(4) + b"\xff" * 8,
        r"holds nothing: its header says \(0, 4294967295, 4294967295\)",
    ),
    "a surplus byte": (lambda b: b + b"x", "has 2369 bytes, but its header .* needs 2368"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_idx_files(tmp_path: Path, case: str) -> None:
    damage, message = DAMAGE[case]
    path, _ = write_mnist(tmp_path, IMAGES, LABELS, zipped=False)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FileFormatError, match=message):
        datasets.load("mnist", "train", tmp_path)


def test_labels_of_another_split(tmp_path: Path) -> None:
    write_mnist(tmp_path, IMAGES, LABELS[:2])
    with pytest.raises(DataError, match=r"3 images, but .* has 2 labels"):
        datasets.load("mnist", "train", tmp_path)


def test_labels_out_of_range(tmp_path: Path) -> None:
    write_mnist(tmp_path, IMAGES, np.array([0, 10, 1], np.uint8))
    with pytest.raises(DataError, match="from 0 to 9, not 0 to 10"):
        datasets.load("mnist", "train", tmp_path)


def test_contents_are_decompressed(tmp_path: Path) -> None:
    mnist = datasets.loader("mnist")
    paths = write_mnist(tmp_path, IMAGES, LABELS)
    images, labels = mnist.contents("train", tmp_path)
    assert (images.name, labels.name) == ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    assert (images.path, labels.path) == paths
    assert (images.data, labels.data) == (idx(IMAGES), idx(LABELS))
    assert not mnist.is_published(images)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_checksums_are_there_for_all_files(name: str) -> None:
    published = datasets.loader(name).published
    assert len(published) == 4
    assert len(set(published.values())) == 4
    assert all(len(digest) == 64 and int(digest, 16) for digest in published.values())
