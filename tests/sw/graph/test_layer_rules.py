"""Input, output, weights and batch-norm."""

from __future__ import annotations

import re

import pytest
import torch
from support.models.graphs import SHAPE, Refusals, assert_refused, chain, conv_net, refused, walked
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.graph.nodes import SynapseSpec, Tap
from spikeloom.sw.graph.walk import trace, walk


def test_batch_norm_belongs_to_its_layer() -> None:
    result = walked(lambda m, x: m.fc(m.relu(m.norm(m.conv1(x))).flatten(1))).require()
    assert result.layers[0].synapses[0].norm == "norm"


REFUSED_MODULES: dict[str, tuple[nn.Module, str]] = {
    "dilation": (nn.Conv2d(2, 4, 3, padding=2, dilation=2), r"dilation must be 1, not \(2, 2\)"),
    "padding mode": (nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"), "not 'reflect'"),
    "even same": (nn.Conv2d(2, 4, 2, padding="same"), "even kernel .* use an odd kernel"),
    "transposed": (nn.ConvTranspose2d(2, 4, 3, padding=1), "no counterpart in a spiking network"),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", REFUSED_MODULES)
def test_convolutions_that_are_refused(name: str) -> None:
    module, message = REFUSED_MODULES[name]
    report = refused(conv_net(module))
    assert report.node == "_0"
    assert report.what.startswith("0: Conv")
    assert re.search(message, report.reason)


@pytest.mark.parametrize(("groups", "channels"), [(2, 4), (2, 2), (1, 2)])
def test_groups_are_understood(groups: int, channels: int) -> None:
    conv = nn.Conv2d(2, channels, 3, padding=1, groups=groups)
    result = chain(conv, nn.ReLU(), nn.Flatten(), nn.Linear(channels * 64, 3)).require()
    assert result.layers[0].synapses == (SynapseSpec("0", Tap("input")),)


@pytest.mark.parametrize("padding", ["valid", "same", 0, 1, (1, 2)])
def test_paddings_that_are_understood(padding: str | int | tuple[int, int]) -> None:
    conv = nn.Conv2d(2, 1, 3 if padding != (1, 2) else 5, padding=padding)
    outside = conv(torch.zeros(1, *SHAPE)).numel()
    chain(conv, nn.ReLU(), nn.Flatten(), nn.Linear(outside, 3)).require()


def test_padding_as_large_as_the_kernel() -> None:
    report = refused(conv_net(nn.Conv2d(2, 4, 1, padding=1), 10))
    assert "padding (1, 1) must be smaller than the kernel (1, 1)" in report.reason


def test_linear_on_a_feature_map() -> None:
    result = chain(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Linear(8, 3), nn.Flatten())
    assert "applied to the last axis of a feature map (4, 8, 8)" in refused(result).reason


def test_batch_norm_without_statistics() -> None:
    norm = nn.BatchNorm2d(4, track_running_stats=False)
    result = chain(nn.Conv2d(2, 4, 3, padding=1), norm, nn.ReLU(), nn.Flatten(), nn.Linear(256, 3))
    assert "track_running_stats=True" in refused(result).reason


def test_several_outputs_and_inputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            return self.fc(x), y

    reasons = [r.reason for r in walk(trace(Two()), None).reports if not r.supported]
    assert "more than one input" in reasons[0]
    assert "something else than one tensor" in reasons[1]


REFUSED: Refusals = {
    "no activation": (
        lambda m, x: m.fc(m.conv2(m.conv1(x)).relu().flatten(1)),
        "conv2",
        "follows layer 'conv1' without an activation between them",
    ),
    "batch-norm behind the activation": (
        lambda m, x: m.fc(m.norm(m.relu(m.conv1(x))).flatten(1)),
        "norm",
        "must follow Conv2d or Linear directly",
    ),
    "batch-norm behind a max-pool": (
        lambda m, x: m.fc16(m.norm(functional.max_pool2d(m.conv1(x), 2)).relu().flatten(1)),
        "norm",
        "ahead of pooling",
    ),
    "ends in an activation": (
        lambda m, x: m.fc(m.relu(m.conv1(x)).flatten(1)).relu(),
        "output",
        "ends without a final Linear or Conv2d",
    ),
    "ends in a batch-norm": (
        lambda m, x: m.norm(m.conv1(x)).flatten(1),
        "output",
        "the batch-norm 'norm' follows the output layer",
    ),
    "ends in a feature map": (
        lambda m, x: m.conv1(x),
        "output",
        r"shape (4, 8, 8) per image: flatten",
    ),
    "ends in a max-pool": (
        lambda m, x: functional.max_pool2d(m.conv1(x), 2).flatten(1),
        "output",
        "a max-pool follows the output layer",
    ),
    "module twice": (
        lambda m, x: m.fc(m.conv2(m.conv2(m.relu(m.conv1(x))).relu()).relu().flatten(1)),
        "conv2_1",
        "'conv2' is called twice",
    ),
    "weights as arguments": (
        lambda m, x: functional.linear(m.relu(m.conv1(x)).flatten(1), m.fc.weight),
        "fc_weight",
        "uses the tensor 'fc.weight' directly",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_that_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])
