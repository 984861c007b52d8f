"""Images of the user's own: which files, shapes and values are taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.sw.datasets.images import load_images
from spikeloom.sw.errors import DataError, FileFormatError
from spikeloom.sw.network import Range

Array = np.ndarray[Any, Any]


def test_images_and_labels_of_the_users_own(tmp_path: Path) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array([1, 0]))
    got, labels = load_images(tmp_path / "a.npz", (1, 3, 4), Range(0, 31))
    assert np.array_equal(got, images)
    assert got.dtype == np.int64
    assert labels is not None
    assert labels.tolist() == [1, 0]


@pytest.mark.parametrize("shape", [(2, 1, 3, 4), (2, 3, 4), (1, 3, 4), (3, 4)])
def test_axes_that_may_be_left_out(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = np.arange(np.prod(shape)).reshape(shape)
    np.save(tmp_path / "a.npy", images)
    got, labels = load_images(tmp_path / "a.npy", (1, 3, 4), Range(0, 31))
    assert got.shape[1:] == (1, 3, 4)
    assert got.ravel().tolist() == images.ravel().tolist()
    assert labels is None


def test_the_only_array_need_not_be_called_images(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", np.ones((2, 6), np.int32))
    assert load_images(tmp_path / "a.npz", (6,), Range(0, 1))[0].shape == (2, 6)


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({"images": np.zeros((2, 7), int)}, DataError, r"\(2, 7\), but the network takes \(N, 6\)"),
        ({"images": np.zeros((2, 6))}, DataError, "must be integers, not float64"),
        ({"images": np.zeros((0, 6), int)}, DataError, "are empty"),
        (
            {"images": np.full((2, 6), 16)},
            DataError,
            "pixels from 16 to 16, but the network takes 0 to 15",
        ),
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
    tmp_path: Path, arrays: dict[str, Any], error: type[Exception], message: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(error, match=message):
        load_images(tmp_path / "a.npz", (6,), Range(0, 15))


def test_files_that_hold_no_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with pytest.raises(FileFormatError, match="does not exist"):
        load_images(path, (6,), Range(0, 15))
    path.write_bytes(b"nonsense")
    with pytest.raises(FileFormatError, match="damaged or no array file"):
        load_images(path, (6,), Range(0, 15))
    np.save(path, np.array([object()], object), allow_pickle=True)
    with pytest.raises(FileFormatError, match="damaged or no array file"):
        load_images(path, (6,), Range(0, 15))
    whole = tmp_path / "b.npz"
    np.savez(whole, images=np.zeros((2, 6), int))
    whole.write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(FileFormatError, match="damaged or no array file"):
        load_images(whole, (6,), Range(0, 15))
    with pytest.raises(FileFormatError, match=r"must be a \.npy or \.npz"):
        load_images(tmp_path / "a.png", (6,), Range(0, 15))


@pytest.mark.parametrize("shape", [(2, 5, 1, 3, 4), (5, 1, 3, 4), (2, 5, 3, 4), (5, 3, 4)])
def test_images_with_a_time_axis(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = np.arange(np.prod(shape)).reshape(shape)
    np.save(tmp_path / "a.npy", images)
    got, _ = load_images(tmp_path / "a.npy", (5, 1, 3, 4), Range(0, 200))
    assert got.shape[1:] == (5, 1, 3, 4)
    assert got.ravel().tolist() == images.ravel().tolist()
    with pytest.raises(DataError, match=r"but the network takes \(N, 4, 1, 3, 4\)"):
        load_images(tmp_path / "a.npy", (4, 1, 3, 4), Range(0, 200))


def test_signed_pixels(tmp_path: Path) -> None:
    images = np.array([[-128, 127], [0, -1]], np.int8)
    np.save(tmp_path / "a.npy", images)
    assert load_images(tmp_path / "a.npy", (2,), Range(-128, 127))[0].tolist() == images.tolist()
    with pytest.raises(DataError, match="pixels from -128 to 127, but the network takes -64 to 63"):
        load_images(tmp_path / "a.npy", (2,), Range(-64, 63))
