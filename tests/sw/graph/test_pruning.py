"""Pruned weights: copies of their models, and zeros from the user's model to the network."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from support.models import small
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune

from spikeloom.sw.conversion import convert, reference
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.golden import Golden
from spikeloom.sw.graph import copied, mask_of, trace
from spikeloom.sw.network import Network
from spikeloom.sw.quantized import settle
from spikeloom.sw.quantized.weights import QuantizedWeights
from spikeloom.sw.training import train

SHAPE = (2, 6, 6)


class Branches(nn.Module):
    """A grouped convolution of a concatenation, which is prepared in parts."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(2, 2, 1)
        self.both, self.fc = nn.Conv2d(6, 6, 3, groups=3), nn.Linear(96, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([functional.relu(self.one(x)), functional.relu(self.two(x))], 1)
        return self.fc(functional.relu(self.both(x)).flatten(1))


def plain() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)),
        *(nn.ReLU(), nn.Linear(5, 4)),
    )


def pruned(build: Callable[[], nn.Module], share: float = 0.7) -> nn.Module:
    torch.manual_seed(1)
    model = build().eval()
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            prune.l1_unstructured(module, "weight", share)
    return model


def zeros(network: Network) -> float:
    """Return the share of weights that are 0."""
    weights = [c.synapses.weight for layer in network.layers for c in layer.connections]
    return float(np.mean(np.concatenate([w.ravel() == 0 for w in weights])))


def test_copies_have_masks_of_their_own() -> None:
    model = pruned(plain)
    images = torch.rand(3, *SHAPE)
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly"):
        copy.deepcopy(model)
    twin = copied(copied(model))
    assert torch.equal(twin(images), model(images))
    before = model(images)
    prune.l1_unstructured(twin.get_submodule("4"), "weight", 0.9)
    assert not torch.equal(twin(images), before)
    assert torch.equal(model(images), before)


def test_a_trace_keeps_weights_and_masks() -> None:
    model = pruned(plain)
    traced = trace(model)
    images = torch.rand(3, *SHAPE)
    assert torch.equal(traced(images), model(images))
    for name in ("0", "4", "6"):
        assert torch.equal(
            mask_of(traced.get_submodule(name)),  # type: ignore[arg-type]
            model.get_submodule(name).weight_mask,  # type: ignore[arg-type]
        )
    assert mask_of(traced.get_submodule("1")) is None
    assert prune.is_pruned(model), "the user's model stays as it is"


@pytest.mark.parametrize("build", [plain, Branches])
def test_pruned_weights_stay_zero_in_training(build: Callable[[], nn.Module]) -> None:
    model = pruned(build)
    prepared = small.prepared(model, SHAPE)
    masks = {k: m.mask for k, m in prepared.named_modules() if isinstance(m, QuantizedWeights)}
    assert all(mask is not None and 0 < mask.mean() < 0.5 for mask in masks.values())
    untrained = convert(prepared)
    optimizer = torch.optim.Adam(prepared.parameters(), lr=0.05, weight_decay=0.1)
    images = torch.from_numpy(small.random_images(32, SHAPE)).float() / 16
    prepared.train()
    for step in range(4):
        loss = functional.cross_entropy(prepared(images), torch.arange(32) % 4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert step or bool(torch.isfinite(loss))
    prepared.eval()
    for name, mask in masks.items():
        layer = prepared.get_submodule(name)
        assert isinstance(layer, QuantizedWeights)
        assert not layer.int_weight()[(mask == 0).numpy()].any()  # type: ignore[union-attr]
        assert layer.int_weight()[(mask == 1).numpy()].any()  # type: ignore[union-attr]
    network = convert(settle(prepared))
    assert network.digest != untrained.digest
    assert zeros(network) >= 0.69
    drawn = small.random_images(20, SHAPE)
    expected = reference(prepared, drawn, 1 / 16)
    result = Golden(network).run(drawn)
    assert torch.equal(result.labels, expected.labels)
    assert all(torch.equal(result.counts[k], v) for k, v in expected.counts.items())


def test_training_in_one_call() -> None:
    data = Dataset.from_arrays(small.random_images(40, SHAPE), np.arange(40) % 4, classes=4)
    found = train(pruned(plain), data, data, epochs=1, tune_epochs=1, batch_size=20)
    assert zeros(convert(found.model)) >= 0.69


def test_the_check_on_images_runs_the_pruned_model() -> None:
    prepared = small.prepared(pruned(plain), SHAPE, weight_bits=16, timesteps=64)
    found = convert(prepared, check=small.random_images(10, SHAPE)).about["agreement"]
    assert found["images"] == 10
    assert found["prepared_as_float"] >= 9
