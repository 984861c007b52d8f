"""Analyses: unused nodes, lists of obstacles, and shapes that do not fit."""

from __future__ import annotations

import operator
from typing import cast

import pytest
from support.models.graphs import Free, Refusals, analysed, assert_refused, chain, refused
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.errors import UnsupportedError


def test_unused_results_are_left_out() -> None:
    def forward(m: Free, x: Tensor) -> Tensor:
        m.conv2(m.conv2(x))
        return m.fc(m.relu(m.conv1(x)).flatten(1))

    result = analysed(forward, None).require()
    assert [layer.name for layer in result.layers] == ["conv1", "fc"]


REFUSED: Refusals = {
    "lost addition in place": (
        lambda m, x: m.fc(_lose_sum(m.conv2(y := m.relu(m.conv1(x))), y).relu().flatten(1)),
        "iadd",
        "changes its input in place, and its result is not used: assign it",
    ),
    "lost in place": (
        lambda m, x: m.fc(_lose(m.conv1(x)).flatten(1)),
        "relu_",
        "changes its input in place, and its result is not used",
    ),
}


def _lose_sum(x: Tensor, y: Tensor) -> Tensor:
    operator.iadd(x, y)
    return x


def _lose(x: Tensor) -> Tensor:
    functional.relu_(x)
    return x


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_that_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])


def test_long_lists_of_obstacles_are_cut() -> None:
    layers = [nn.Linear(4, 4), *[nn.Sigmoid() for _ in range(11)], nn.Linear(4, 2)]
    with pytest.raises(UnsupportedError, match="and 3 more"):
        chain(*layers, shape=(4,)).require()


def test_an_output_that_is_no_tensor_of_the_model() -> None:
    with pytest.raises(UnsupportedError, match="does not depend on its input"):
        analysed(lambda m, x: cast(Tensor, x.size(0)), None).require()


def test_shapes_that_do_not_fit_are_reported_at_their_node() -> None:
    result = chain(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3))
    report = refused(result)
    assert report.node == "_3"
    assert "fails for an input of shape (2, 8, 8)" in report.reason
    assert "Check input_shape" in report.reason
