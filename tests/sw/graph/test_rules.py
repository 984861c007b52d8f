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
    "concatenation": (
        lambda m, x: m.fc(torch.cat([y := m.relu(m.conv1(x)), y], 1)[:, :4].flatten(1)),
        "cat",
        "joins branches side by side",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_that_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])


def test_modules_without_a_rule() -> None:
    report = refused(conv_net(nn.ConvTranspose2d(2, 4, 3, padding=1)))
    assert report.reason == (
        "has no counterpart in a spiking network; supported are Conv2d, Linear, BatchNorm, ReLU, "
        "LeakyReLU, additions, AvgPool2d, MaxPool2d, Flatten, Dropout"
    )


def test_every_obstacle_is_reported_at_once() -> None:
    result = chain(
        nn.Conv2d(2, 4, 3, padding=2, dilation=2),
        nn.Sigmoid(),
        nn.Flatten(),
        nn.Linear(256, 3),
        nn.Softmax(1),
    )
    assert [r.node for r in result.reports if not r.supported] == ["_0", "_1", "_4"]
