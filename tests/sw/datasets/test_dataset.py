"""Data sets: the embedded one, idx files whole and damaged, recordings of events."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small

from spikeloom.sw import datasets
from spikeloom.sw.datasets import Binning, Dataset
from spikeloom.sw.errors import ConfigError, DataError, FileFormatError
from spikeloom.sw.network import CountInput, SpikeInput

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


def write_nmnist(folder: Path) -> Path:
    """Write three recordings of two events each: pixel (label, label), on and off."""
    for name, label in (("00001", 4), ("00002", 0), ("00003", 9)):
        path = folder / "Test" / str(label) / f"{name}.bin"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes([label, label, 0x80, 0, 0, label, label, 0, 0, 99]))
    return folder


def test_recordings_have_spikes_and_their_sums(tmp_path: Path) -> None:
    data = datasets.load("nmnist", "test", write_nmnist(tmp_path))
    assert data.labels.tolist() == [4, 0, 9]
    assert (data.steps, data.shape, data.timed_shape) == (8, (2, 34, 34), (8, 2, 34, 34))
    assert data.spikes is not None
    assert np.argwhere(data.spikes[0]).tolist() == [[0, 1, 4, 4], [7, 0, 4, 4]]
    assert np.array_equal(data.images, data.spikes.sum(1))
    assert (data.bits, data.scale, data.images.dtype) == (4, 1 / 8, np.uint8)
    assert data.inputs().shape == (3, 2, 34, 34)
    assert data.head(2).spikes is not None
    assert np.array_equal(data.head(2).spikes, data.spikes[:2])


def test_recordings_in_chosen_bins(tmp_path: Path) -> None:
    data = datasets.load("nmnist", "test", write_nmnist(tmp_path), Binning(1, 3))
    assert (data.steps, data.bits, data.scale) == (1, 2, 1 / 3)
    assert data.images.sum() == 6
    with pytest.raises(ConfigError, match="at most 255, not 128 bins of up to 2: take fewer time"):
        Binning(128, 2)


def test_images_for_a_network(tmp_path: Path) -> None:
    timed, still = SpikeInput((2, 34, 34), 5, 3), CountInput((2, 34, 34), 15)
    assert Binning.of(still) is None
    binning = Binning.of(timed)
    assert binning == Binning(5, 3)
    data = datasets.load("nmnist", "test", write_nmnist(tmp_path), binning)
    assert data.images_for(timed) is data.spikes
    assert data.images_for(still) is data.images
    digits = small.digits("test")
    assert (digits.steps, digits.timed_shape) == (None, (1, 8, 8))
    assert digits.images_for(still) is digits.images
    with pytest.raises(DataError, match="time axis of 5 timesteps, but digits has still images"):
        digits.images_for(timed)


def test_recordings_need_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nmnist does not come with Spikeloom: name .* \.npz"):
        datasets.load("nmnist", "test")
    with pytest.raises(FileFormatError, match="Train does not exist"):
        datasets.load("nmnist", "train", write_nmnist(tmp_path))


def test_spikes_must_add_up_to_the_images() -> None:
    images, spikes = np.ones((1, 1, 2, 2), np.uint8), np.ones((1, 3, 1, 2, 2), np.uint8)
    Dataset("d", images * 3, np.array([0]), 4, 10, 1.0, spikes)
    for wrong in (spikes[:, :2], spikes[0]):
        with pytest.raises(DataError, match=r"spikes of d must have shape .* and add up over T"):
            Dataset("d", images * 3, np.array([0]), 4, 10, 1.0, wrong)


@pytest.mark.data
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_original_files(data_root: Path, name: str) -> None:
    train = datasets.load(name, "train", data_root / name)
    test = datasets.load(name, "test", data_root / name)
    assert (len(train), len(test)) == (60000, 10000)
    assert np.bincount(test.labels).sum() == 10000
    assert int(train.images.max()) == 255


@pytest.mark.data
def test_recordings_of_the_event_camera(data_root: Path) -> None:
    train = datasets.load("nmnist", "train", data_root / "nmnist")
    test = datasets.load("nmnist", "test", data_root / "nmnist")
    assert len(train) >= 1000
    assert len(test) >= 100
    for data in (train, test):
        assert data.timed_shape == (8, 2, 34, 34)
        assert set(data.labels) == set(range(10))
        # Some thousand events each, in every bin, of both polarities.
        assert data.spikes is not None
        assert data.spikes.max() == 1
        assert data.spikes.any((3, 4)).mean() > 0.9
        assert 500 < data.images.sum((1, 2, 3)).mean() < 9000
    # The nearest training image mostly shows the same digit: events and labels belong together.
    flat, other = (d.images.reshape(len(d), -1).astype(float) for d in (train, test))
    near = ((flat**2).sum(1) - 2 * other @ flat.T).argmin(1)
    assert (train.labels[near] == test.labels).mean() > 0.7
