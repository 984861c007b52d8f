"""Pools: average and maximum, also over the whole feature map."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from support.models.graphs import (
    Free,
    Refusals,
    analysed,
    assert_refused,
    chain,
    refused,
)
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.coding.folding import pooled
from spikeloom.sw.graph import Pooling, analyse, trace

POOLS: dict[str, tuple[Callable[[Free, Tensor], Tensor], Pooling]] = {
    "module": (lambda m, x: m.pool(x), Pooling("sum", (2, 2))),
    "avg_pool2d": (lambda m, x: functional.avg_pool2d(x, 2), Pooling("sum", (2, 2))),
    "max_pool2d": (lambda m, x: functional.max_pool2d(x, 2), Pooling("max", (2, 2))),
    "torch.max_pool2d": (lambda m, x: torch.max_pool2d(x, 2), Pooling("max", (2, 2))),
    "pair": (lambda m, x: functional.avg_pool2d(x, (4, 1), (4, 1)), Pooling("sum", (4, 1))),
    "adaptive": (lambda m, x: functional.adaptive_avg_pool2d(x, 4), Pooling("sum", (2, 2))),
    "adaptive max": (lambda m, x: functional.adaptive_max_pool2d(x, 4), Pooling("max", (2, 2))),
    "adaptive pair": (
        lambda m, x: functional.adaptive_avg_pool2d(x, (2, None)),
        Pooling("sum", (4, 1)),
    ),
}


@pytest.mark.parametrize("name", POOLS)
def test_every_spelling_of_pooling(name: str) -> None:
    pool, expected = POOLS[name]
    result = analysed(lambda m, x: m.fc16(pool(m, m.relu(m.conv1(x))).flatten(1)))
    if name == "adaptive pair" or name == "pair":  # their sizes give 16 values per channel too
        assert result.shapes["flatten"] == (64,)
    assert result.require().layers[1].synapses[0].tap.pool == expected


@pytest.mark.parametrize(
    ("pool", "kind"),
    [
        (lambda x: functional.avg_pool1d(x, 2), "sum"),
        (lambda x: functional.max_pool1d(x, 2), "max"),
        (lambda x: torch.max_pool1d(x, 2), "max"),
        (lambda x: functional.adaptive_avg_pool1d(x, 4), "sum"),
        (lambda x: functional.adaptive_max_pool1d(x, 4), "max"),
    ],
)
def test_pools_of_signals(pool: Callable[[Tensor], Tensor], kind: str) -> None:
    class Signals(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv1d(2, 3, 3, padding=1), nn.Linear(12, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(pool(self.conv(x).relu()).flatten(1))

    last = analyse(trace(Signals()), (2, 8)).require().layers[-1]
    assert last.synapses[0].tap.pool == Pooling(kind, (1, 2))


GLOBALS: dict[str, Callable[[Tensor], Tensor]] = {
    "adaptive": lambda x: functional.adaptive_avg_pool2d(x, 1).flatten(1),
    "adaptive pair": lambda x: functional.adaptive_avg_pool2d(x, (1, 1)).squeeze(),
    "method": lambda x: x.mean((2, 3)),
    "function": lambda x: torch.mean(x, dim=(-2, -1)),
    "kept": lambda x: x.mean(dim=[2, 3], keepdim=True).flatten(1),
}


@pytest.mark.parametrize("name", GLOBALS)
def test_global_average_pooling(name: str) -> None:
    pool = GLOBALS[name]
    result = analysed(lambda m, x: m.fc4(pool(m.relu(m.conv1(x)))))
    assert result.require().layers[1].synapses[0].tap.pool == Pooling("sum", (8, 8))


def test_global_pooling_needs_the_shape() -> None:
    result = analysed(lambda m, x: m.fc4(m.relu(m.conv1(x)).mean((2, 3))), None)
    assert "give input_shape" in refused(result).reason


def test_pools_of_one_kind_in_a_row_are_one() -> None:
    result = analysed(
        lambda m, x: m.fc4(m.pool(functional.avg_pool2d(m.relu(m.conv1(x)), 4)).flatten(1))
    )
    assert result.require().layers[1].synapses[0].tap.pool == Pooling("sum", (8, 8))


SLIDING: dict[str, tuple[Callable[[Free, Tensor], Tensor], Pooling]] = {
    "the stem of a ResNet": (
        lambda m, x: functional.max_pool2d(m.relu(m.conv1(x)), 3, 2, 1),
        Pooling("max", (3, 3), (2, 2), (1, 1)),
    ),
    "ahead of the activation": (
        lambda m, x: m.relu(functional.max_pool2d(m.conv1(x), 3, 2, 1)),
        Pooling("max", (3, 3), (2, 2), (1, 1)),
    ),
    "ceil mode": (
        lambda m, x: functional.max_pool2d(m.relu(m.conv1(x)), 3, 2, ceil_mode=True),
        Pooling("max", (3, 3), (2, 2), ceil=True),
    ),
    "ceil mode that changes nothing": (
        lambda m, x: functional.max_pool2d(m.relu(m.conv1(x)), 2, ceil_mode=True),
        Pooling("max", (2, 2)),
    ),
    "in a row, with nothing left out": (
        lambda m, x: functional.max_pool2d(
            functional.max_pool2d(m.relu(m.conv1(x)), 3, 2, ceil_mode=True), 3, 1, 1
        ),
        Pooling("max", (7, 7), (2, 2), (2, 2), ceil=True),
    ),
    "in a row, a position apart": (
        lambda m, x: functional.max_pool2d(
            functional.max_pool2d(m.relu(m.conv1(x)), 3, 1, 1), 4, 2, 1
        ),
        Pooling("max", (6, 6), (2, 2), (2, 2)),
    ),
}


@pytest.mark.parametrize("name", SLIDING)
def test_maxima_over_windows_that_overlap(name: str) -> None:
    pool, expected = SLIDING[name]
    result = analysed(lambda m, x: m.fc16(pool(m, x).flatten(1)))
    tap = result.require().layers[1].synapses[0].tap
    assert tap.pool == expected
    assert result.shapes["flatten"] == (64,)


def test_two_pools_are_one_only_if_no_value_differs() -> None:
    pools = [
        Pooling("max", (k, k), (s, s), (p, p), ceil, source)
        for k, s, p in [(1, 1, 0), (1, 2, 0), (2, 2, 0), (2, 3, 0), (3, 1, 1), (3, 2, 1), (4, 1, 2)]
        for ceil in (False, True)
        for source in (None, (11, 13), (12, 12))
    ]
    ones = 0
    for first in pools:
        for second in pools:
            one = first.then(second)
            if one is not None:
                values = torch.randn(1, 1, *(first.source or (11, 14)))
                two = pooled(second, pooled(first, values))
                assert torch.equal(pooled(one, values), two), (first, second)
                ones += 1
    assert ones > 900


def test_max_pool_commutes_with_the_activation() -> None:
    before = analysed(
        lambda m, x: m.fc16(m.relu(functional.max_pool2d(m.conv1(x), 2)).flatten(1))
    ).require()
    after = analysed(
        lambda m, x: m.fc16(functional.max_pool2d(m.relu(m.conv1(x)), 2).flatten(1))
    ).require()
    assert before.layers[1].synapses == after.layers[1].synapses


def test_a_pool_may_stand_ahead_of_the_first_layer() -> None:
    result = chain(
        nn.MaxPool2d(2), nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)
    ).require()
    assert result.layers[0].synapses[0].tap.pool == Pooling("max", (2, 2))


REFUSED: Refusals = {
    "different pools": (
        lambda m, x: m.fc4(functional.max_pool2d(m.pool(m.relu(m.conv1(x))), 4).flatten(1)),
        "max_pool2d",
        "follows a sum-pool",
    ),
    "pools in a row": (
        lambda m, x: m.fc4(
            functional.max_pool2d(functional.max_pool2d(m.relu(m.conv1(x)), 3, 2), 3, 2, 1).flatten(
                1
            )[:, :4]
        ),
        "max_pool2d_1",
        "padding (1, 1) follows a max-pool of (3, 3), stride (2, 2), and no single pool",
    ),
    "uncounted padding": (
        lambda m, x: m.fc(
            functional.avg_pool2d(m.relu(m.conv1(x)), 3, 1, 1, count_include_pad=False).flatten(1)
        ),
        "avg_pool2d",
        "count_include_pad=False divides by another number at the edges",
    ),
    "ceil mode": (
        lambda m, x: m.fc4(functional.avg_pool2d(m.relu(m.conv1(x)), 5, ceil_mode=True).flatten(1)),
        "avg_pool2d",
        "ceil_mode must be False",
    ),
    "dilated pool": (
        lambda m, x: m.fc(functional.max_pool2d(m.relu(m.conv1(x)), 2, dilation=2).flatten(1)),
        "max_pool2d",
        "dilation must be 1, not 2",
    ),
    "uneven adaptive pool": (
        lambda m, x: m.fc(functional.adaptive_avg_pool2d(m.relu(m.conv1(x)), 3).flatten(1)),
        "adaptive_avg_pool2d",
        "8 rows or columns do not divide into 3",
    ),
    "mean over channels": (
        lambda m, x: m.fc(m.relu(m.conv1(x)).mean(1).flatten(1)),
        "mean",
        "only the mean over the whole feature map",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_that_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])
