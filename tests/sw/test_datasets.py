"""Data sets: the embedded one, idx files whole and damaged, and images of the user's own."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small

from spikeloom.sw import datasets
from spikeloom.sw.datasets import Dataset, load_images
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


def test_digits_are_split_without_overlap() -> None:
    train, test = small.digits("train"), small.digits("test")
    assert (len(train), len(test)) == (1437, 360)
    assert train.shape == (1, 8, 8)
    assert train.images.dtype == np.uint8
    assert (int(train.images.max()), train.bits, train.classes) == (16, 5, 10)
    seen = {image.tobytes() for image in train.images}
    assert not any(image.tobytes() in seen for image in test.images)
    assert set(test.labels) == set(range(10))


def test_digits_follow_the_order_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    original = load_digits()
    assert np.array_equal(small.digits("test").images[:, 0], original.images[::5])
    assert np.array_equal(small.digits("test").labels, original.target[::5])


def test_inputs_are_scaled_to_one() -> None:
    inputs = small.digits("test").inputs()
    assert inputs.shape == (360, 1, 8, 8)
    assert float(inputs.max()) == 1.0
    assert small.digits("test").targets().tolist()[:3] == small.digits("test").labels[:3].tolist()


def test_head() -> None:
    assert len(small.digits("test").head(7)) == 7
    assert len(small.digits("test").head(9999)) == 360
    with pytest.raises(ConfigError, match="at least 1, not 0"):
        small.digits("test").head(0)


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


def test_a_folder_is_needed() -> None:
    with pytest.raises(ConfigError, match="does not come with Spikeloom: name the folder"):
        datasets.load("mnist", "test")


def test_unknown_names() -> None:
    with pytest.raises(ConfigError, match="no data set is called 'cifar'; there are digits"):
        datasets.load("cifar", "test")
    with pytest.raises(ConfigError, match="train or test, not 'val'"):
        datasets.load("digits", "val")


DAMAGE = {
    "a cut gzip": (lambda b: gzip.compress(b)[:-20], "damaged or cut short"),
    "a broken gzip": (lambda b: b"\x1f\x8b" + b"x" * 50, "damaged or cut short"),
    "a wrong magic": (lambda b: b"\x00\x00\x0d\x03" + b[4:], "begins with 00000d03, not 00000803"),
    "an empty file": (lambda b: b"", "begins with nothing"),
    "a cut header": (lambda b: b[:9], "cut short within its header"),
    "a cut body": (lambda b: b[:-1], "has 2367 bytes, but its header .* needs 2368"),
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


@pytest.mark.parametrize(
    ("images", "labels", "bits", "message"),
    [
        (np.zeros((2, 1, 2, 2)), [0], 4, "2 images but 1 labels"),
        (np.zeros((2, 2, 2)), [0, 0], 4, r"not \(2, 2, 2\)"),
        (np.zeros((0, 1, 2, 2)), [], 4, r"none of them 0"),
        (np.full((1, 1, 2, 2), 16), [0], 4, "pixel 16, which does not fit 4 bits"),
    ],
)
def test_data_sets_are_validated(images: Array, labels: list[int], bits: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset("d", images.astype(np.uint8), np.array(labels, np.int64), bits, 10, 1.0)


def test_images_and_labels_of_the_users_own(tmp_path: Path) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array([1, 0]))
    got, labels = load_images(tmp_path / "a.npz", (1, 3, 4), 5)
    assert np.array_equal(got, images)
    assert got.dtype == np.int64
    assert labels is not None
    assert labels.tolist() == [1, 0]


@pytest.mark.parametrize("shape", [(2, 1, 3, 4), (2, 3, 4), (1, 3, 4), (3, 4)])
def test_axes_that_may_be_left_out(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = np.arange(np.prod(shape)).reshape(shape)
    np.save(tmp_path / "a.npy", images)
    got, labels = load_images(tmp_path / "a.npy", (1, 3, 4), 5)
    assert got.shape[1:] == (1, 3, 4)
    assert got.ravel().tolist() == images.ravel().tolist()
    assert labels is None


def test_the_only_array_need_not_be_called_images(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", np.ones((2, 6), np.int32))
    assert load_images(tmp_path / "a.npz", (6,), 1)[0].shape == (2, 6)


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({"images": np.zeros((2, 7), int)}, DataError, r"\(2, 7\), but the network takes \(N, 6\)"),
        ({"images": np.zeros((2, 6))}, DataError, "must be integers, not float64"),
        ({"images": np.zeros((0, 6), int)}, DataError, "are empty"),
        ({"images": np.full((2, 6), 16)}, DataError, "pixels from 16 to 16, .* 4 bits, 0 to 15"),
        ({"images": np.full((2, 6), -1)}, DataError, "pixels from -1 to -1"),
        ({"x": np.zeros(1), "y": np.zeros(1)}, FileFormatError, "holds x, y: call the array"),
        (
            {"images": np.zeros((2, 6), int), "labels": np.zeros(3, int)},
            DataError,
            r"shape \(2,\), one per image, not \(3,\)",
        ),
        (
            {"images": np.zeros((2, 6), int), "labels": np.zeros(2)},
            DataError,
            "labels in .* must be integers",
        ),
    ],
)
def test_images_that_do_not_fit(
    tmp_path: Path, arrays: dict[str, Array], error: type[Exception], message: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(error, match=message):
        load_images(tmp_path / "a.npz", (6,), 4)


def test_files_that_hold_no_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with pytest.raises(FileFormatError, match="does not exist"):
        load_images(path, (6,), 4)
    path.write_bytes(b"nonsense")
    with pytest.raises(FileFormatError, match="damaged or no array file"):
        load_images(path, (6,), 4)
    np.save(path, np.array([object()], object), allow_pickle=True)
    with pytest.raises(FileFormatError, match="damaged or no array file"):
        load_images(path, (6,), 4)
    whole = tmp_path / "b.npz"
    np.savez(whole, images=np.zeros((2, 6), int))
    whole.write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(FileFormatError, match="damaged or no array file"):
        load_images(whole, (6,), 4)
    with pytest.raises(FileFormatError, match=r"must be a \.npy or \.npz"):
        load_images(tmp_path / "a.png", (6,), 4)


@pytest.mark.data
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_original_files(data_root: Path, name: str) -> None:
    train = datasets.load(name, "train", data_root / name)
    test = datasets.load(name, "test", data_root / name)
    assert (len(train), len(test)) == (60000, 10000)
    assert np.bincount(test.labels).sum() == 10000
    assert int(train.images.max()) == 255
