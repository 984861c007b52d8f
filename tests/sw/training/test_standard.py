"""Training on real values of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.inference import run
from spikeloom.sw.training import evaluate, train
from spikeloom.sw.training.standard import Standard


def data(factor: float, shift: float, values: int = 1) -> Dataset:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (240, 6)).astype(np.uint8)
    weights = rng.normal(size=(6, values))
    targets = (images / 255) @ weights * factor + shift
    return Dataset.from_arrays(images, targets, task="values")


def net(values: int = 1, **options: Any) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, values, **options))


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.0), (400.0, 3000.0), (1e-4, -1e-3)])
def test_values_of_any_size_are_learned(factor: float, shift: float) -> None:
    known, model = data(factor, shift), net()
    trained = train(model, known, known, epochs=20, tune_epochs=10, batch_size=16, progress=False)
    assert trained.float_accuracy is not None
    assert trained.float_accuracy > 0.97
    assert trained.quantized_accuracy is not None
    assert trained.quantized_accuracy > 0.93
    # The user's model, the quantized one and the network compute the real values.
    assert evaluate(model, known) == pytest.approx(trained.float_accuracy, abs=1e-3)
    network = convert(trained.model, check=known.images)
    found = run(known.images, network)
    assert found.accuracy(known.labels) == pytest.approx(trained.quantized_accuracy, abs=1e-3)


def test_a_model_that_computes_the_values_already_keeps_them() -> None:
    known, model = data(400.0, 3000.0, 2), net(2)
    train(model, known, epochs=30, tune_epochs=0, batch_size=16, progress=False)
    with torch.no_grad():
        before = model(torch.from_numpy(known.images).flatten(1) / 255)
    score = evaluate(model, known)
    assert score > 0.95
    trained = train(model, known, known, epochs=0, tune_epochs=10, progress=False)
    with torch.no_grad():
        after = model(torch.from_numpy(known.images).flatten(1) / 255)
    assert torch.allclose(before, after, rtol=1e-4)
    assert trained.float_accuracy == pytest.approx(score, abs=1e-4)
    train(model, known, epochs=1, tune_epochs=0, lr=1e-4, progress=False)
    assert evaluate(model, known) > 0.95


def test_mean_and_spread() -> None:
    known = data(400.0, 3000.0, 2)
    standard = Standard.of(net(2), known)
    assert standard is not None
    targets = known.targets().double()
    assert standard.modules == ("2",)
    assert torch.allclose(standard.mean, targets.mean(0))
    assert standard.spread == pytest.approx(
        float((targets - targets.mean(0)).square().mean() ** 0.5)
    )
    applied = standard.applied(known).targets()
    assert torch.allclose(applied.mean(0), torch.zeros(2), atol=1e-5)
    assert float(applied.square().mean()) == pytest.approx(1, abs=1e-4)


def test_values_without_a_spread_and_layers_without_a_bias() -> None:
    known = data(0.0, 5.0)
    constant = Standard.of(net(), known)
    assert constant is not None
    assert constant.spread > 0
    assert not constant.applied(known).targets().any()
    without = Standard.of(net(bias=False), known)
    assert without is not None
    assert without.mean.tolist() == [0]
    assert without.spread == pytest.approx(5)


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        (nn.Linear(6, 1), None),  # has another name in a trace
        (net(), nn.functional.huber_loss),  # a loss may need real units
    ],
)
def test_others_are_trained_as_they_are(model: nn.Module, loss: Any) -> None:
    assert Standard.of(model, data(1.0, 0.0), loss) is None


def test_an_output_layer_of_several_parts() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(6, 1, bias=False), nn.Linear(6, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.first(x) + self.second(x)

    model, known = Sum(), data(400.0, 3000.0)
    standard = Standard.of(model, known)
    assert standard is not None
    assert standard.modules == ("second", "first")
    images = known.inputs().flatten(1)
    with torch.no_grad():
        before = model(images).double()
        standard.leave(model)
        expected = before * standard.spread + standard.mean
        assert torch.allclose(model(images).double(), expected, rtol=1e-4)


def test_classes_are_trained_as_they_are() -> None:
    images = np.zeros((4, 6), np.uint8)
    assert Standard.of(net(2), Dataset.from_arrays(images, [0, 1, 0, 1])) is None
