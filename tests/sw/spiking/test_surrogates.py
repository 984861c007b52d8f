"""Surrogate derivatives, beside the formulas of the papers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.spiking.neurons import burst
from spikeloom.sw.spiking.surrogates import ReLSGET, Sigmoid, Surrogate, surrogate_named


def gradient(x: float, largest: int, surrogate: Surrogate) -> float:
    value = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    burst(value, largest, surrogate).backward()
    assert value.grad is not None
    return value.grad.item()


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("beta", [2.0, 3.0, 5.0])
@pytest.mark.parametrize("x", [-1.3, 0.4, 0.9, 1.0, 1.45, 2.6, 3.2, 5.0])
def test_relsg_et_is_the_published_one_without_its_jump(
    alpha: float, beta: float, x: float
) -> None:
    distance = min(abs(x - k) for k in (1, 2, 3))
    published = 1.0 if distance <= alpha else math.exp(-beta * distance)
    continuous = published if distance <= alpha else published * math.exp(beta * alpha)
    found = gradient(x, 3, surrogate_named(None, alpha=alpha, beta=beta))
    assert found == pytest.approx(continuous, rel=1e-12)


@pytest.mark.parametrize("x", [-2.0, 0.0, 0.9, 1.0, 1.3, 3.0])
@pytest.mark.parametrize("kappa", [6.7, 10.0, 15.0])
def test_the_sigmoid_has_the_slope_of_eq_32(x: float, kappa: float) -> None:
    sigma = 1 / (1 + math.exp(-kappa * (x - 1)))  # its threshold is 1
    found = gradient(x, 1, surrogate_named("sigmoid", kappa=(kappa,)))
    assert found == pytest.approx(kappa * sigma * (1 - sigma), rel=1e-9)


def test_kappa_grows_as_in_the_paper() -> None:
    surrogate = surrogate_named("sigmoid")
    steep = {0: 6.7, 9: 6.7, 10: 10.0, 19: 10.0, 20: 15.0, 400: 15.0}
    for epoch, kappa in steep.items():
        assert surrogate.at(epoch) == Sigmoid((kappa,), (0,)), epoch
    assert ReLSGET().at(7) == ReLSGET(0.25, 3.0)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sigmod", {}, "no surrogate is called 'sigmod'; there are relsg-et, sigmoid"),
        (None, {"kappa": (1.0,)}, "the surrogate 'relsg-et' has no kappa, but alpha and beta"),
        ("sigmoid", {"alpha": 0.5}, "has no alpha, but kappa and kappa_epochs"),
        (None, {"alpha": -1.0}, "alpha must be at least 0"),
        (None, {"beta": 0.0}, "beta must be positive"),
        ("sigmoid", {"kappa": (1.0, 0.0)}, "kappa must be positive"),
        ("sigmoid", {"kappa": (1.0, 2.0)}, "a growing list of 2 epochs"),
        ("sigmoid", {"kappa": (1.0, 2.0), "kappa_epochs": (1, 2)}, "the first 0"),
        ("sigmoid", {"kappa": (1.0, 2.0, 3.0), "kappa_epochs": (0, 4, 4)}, "growing list of 3"),
    ],
)
def test_surrogates_that_make_no_sense(
    name: str | None, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        surrogate_named(name, **options)
