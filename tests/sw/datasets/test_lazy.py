"""Images that are read when asked for: from a file that is mapped into memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spikeloom.sw.datasets import Dataset, lazy
from spikeloom.sw.datasets.lazy import LazyImages, Mapped

PIXELS = np.arange(20 * 2 * 3 * 3).reshape(20, 2, 3, 3) % 251
LABELS = np.arange(20) % 5


@pytest.fixture
def mapped(tmp_path: Path) -> Dataset:
    np.save(tmp_path / "images.npy", PIXELS.astype(np.uint8))
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    return Dataset.from_arrays(images, LABELS)


def test_a_memory_map_stays_one(mapped: Dataset) -> None:
    assert isinstance(mapped.images, Mapped)
    assert isinstance(mapped.images.array, np.memmap)
    assert mapped.streams
    assert (len(mapped), mapped.shape, mapped.images.size) == (20, (2, 3, 3), PIXELS.size)


def test_images_are_those_of_the_file(mapped: Dataset) -> None:
    assert isinstance(mapped.images, LazyImages)
    assert np.array_equal(mapped.images[3], PIXELS[3])
    assert np.array_equal(mapped.images[[5, 2]], PIXELS[[5, 2]])
    assert np.array_equal(mapped.images[-3:], PIXELS[-3:])
    assert np.array_equal(np.asarray(mapped.images), PIXELS)
    assert np.asarray(mapped.images, np.int64).dtype == np.int64
    assert torch.equal(mapped.pixels(torch.tensor([4, 4])), torch.from_numpy(PIXELS[[4, 4]]).byte())
    images, targets = mapped.batch([7, 1])
    assert torch.equal((images * 255).round().long(), torch.from_numpy(PIXELS[[7, 1]]))
    assert targets.tolist() == [2, 1]
    with pytest.raises(IndexError):
        mapped.images[20]


def test_parts_are_read_when_asked_for_too(mapped: Dataset) -> None:
    training, validation = mapped.split(0.25, 0)
    assert training.streams
    assert validation.take([1, 0]).streams
    whole = Dataset.from_arrays(PIXELS, LABELS).split(0.25, 0)
    for part, same in zip((training, validation), whole, strict=True):
        assert torch.equal(part.inputs(), same.inputs())
        assert part.labels.tolist() == same.labels.tolist()
    assert torch.equal(validation.take([1, 0]).inputs(), whole[1].inputs()[[1, 0]])


def test_other_types_and_layouts_are_converted_as_they_are_read(tmp_path: Path) -> None:
    last = PIXELS.transpose(0, 2, 3, 1).astype(np.uint16) * 200
    np.save(tmp_path / "images.npy", last)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    data = Dataset.from_arrays(images, LABELS, layout="NHWC")
    assert data.streams
    assert (data.bits, data.shape, data.pixels([0]).dtype) == (16, (2, 3, 3), torch.int32)
    assert np.array_equal(data.images[2:4], PIXELS[2:4] * 200)


def test_few_bytes_are_held_in_memory(mapped: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(mapped.images, LazyImages)
    assert np.array_equal(lazy.in_memory(mapped.images), PIXELS)
    monkeypatch.setattr(lazy, "MEMORY", 100)
    assert lazy.in_memory(mapped.images) is mapped.images
