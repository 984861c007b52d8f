"""Everything that takes a data set takes the same images in other forms, with the same result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.models import small
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from spikeloom.sw import datasets, models
from spikeloom.sw.calibration import calibrate
from spikeloom.sw.conversion import convert
from spikeloom.sw.diagnostics import measure, measure_network
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.quantized import activations_of, initialise, prepare
from spikeloom.sw.spiking import spiking
from spikeloom.sw.training import evaluate, fit, train
from spikeloom.sw.training.measure import integer_labels
from spikeloom.sw.training.recipe import recipe_of
from spikeloom.sw.training.run import run

FEW = small.digits("train").head(200)
PIXELS = torch.from_numpy(np.asarray(FEW.images))
LABELS = FEW.targets()


class OneByOne(Dataset[Any]):
    def __len__(self) -> int:
        return len(PIXELS)

    def __getitem__(self, index: int) -> Any:
        return PIXELS[index], int(LABELS[index])


def mapped(folder: Path) -> Any:
    np.save(folder / "images.npy", PIXELS.numpy())
    return np.load(folder / "images.npy", mmap_mode="r"), LABELS


#: The same images in other forms.
FORMS: dict[str, Callable[[Path], Any]] = {
    "pair": lambda _: (PIXELS.numpy(), LABELS.tolist()),
    "TensorDataset": lambda _: TensorDataset(PIXELS, LABELS),
    "Dataset": lambda _: OneByOne(),
    "DataLoader": lambda _: DataLoader(OneByOne(), 16, shuffle=True),
    "memory map": mapped,
}


def fresh() -> nn.Module:
    torch.manual_seed(0)
    return models.build("digits-mlp")


def weights(model: nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in model.state_dict().values()]


@pytest.mark.parametrize("form", FORMS)
def test_training_is_the_same_from_every_form(form: str, tmp_path: Path) -> None:
    plain, other = fresh(), fresh()
    pair = datasets.Dataset.from_arrays(PIXELS, LABELS)
    expected = train(plain, pair, pair, epochs=1, tune_epochs=1)
    data = FORMS[form](tmp_path)
    found = train(other, data, data, epochs=1, tune_epochs=1)
    for left, right in zip(weights(expected.model), weights(found.model), strict=True):
        assert torch.equal(left, right)
    assert found.quantized_accuracy == expected.quantized_accuracy
    assert evaluate(found.model, data) == expected.quantized_accuracy
    network = convert(found.model)
    assert torch.equal(integer_labels(network, data), integer_labels(network, pair))


@pytest.mark.parametrize("form", FORMS)
def test_thresholds_calibration_and_measures_from_every_form(form: str, tmp_path: Path) -> None:
    data = FORMS[form](tmp_path)
    pair = datasets.Dataset.from_arrays(PIXELS, LABELS)
    prepared, same = (prepare(fresh(), input_shape=(1, 8, 8)) for _ in range(2))
    initialise(prepared, data)
    initialise(same, pair.inputs())
    thresholds = [[a.threshold for a in activations_of(p).values()] for p in (prepared, same)]
    assert thresholds[0] == thresholds[1]
    assert thresholds[0] != [1.0, 1.0]
    expected = measure(same, pair.inputs(), LABELS)
    assert measure(prepared, data) == expected
    network = convert(prepared, input_bits=8, input_scale=1 / 255)
    assert measure_network(network, data) == measure_network(network, PIXELS.numpy())
    coded: dict[str, Any] = {"transport": "spikes", "input_bits": 8, "input_scale": 1 / 255}
    moving, still = (spiking(prepared, **coded) for _ in range(2))
    assert calibrate(moving, data, epochs=1) == calibrate(still, pair.inputs(), epochs=1)


def test_a_stream_is_read_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    read = datasets.items.Items.read

    def watched(self: datasets.items.Items, numbers: Any) -> Any:
        nonlocal largest
        largest = max(largest, len(numbers))
        return read(self, numbers)

    monkeypatch.setattr(datasets.items.Items, "read", watched)
    fit(fresh(), OneByOne(), epochs=1, batch_size=20)
    assert largest == 20


def test_a_measure_without_labels_is_refused() -> None:
    with pytest.raises(DataError, match="images without labels have no loss to measure"):
        measure(prepare(fresh(), input_shape=(1, 8, 8)), FEW.inputs())


def test_splits_that_do_not_belong_together_are_refused() -> None:
    other = (torch.zeros(4, 1, 8, 9, dtype=torch.uint8), [0, 1, 2, 3])
    with pytest.raises(DataError, match=r"images of the shape \(1, 8, 8\), but .* \(1, 8, 9\)"):
        train(fresh(), (PIXELS, LABELS), other)
    names = [["a", "b"], ["b", "c"]]
    both = [datasets.Dataset.from_arrays(PIXELS[:2], x) for x in names]
    with pytest.raises(DataError, match=r"classes \('a', 'b'\), but .* the same list of classes"):
        train(fresh(), *both)
    with pytest.raises(DataError, match=r"has pixels .* take both from the same data"):
        train(fresh(), (PIXELS, LABELS), FEW)


def test_a_recipe_s_data_are_replaced(tmp_path: Path) -> None:
    table = {
        "model": {"name": "digits-mlp"},
        "data": {"name": "mnist"},
        "engine": {"accelerator": "cpu", "threads": 1},
        "phase": [{"kind": "quantized", "teacher": False, "epochs": 1}],
    }
    recipe = recipe_of(table)
    test = (PIXELS[:50], LABELS[:50])
    result = run(recipe, tmp_path, data=OneByOne(), test=test, say=lambda _: None)
    assert result is not None
    assert (result.data, result.images, result.differing_labels) == ("own data", 50, 0)
    with pytest.raises(ConfigError, match="give both splits, data and test, or leave both"):
        run(recipe, tmp_path / "other", data=OneByOne())
