"""Channels that a view splits into groups, exchanged and joined again: shuffles by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from support.models.graphs import Refusals, assert_refused
from support.models.written import Written
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.graph import Analysis, Selection, View, analyse, trace

#: Spellings of a shuffle of 6 channels in 2 groups, of maps of 5 rows and 4 columns.
SHUFFLES: dict[str, Callable[[Tensor], Tensor]] = {
    "view": lambda x: x.view(x.size(0), 2, 3, 5, 4).transpose(1, 2).contiguous().view(-1, 6, 5, 4),
    "reshape": lambda x: torch.transpose(x.reshape(-1, 2, 3, 5, 4), 2, 1).reshape(x.shape),
    "unflatten": lambda x: x.unflatten(1, (2, 3)).swapaxes(1, -3).flatten(1, 2),
    "permute": lambda x: x.view(-1, 2, 3, 5, 4).permute(0, 2, 1, 3, 4).flatten(1, 2),
    "negative": lambda x: x.view(-1, 2, 3, 5, 4).permute(0, 2, 1, -2, -1).reshape(-1, 6, 5, 4),
    "functional": lambda x: functional.channel_shuffle(x, 2),
}


def model(between: Callable[[Tensor], Tensor]) -> Analysis:
    """Analyse a model with this between a layer of 6 channels and the next one."""
    layers = {"a": nn.Conv2d(2, 6, 3, padding=1), "b": nn.Conv2d(6, 3, (5, 4))}
    written = Written(lambda m, x: m.b(between(m.a(x).relu())).flatten(1), **layers)
    return analyse(trace(written), (2, 5, 4)).require()


@pytest.mark.parametrize("name", SHUFFLES)
def test_every_spelling_of_a_shuffle(name: str) -> None:
    (synapse,) = model(SHUFFLES[name]).layers[1].synapses
    assert synapse.tap.view == View(Selection(6, (0, 3, 1, 4, 2, 5)))
    there = torch.arange(6.0).view(1, 6, 1, 1).expand(2, 6, 5, 4)
    assert SHUFFLES[name](there.contiguous())[0, :, 0, 0].tolist() == [0, 3, 1, 4, 2, 5]


def test_groups_that_stay_in_their_order() -> None:
    def between(x: Tensor) -> Tensor:
        return x.view(-1, 2, 3, 5, 4).view(-1, 6, 5, 4).view(-1, 6, 5, 4).transpose(1, 1)

    (synapse,) = model(between).layers[1].synapses
    assert synapse.tap.view is None


REFUSED: Refusals = {
    "computed in groups": (
        lambda m, x: m.fc(m.relu(m.conv1(x)).view(-1, 2, 2, 8, 8).relu().flatten(1)),
        "relu_1",
        "split into groups: join them again before, by x.flatten(1, 2)",
    ),
    "flattened in groups": (
        lambda m, x: m.fc(m.relu(m.conv1(x)).view(-1, 2, 2, 8, 8).flatten(1)),
        "flatten",
        "split into groups",
    ),
    "rows and columns": (
        lambda m, x: m.fc(m.relu(m.conv1(x)).transpose(2, 3).flatten(1)),
        "transpose",
        "into the order (0, 1, 3, 2)",
    ),
    "groups and rows": (
        lambda m, x: m.fc(m.relu(m.conv1(x)).view(-1, 2, 2, 8, 8).transpose(2, 3).flatten(1)),
        "transpose",
        "into the order (0, 1, 3, 2, 4)",
    ),
    "positions": (
        lambda m, x: m.fc(m.relu(m.conv1(x)).flatten(2).flatten(1)),
        "flatten",
        "layers across positions and attention have no counterpart, use convolutions",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_that_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])


def test_the_advice_joins_groups() -> None:
    result = model(lambda x: x.view(-1, 2, 3, 5, 4).flatten(1, 2).relu())
    assert len(result.layers) == 2
