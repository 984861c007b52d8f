"""Losses: closed forms of two layers' differences."""

from __future__ import annotations

import math

import pytest
import torch

from spikeloom.sw.calibration import Loss
from spikeloom.sw.tasks.task import TEMPERATURE


def test_kinds_are_found_by_name() -> None:
    assert list(Loss.kinds) == ["mse", "kl"]


def test_squares() -> None:
    loss = Loss.kinds["mse"]()
    student, teacher = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 1.0]])
    # Differences 2 and 1: half of 5/2, over (9 + 1)/2.
    assert loss.logits(student, teacher).item() == pytest.approx(1.25 / 5)
    # The same in other units.
    assert loss.rates(student / 8, teacher / 8).item() == pytest.approx(1.25 / 5)


def test_the_gradient_of_squares_is_the_papers() -> None:
    # Eq. 15: ∂/∂o = o - o_ANN, but for the constant that it is measured in.
    student = torch.tensor([[1.0, 2.0]], requires_grad=True)
    teacher = torch.tensor([[3.0, 1.0]])
    Loss.kinds["mse"]().logits(student, teacher).backward()
    assert student.grad is not None
    torch.testing.assert_close(student.grad, (student.detach() - teacher) / (2 * 5))


def test_layers_that_hardly_fire_do_not_divide_by_nothing() -> None:
    value = Loss.kinds["mse"]().rates(torch.full((1, 4), 0.01), torch.zeros(1, 4))
    assert value.item() == pytest.approx(0.5)


def test_divergence() -> None:
    loss = Loss.kinds["kl"]()
    student = torch.tensor([[0.0, 0.0]])
    teacher = torch.tensor([[math.log(3), 0.0]])
    # 3/4 and 1/4 from 1/2 and 1/2.
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert loss.rates(student, teacher).item() == pytest.approx(expected)
    softened = loss.logits(student, teacher * TEMPERATURE).item()
    assert softened == pytest.approx(expected * TEMPERATURE**2)
    # Of several images the mean, of layers with a shape all neurons together.
    image = torch.stack([student, student]).reshape(2, 1, 1, 2)
    target = torch.stack([teacher, student]).reshape(2, 1, 1, 2)
    assert loss.rates(image, target).item() == pytest.approx(expected / 2)


@pytest.mark.parametrize("kind", list(Loss.kinds))
def test_nothing_is_lost_between_equals(kind: str) -> None:
    values = torch.randn(3, 2, 4, 4)
    assert Loss.kinds[kind]().rates(values, values).item() == pytest.approx(0, abs=1e-6)
