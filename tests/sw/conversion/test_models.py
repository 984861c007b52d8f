"""Models as people write them: exact from the prepared model on, and close to the float model."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from support.models import small, written
from torch import Tensor, fx, nn

from spikeloom.sw.conversion import convert, reference
from spikeloom.sw.golden import Golden
from spikeloom.sw.quantized import initialise, prepare
from spikeloom.sw.spiking import spiking

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def built(name: str) -> tuple[nn.Module, Tensor, np.ndarray]:
    """Return a model with batch-norm statistics, and images, real and as integers."""
    build, shape = written.MODELS[name]
    torch.manual_seed(0)
    model = small.normed(build(), shape)
    images = small.random_images(64, shape)
    return model, torch.from_numpy(images).float() / 16, images


def trained(model: nn.Module, images: Tensor) -> fx.GraphModule:
    """Return the prepared model after a few steps of training."""
    prepared = prepare(model, input_shape=tuple(images.shape[1:]), input_scale=1 / 16)
    initialise(prepared, images)
    optimizer = torch.optim.Adam(prepared.train().parameters(), 1e-3)
    labels = torch.arange(len(images)) % written.CLASSES
    for _ in range(2):
        optimizer.zero_grad()
        nn.functional.cross_entropy(prepared(images), labels).backward()
        optimizer.step()
    return prepared.eval()


@pytest.mark.parametrize("name", written.MODELS)
def test_counts_and_labels_are_those_of_the_prepared_model(name: str) -> None:
    model, real, images = built(name)
    prepared = trained(model, real)
    expected = reference(prepared, images, 1 / 16)
    with torch.no_grad():
        logits = copy.deepcopy(prepared).double()(real.double())
    assert torch.allclose(expected.logits, logits, rtol=1e-9, atol=1e-9)
    got = Golden(convert(prepared, input_bits=4, input_scale=1 / 16)).run(images)
    assert got.counts.keys() == expected.counts.keys()
    for layer, counts in expected.counts.items():
        assert counts.any()
        assert torch.equal(got.counts[layer], counts), layer
    assert torch.equal(got.labels, expected.labels)


@pytest.mark.parametrize("name", written.MODELS)
def test_many_levels_and_bits_follow_the_float_model(name: str) -> None:
    model, real, _ = built(name)
    prepared = prepare(model, input_shape=tuple(real.shape[1:]), timesteps=4096, weight_bits=16)
    initialise(prepared, real, percentile=100)
    with torch.no_grad():
        expected, got = model(real), prepared.eval()(real)
    if name == "pads":
        got = got.log_softmax(1)
    if name == "heads":
        got = got.sigmoid()
    assert (got - expected).abs().max() < 2e-3 * expected.abs().max()


@pytest.mark.parametrize("name", ["causal", "inception", "maxima", "repvgg", "shortcuts"])
def test_neurons_in_time_are_those_of_the_network(name: str) -> None:
    model, real, images = built(name)
    prepared = trained(model, real)
    in_time = spiking(prepared, input_bits=4, input_scale=1 / 16)
    got = Golden(convert(in_time)).run(images)
    logits, spikes = in_time.eval().run(real)
    for layer, fired in spikes.items():
        assert torch.equal(fired.sum(0).long(), got.counts[layer]), layer
    with torch.no_grad():
        alike = in_time.train().run(real)[0]
    assert torch.isfinite(alike).all()
    assert alike.shape == logits.shape


def test_signals_need_no_row() -> None:
    model, real, images = built("signals")
    network = convert(trained(model, real), input_bits=4, input_scale=1 / 16)
    assert network.input.shape == (2, 1, 48)
    golden = Golden(network)
    assert torch.equal(golden.run(images).logits, golden.run(images[:, :, None]).logits)


def test_masks_stay_in_training() -> None:
    model, real, _ = built("inception")
    prepared = trained(model, real)
    parts = [m for m in prepared.modules() if getattr(m, "mask", None) is not None]
    assert parts
    for part in parts:
        gaps = part.int_weight()[part.mask.numpy() == 0]  # type: ignore[operator]
        assert gaps.size
        assert not gaps.any()


def test_forgotten_thresholds_are_warned_about() -> None:
    layers = [nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)]
    prepared = prepare(nn.Sequential(*layers), input_shape=(4,))
    with pytest.warns(UserWarning, match="every threshold λ is still 1, .* call initialise"):
        convert(prepared, input_bits=4, input_scale=1 / 16)
