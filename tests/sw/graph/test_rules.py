"""The table of rules: nodes without a rule."""

from __future__ import annotations

import pytest
import torch
from support.models.graphs import Refusals, assert_refused, chain, conv_net, refused
from torch import nn

REFUSED: Refusals = {
    "subtraction": (
        lambda m, x: m.fc((m.conv2(y := m.relu(m.conv1(x))) - y).relu().flatten(1)),
        "sub",
        "let the weights of one have the other sign",
    ),
    "new axis": (
        lambda m, x: m.fc(torch.stack([y := m.relu(m.conv1(x)), y], 1)[:, 0].flatten(1)),
        "stack",
        "join their channels by torch.cat(..., dim=1)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_that_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])


def test_modules_without_a_rule() -> None:
    report = refused(conv_net(nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Softplus(3))))
    assert report.reason.startswith("is no rectifier")
    report = refused(conv_net(nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Softshrink())))
    assert report.reason == (
        "has no counterpart in a spiking network; supported are Conv1d, Conv2d, Linear, BatchNorm, "
        "ReLU, LeakyReLU, clamps, additions, concatenations, slices, zero padding, average and max "
        "pools, Flatten, Dropout"
    )


def test_every_obstacle_is_reported_at_once() -> None:
    result = chain(
        nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"),
        nn.Sigmoid(),
        nn.Flatten(),
        nn.Linear(256, 3),
        nn.Tanh(),
    )
    assert [r.node for r in result.reports if not r.supported] == ["_0", "_1", "_4"]
