"""Data of every form become the same data set; what cannot be taken is named with its remedy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils import data as torch_data
from torch.utils.data import DataLoader, Subset, TensorDataset

from spikeloom.sw.datasets import Dataset, as_dataset, coerce, inputs_of, sample
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import DataError

PIXELS = (np.arange(24 * 1 * 4 * 4) * 7 % 256).astype(np.uint8).reshape(24, 1, 4, 4)
LABELS = np.arange(24) % 3
TENSORS = (torch.from_numpy(PIXELS), torch.from_numpy(LABELS))
FRACTIONS = TENSORS[0].float() / 255


class Own(torch_data.Dataset[Any]):
    """Images and labels, one by one, as people write it."""

    def __init__(self, images: Any = FRACTIONS, labels: Any = LABELS) -> None:
        self.images, self.answers, self.asked = images, labels, 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        self.asked += 1
        return self.images[index], self.answers[index]


class WithTargets(Own):
    """A data set such as torchvision's, which knows its labels and the names of its classes."""

    def __init__(self, images: Any = FRACTIONS, labels: Any = LABELS) -> None:
        super().__init__(images, labels)
        self.targets = list(labels)
        self.classes = ["no", "yes", "maybe", "never seen"]


class Stream(torch_data.IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield from zip(FRACTIONS, LABELS.tolist(), strict=True)


def grey() -> list[Any]:
    return [(Image.fromarray(image[0]), int(y)) for image, y in zip(PIXELS, LABELS, strict=True)]


@pytest.mark.parametrize(
    "data",
    [
        (PIXELS, LABELS),
        [PIXELS, LABELS],
        TENSORS,
        TensorDataset(*TENSORS),
        TensorDataset(FRACTIONS, TENSORS[1]),
        Own(),
        Own(PIXELS, LABELS),
        WithTargets(),
        Stream(),
        grey(),
        Subset(Own(), range(24)),
        DataLoader(TensorDataset(*TENSORS), 5),
        DataLoader(TensorDataset(FRACTIONS, TENSORS[1]), 5, shuffle=True, drop_last=True),
        DataLoader(Own(), 7),
        DataLoader(Stream(), 7),
        DataLoader(Own(), 7, sampler=torch_data.SubsetRandomSampler(range(24))),
        DataLoader(Own(), 7, collate_fn=torch_data.default_collate),
        DataLoader(Own(), batch_size=None),
        DataLoader(Stream(), batch_size=None),
    ],
    ids=lambda data: type(data).__name__,
)
def test_all_forms_are_the_same_data(data: Any) -> None:
    found = as_dataset(data)
    assert (found.shape, found.bits, found.scale, len(found)) == ((1, 4, 4), 8, 1 / 255, 24)
    assert np.array_equal(np.asarray(found.images), PIXELS)
    assert found.labels.tolist() == LABELS.tolist()
    assert torch.allclose(found.inputs(), FRACTIONS)


def test_a_data_set_stays_as_it_is() -> None:
    data = Dataset.from_arrays(PIXELS, LABELS)
    assert as_dataset(data) is data


def test_images_of_a_torch_data_set_are_read_when_asked_for() -> None:
    own = WithTargets()
    data = as_dataset(own)
    assert data.streams
    assert data.name == "WithTargets"
    assert (data.classes, data.class_names) == (4, ("no", "yes", "maybe", "never seen"))
    before = own.asked
    assert before < 3 * 10
    part = data.take([3, 4])
    assert own.asked == before
    assert torch.allclose(part.inputs(), FRACTIONS[3:5])
    assert own.asked == before + 2


def test_labels_that_the_items_contradict_are_read_item_by_item() -> None:
    own = WithTargets()
    own.targets = [0] * 24
    assert as_dataset(own).labels.tolist() == LABELS.tolist()
    changed = WithTargets()
    changed.target_transform = lambda label: label  # type: ignore[attr-defined]
    changed.targets = [0] * 24
    assert as_dataset(changed).labels.tolist() == LABELS.tolist()


def test_random_changes_of_a_transform_stay_random() -> None:
    class Random(Own):
        def __getitem__(self, index: int) -> Any:
            return torch.randint(0, 256, (1, 4, 4), dtype=torch.uint8), index % 3

    data = as_dataset(Random())
    assert not torch.equal(data.pixels([0]), data.pixels([0]))


def test_only_a_sampler_s_images_are_seen() -> None:
    sampler = torch_data.SubsetRandomSampler([9, 4, 7])
    data = as_dataset(DataLoader(Own(), 2, sampler=sampler))
    assert np.array_equal(np.asarray(data.images), PIXELS[[4, 7, 9]])
    weighted = torch_data.WeightedRandomSampler([0.0] * 23 + [1.0], 5)
    data = as_dataset(DataLoader(Own(), 2, sampler=weighted))
    assert np.array_equal(data.images, PIXELS[[23] * 5])
    batches = torch_data.BatchSampler([3, 4, 5], 2, False)
    data = as_dataset(DataLoader(Own(), batch_sampler=batches))
    assert np.array_equal(data.images, PIXELS[3:6])


def test_a_collate_function_s_images_are_those_that_are_seen() -> None:
    def darker(items: list[Any]) -> Any:
        images, labels = torch_data.default_collate(items)
        return torch.div(images * 255, 2).floor() / 255, labels

    data = as_dataset(DataLoader(Own(), 5, collate_fn=darker))
    assert np.array_equal(data.images, PIXELS // 2)


@pytest.mark.parametrize("behind", [WithTargets(), TensorDataset(*TENSORS), Own()])
def test_parts_of_data(behind: Any) -> None:
    data = as_dataset(Subset(behind, [5, 1, 20]))
    assert np.array_equal(np.asarray(data.images), PIXELS[[5, 1, 20]])
    assert data.labels.tolist() == [2, 1, 2]


def test_names_as_labels_of_items() -> None:
    data = as_dataset(Own(PIXELS, ["b", "a", "c"] * 8))
    assert data.class_names == ("a", "b", "c")
    assert data.labels[:3].tolist() == [1, 0, 2]


def test_pil_images_in_colour() -> None:
    pixels = np.arange(4 * 5 * 6 * 3, dtype=np.uint16).astype(np.uint8).reshape(4, 5, 6, 3)
    data = as_dataset([(Image.fromarray(image), 0) for image in pixels])
    assert data.shape == (3, 5, 6)
    assert np.array_equal(np.asarray(data.images), pixels.transpose(0, 3, 1, 2))
    one = as_dataset([(Image.fromarray(image[..., 0]).convert("1"), 0) for image in pixels])
    assert set(np.unique(np.asarray(one.images))) <= {0, 255}


NORMALISED = (FRACTIONS - 0.5) / 0.25


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (TENSORS[0], r"images without labels: give both, \(images, labels\)"),
        ((*TENSORS, TENSORS[1]), r"is \(images, labels\), not one of 3 things"),
        (7, "a torch Dataset or a DataLoader, not int"),
        ((FRACTIONS, LABELS), r"\(images \* 255\)\.round\(\)\.to\(torch\.uint8\)"),
        (TensorDataset(NORMALISED, TENSORS[1]), "or leave Normalize out of it"),
        (Own(NORMALISED), "item 0 of Own is .* from -2 to .* or leave Normalize out of it"),
        (DataLoader(Own(NORMALISED)), "or leave Normalize out of it"),
        (DataLoader(Stream(), collate_fn=lambda x: x[0][0]), "batch 0 of Stream is a Tensor, but"),
        ([{"image": 1, "label": 2}], "item 0 of list is a dict with 'image', 'label', but must be"),
        ([], "list is empty"),
        (Own(FRACTIONS[:0], []), "Own is empty"),
        ([(np.zeros((1, 4, 4), np.uint8), 0), (np.zeros((1, 4, 5), np.uint8), 0)], "one size"),
        (Own(np.zeros((9, 9, 9, 3), np.uint8)), r"item 0 of Own .* image\.transpose\(2, 0, 1\)"),
        ([(Image.new("RGBA", (4, 4)), 0)], "PIL image in mode RGBA: convert it with a transform"),
        (Own(PIXELS, np.eye(3)[LABELS]), r"labels\.argmax\(1\)"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_data_that_are_refused(data: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_dataset(data)


def test_a_stream_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coerce, "MOST", 100)
    with pytest.raises(DataError, match=r"yields more than 0 MiB .* give a data set with __len__"):
        as_dataset(Stream())


def test_a_sample_is_spread_over_the_data() -> None:
    data = Dataset.from_arrays(PIXELS, LABELS)
    assert sample(data) is data
    assert np.array_equal(sample(data, 3).images, PIXELS[[0, 11, 23]])
    assert torch.equal(inputs_of((PIXELS, LABELS)), data.inputs())
    given = torch.rand(3)
    assert inputs_of(given) is given


MEAN, STD = 0.5, 0.25


@pytest.mark.parametrize(
    "data",
    [
        (NORMALISED, LABELS),
        (NORMALISED.numpy(), LABELS),
        TensorDataset(NORMALISED, TENSORS[1]),
        Own(NORMALISED),
        DataLoader(Own(NORMALISED), 5),
        Subset(TensorDataset(NORMALISED, TENSORS[1]), range(len(LABELS))),
        (PIXELS, LABELS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_normalised_images_are_taken_if_it_is_said_how(data: Any) -> None:
    found = as_dataset(data, pixels=Pixels.normalised(MEAN, STD))
    assert np.array_equal(np.asarray(found.images), PIXELS)
    assert found.format == Pixels.normalised(MEAN, STD)
    torch.testing.assert_close(found.inputs(), NORMALISED)


def test_signed_items() -> None:
    waves = np.arange(-60, 60, dtype=np.int16).reshape(10, 1, 1, 12) * 300
    data = as_dataset([(wave, 0) for wave in waves])
    assert (data.format, data.images.dtype) == (Pixels(16, signed=True), np.dtype(np.int32))
    assert np.array_equal(np.asarray(data.images), waves)
