"""The models of the zoo: each can be built, run and converted, and is what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from support.models import small
from torch import nn

from spikeloom.sw import models
from spikeloom.sw.conversion import convert
from spikeloom.sw.golden import Golden
from spikeloom.sw.graph import LayerSpec, Pooling, analyse, trace
from spikeloom.sw.quantized import check, initialise, prepare
from spikeloom.sw.quantized.prepared import META


def specs(name: str) -> list[LayerSpec]:
    model: Any = models.build(name)
    return list(analyse(trace(model), model.input_shape).require().layers)


@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_can_be_converted(name: str) -> None:
    model: Any = models.build(name).eval()
    shape = model.input_shape
    with torch.no_grad():
        assert model(torch.rand(2, *shape)).shape == (2, 10)
    assert all(report.supported for report in check(model, shape))


@pytest.mark.parametrize("name", small.MODELS)
def test_every_model_keeps_its_labels_when_converted(name: str) -> None:
    torch.manual_seed(0)
    model: Any = small.MODELS[name]()
    shape = model.input_shape
    prepared = prepare(model, input_shape=shape, timesteps=2)
    prepared.meta[META] |= {"input_bits": 8, "input_scale": 1 / 255}
    pixels = torch.randint(0, 256, (4, *shape), dtype=torch.uint8)
    initialise(prepared, pixels / 255)
    network = convert(prepared.eval(), transport="count")
    assert network.classes == 10
    logits = prepared.double()(pixels.double() / 255)
    assert logits.std() > 0
    assert Golden(network).run(pixels.numpy()).labels.tolist() == logits.argmax(1).tolist()


def test_what_the_digits_models_show() -> None:
    residual = specs("digits-residual")
    shortcuts = [s.target for layer in residual for s in layer.synapses[1:]]
    assert shortcuts == [None, "block2.shortcut.0"]
    assert residual[-1].synapses[0].tap.pool == Pooling("sum", (4, 4))
    depthwise = models.build("digits-depthwise")
    groups = [m.groups for m in depthwise.modules() if isinstance(m, nn.Conv2d)]
    assert groups == [1, 16, 1, 32, 1]
    assert all(s.tap.signed for layer in specs("digits-leaky")[1:] for s in layer.synapses)


def conv(kernel: int, *channels: int) -> int:
    """Return the parameters of convolutions between these channels, with batch-norm."""
    return sum(a * b * kernel**2 + 2 * b for a, b in pairwise(channels))


def linear(*sizes: int) -> int:
    """Return the parameters of linear layers between vectors of these sizes."""
    return sum(a * b + b for a, b in pairwise(sizes))


#: Parameters by the layers' sizes; of residual networks as others have published them.
PARAMETERS = {
    "mnist-mlp": linear(784, 256, 128, 10),
    "lenet5": conv(5, 1, 6, 16) + linear(400, 120, 84, 10),
    "net4": conv(5, 1, 32, 64) + linear(7 * 7 * 64, 1024, 10),
    "vgg9": conv(3, 3, 64, 64, 128, 128, 256, 256, 256) + linear(4 * 4 * 256, 512, 10),
    "vgg11": conv(3, 3, 64, 128, 256, 256, 512, 512, 512, 512) + linear(512, 512, 512, 10),
    # What VGG-16 for CIFAR-10 has with one linear layer and biases of all convolutions, without
    # those biases, and with two more linear layers.
    "vgg16": 14_728_266 - 4_224 + 2 * linear(512, 512),
    "resnet18": 11_173_962,
    # Shortcuts without parameters (the paper's option A) make it 269,722.
    "resnet20": 269_722 + conv(1, 16, 32) + conv(1, 32, 64),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_as_many_as_documented(name: str) -> None:
    model = models.build(name)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == PARAMETERS[name]
    told = re.search(r"([\d,]+) parameters", type(model).__doc__ or "")
    assert told is not None
    assert told[1] == f"{count:,}"


def sequence(name: str) -> str:
    """Return convolutions and linear layers as 6c5 and 120, pools as p2."""
    words: dict[type[nn.Module], Callable[[Any], str]] = {
        nn.Conv2d: lambda m: f"{m.out_channels}c{m.kernel_size[0]}",
        nn.Linear: lambda m: f"{m.out_features}",
        nn.AvgPool2d: lambda m: f"p{m.kernel_size}",
    }
    modules = models.build(name).modules()
    return "-".join(words[type(m)](m) for m in modules if type(m) in words)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("lenet5", "6c5-p2-16c5-p2-120-84-10"),
        ("net4", "32c5-p2-64c5-p2-1024-10"),
        ("net4-leaky", "32c5-p2-64c5-p2-1024-10"),
    ],
)
def test_layers_are_those_of_the_name(name: str, layers: str) -> None:
    assert sequence(name) == layers


def test_net4_leaky_differs_from_net4_by_its_activations_alone() -> None:
    modules = list(models.build("net4-leaky").modules())
    slopes = [m.negative_slope for m in modules if isinstance(m, nn.LeakyReLU)]
    assert slopes == [0.125] * 3
    assert not any(isinstance(m, nn.ReLU) for m in modules)
    plain, leaky = (models.build(name).state_dict() for name in ("net4", "net4-leaky"))
    assert {k: v.shape for k, v in plain.items()} == {k: v.shape for k, v in leaky.items()}


@pytest.mark.parametrize(
    ("name", "convolutions", "linears"),
    [("vgg9", 7, 2), ("vgg11", 8, 3), ("vgg16", 13, 3), ("resnet18", 17, 1), ("resnet20", 19, 1)],
)
def test_layers_are_as_many_as_the_name_says(name: str, convolutions: int, linears: int) -> None:
    model = models.build(name)
    assert convolutions + linears == int(re.sub(r"\D", "", name))
    # Projections of shortcuts, of 1x1, do not count.
    kernels = [m.kernel_size for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert kernels.count((3, 3)) == convolutions
    assert sum(isinstance(m, nn.Linear) for m in model.modules()) == linears
    assert len(specs(name)) == convolutions + linears


@pytest.mark.parametrize(("name", "projections"), [("resnet18", 3), ("resnet20", 2)])
def test_every_shortcut_is_a_connection(name: str, projections: int) -> None:
    shortcuts = [s.target for layer in specs(name) for s in layer.synapses[1:]]
    blocks = {"resnet18": 8, "resnet20": 9}[name]
    assert len(shortcuts) == blocks
    assert sum(target is not None for target in shortcuts) == projections


@pytest.mark.parametrize("name", ["lenet5", "net4", "vgg9", "vgg16"])
def test_pools_are_sums_so_that_every_transport_is_exact(name: str) -> None:
    pools = [s.tap.pool for layer in specs(name) for s in layer.synapses if s.tap.pool]
    assert pools
    assert {pool.kind for pool in pools} == {"sum"}
