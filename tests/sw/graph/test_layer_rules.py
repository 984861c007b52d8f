"""Weights and batch-norm."""

from __future__ import annotations

import re

import pytest
import torch
from support.models.graphs import (
    SHAPE,
    Refusals,
    analysed,
    assert_refused,
    chain,
    conv_net,
    refused,
)
from torch import nn
from torch.nn import functional

from spikeloom.sw.graph import SynapseSpec, Tap


def test_batch_norm_belongs_to_its_layer() -> None:
    result = analysed(lambda m, x: m.fc(m.relu(m.norm(m.conv1(x))).flatten(1))).require()
    assert result.layers[0].synapses[0].norm == "norm"


REFUSED_MODULES: dict[str, tuple[nn.Module, str]] = {
    "padding mode": (nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"), "not 'reflect'"),
    "transposed": (nn.ConvTranspose2d(2, 4, 3, padding=1), "larger, .* use nn.Conv2d"),
}


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


def test_linear_on_a_feature_map() -> None:
    result = chain(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Linear(8, 3), nn.Flatten())
    assert "applied to the last axis of a feature map (4, 8, 8)" in refused(result).reason


def test_batch_norm_without_statistics() -> None:
    norm = nn.BatchNorm2d(4, track_running_stats=False)
    result = chain(nn.Conv2d(2, 4, 3, padding=1), norm, nn.ReLU(), nn.Flatten(), nn.Linear(256, 3))
    assert "track_running_stats=True" in refused(result).reason


REFUSED: Refusals = {
    "two batch-norms": (
        lambda m, x: m.fc16(m.pool(m.norm(m.proj_norm(m.conv1(x)))).relu().flatten(1)),
        "norm",
        "follows another batch-norm: remove one of the two",
    ),
    "batch-norm behind a max-pool": (
        lambda m, x: m.fc16(m.norm(functional.max_pool2d(m.conv1(x), 2)).relu().flatten(1)),
        "norm",
        "ahead of pooling",
    ),
    "module twice": (
        lambda m, x: m.fc(m.conv2(m.conv2(m.relu(m.conv1(x))).relu()).relu().flatten(1)),
        "conv2_1",
        "'conv2' is called twice",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_that_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])
