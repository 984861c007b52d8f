"""Flattening, sizes of tensors, and nodes that are left out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from support.models.graphs import SHAPE, Free, Refusals, analysed, assert_refused
from torch import Tensor
from torch.nn import functional

FLATTENINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "torch.flatten": lambda x: torch.flatten(x, 1),
    "keyword": lambda x: torch.flatten(x, start_dim=1),
    "method": lambda x: x.flatten(1),
    "view by size": lambda x: x.view(x.size(0), -1),
    "view by shape": lambda x: x.view(x.shape[0], -1),
    "view of -1": lambda x: x.view(-1, 256),
    "reshape": lambda x: x.reshape(x.size(0), -1),
    "torch.reshape": lambda x: torch.reshape(x, (x.size(0), -1)),
    "tuple": lambda x: x.view((-1, 256)),
}


@pytest.mark.parametrize("shape", [SHAPE, None])
@pytest.mark.parametrize("name", FLATTENINGS)
def test_every_spelling_of_flatten(name: str, shape: tuple[int, ...] | None) -> None:
    flat = FLATTENINGS[name]
    result = analysed(lambda m, x: m.fc(flat(m.relu(m.conv1(x)))), shape).require()
    assert result.layers[1].synapses[0].tap.flat


def test_dropout_and_identity_are_left_out() -> None:
    def forward(m: Free, x: Tensor) -> Tensor:
        return m.fc(functional.dropout(m.drop(m.relu(m.conv1(x))), 0.1).flatten(1))

    result = analysed(forward).require()
    assert result.redundant == ("dropout",)
    reasons = {r.node: r.reason for r in result.reports}
    assert "does nothing when the model is used" in reasons["drop"]


def test_unpacking_a_shape() -> None:
    def forward(m: Free, x: Tensor) -> Tensor:
        n, _, _, _ = x.shape
        return m.fc(m.relu(m.conv1(x)).view(n, -1))

    assert analysed(forward).require().layers[1].synapses[0].tap.flat


REFUSED: Refusals = {
    "reshape": (
        lambda m, x: m.fc(m.relu(m.conv1(x)).reshape(-1, 4, 4, 16).flatten(1)),
        "reshape",
        "only flattening to (N, -1)",
    ),
    "batch axis": (
        lambda m, x: m.relu(m.conv1(x)).view(-1, 4),
        "view",
        "only flattening",
    ),
    "tensor multiplied": (
        lambda m, x: m.fc((m.relu(m.conv1(x)) * 2).flatten(1)),
        "mul",
        "neither multiplied nor divided",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_that_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])
