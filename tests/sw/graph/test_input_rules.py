"""Models that normalise their input themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.models.graphs import SHAPE, chain, refused
from torch import Tensor, nn

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph import Affine, Analysis, analyse, trace


class Normalising(nn.Module):
    """A convolution behind any arithmetic on images of two channels."""

    def __init__(self, normalise: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.normalise = normalise
        self.register_buffer("mean", torch.tensor([0.4, 0.5]).reshape(1, 2, 1, 1))
        self.register_buffer("std", torch.tensor([0.25, 0.2]).reshape(2, 1, 1))
        self.register_buffer("one", torch.tensor(0.5))
        self.register_buffer("columns", torch.ones(8))
        self.register_buffer("image", torch.ones(2, 8, 8) / 3)
        self.register_buffer("five", torch.ones(1, 5, 1, 1))
        self.weight = nn.Parameter(torch.ones(2, 1, 1))
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.fc = nn.Linear(256, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.conv(self.normalise(self, x))).flatten(1))


def analysed(normalise: Callable[[Any, Tensor], Tensor]) -> Analysis:
    return analyse(trace(Normalising(normalise)), SHAPE)


@pytest.mark.parametrize(
    "normalise",
    [
        lambda m, x: (x - m.mean) / m.std,
        lambda m, x: x.sub(m.mean).div(m.std),
        lambda m, x: torch.div(torch.sub(x, m.mean), m.std),
        lambda m, x: (m.mean - x) / -4,
        lambda m, x: 2 * x - 1,
        lambda m, x: x * 2 - 1,
        lambda m, x: -x + 1,
        lambda m, x: 1 - x,
        lambda m, x: torch.add(x.mul(m.one), m.one),
        lambda m, x: x.neg() / 255.0,
        lambda m, x: torch.mul(x, m.std) + m.mean,
    ],
)
def test_arithmetic_is_one_factor_and_summand_for_each_channel(
    normalise: Callable[[Any, Tensor], Tensor],
) -> None:
    found = analysed(normalise).require().affine()
    assert found is not None
    model = Normalising(normalise).double()
    images = torch.rand(3, *SHAPE, dtype=torch.float64)
    factors, shifts = (
        torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)
        for values in (found.factors, found.shifts)
    )
    torch.testing.assert_close(factors * images + shifts, normalise(model, images))


def test_no_arithmetic_is_no_normalisation() -> None:
    assert analysed(lambda m, x: x).affine() is None


def test_a_first_batch_norm() -> None:
    norm = nn.BatchNorm2d(2)
    norm.running_mean, norm.running_var = torch.tensor([0.4, 0.5]), torch.tensor([0.25, 0.04])
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -3.0]))
        norm.bias.copy_(torch.tensor([0.5, 0.0]))
    result = chain(norm, nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).require()
    images = torch.rand(3, *SHAPE)
    found = result.affine()
    assert found is not None
    factors, shifts = (torch.tensor(v).reshape(-1, 1, 1) for v in (found.factors, found.shifts))
    torch.testing.assert_close(factors * images + shifts, norm.eval()(images))
    (report,) = [r for r in result.reports if r.node == "_0"]
    assert report.reason == "normalises the input: part of the description of its pixels, and fixed"


def test_a_first_depthwise_convolution_of_one_pixel() -> None:
    scale = nn.Conv2d(2, 2, 1, groups=2)
    rest = (nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    found = chain(scale, *rest).require()
    assert len(found.layers) == 2
    affine = found.affine()
    assert affine is not None
    assert scale.bias is not None
    assert affine.factors == tuple(scale.weight.flatten().double().tolist())
    assert affine.shifts == tuple(scale.bias.double().tolist())


def test_a_depthwise_convolution_with_an_activation_is_a_layer() -> None:
    rest = (nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    found = chain(nn.Conv2d(2, 2, 1, groups=2), nn.ReLU(), *rest).require()
    assert len(found.layers) == 3
    assert found.affine() is None


@pytest.mark.parametrize(
    ("normalise", "message"),
    [
        (lambda m, x: x - m.image, r"normalises by a tensor of shape \(2, 8, 8\): only one number"),
        (lambda m, x: x * m.columns, r"a buffer of shape \(8,\), which torch applies to the colu"),
        (lambda m, x: x / 0.0, "divides by 0: use a standard deviation that is not 0"),
        (lambda m, x: x * 0, "multiplies a channel of the input by 0: leave that channel out"),
        (lambda m, x: 1 / x, "divides by the input, which is not linear: remove it"),
        (lambda m, x: torch.div(x, 2, rounding_mode="floor"), "rounds the input: round the images"),
        (lambda m, x: torch.sub(x, m.one, alpha=2), "alpha must be 1, not 2"),
        (
            lambda m, x: x * m.weight,
            "uses the tensor 'weight' directly: use modules .* register_bu",
        ),
        (lambda m, x: x * True, "computes with True: only numbers and buffers can be taken"),
        (lambda m, x: x * x, "tensors can be neither indexed nor multiplied"),
        (lambda m, x: x - m.five, "normalises 2 channels by 5 numbers"),
    ],
)
def test_arithmetic_that_is_refused(
    normalise: Callable[[Any, Tensor], Tensor], message: str
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        analysed(normalise).require()


def test_buffers_are_for_the_input_only() -> None:
    class Scaled(Normalising):
        one: Tensor

        def forward(self, x: Tensor) -> Tensor:
            return self.fc((torch.relu(self.conv(x)) * self.one).flatten(1))

    result = analyse(trace(Scaled(lambda m, x: x)), SHAPE)
    assert "uses the tensor 'one' directly" in refused(result).reason


def test_the_input_is_normalised_in_one_way() -> None:
    class Twice(Normalising):
        def __init__(self) -> None:
            super().__init__(lambda m, x: x)
            self.other = nn.Conv2d(2, 4, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(torch.relu(self.conv(x * 2) + self.other(x)).flatten(1))

    with pytest.raises(UnsupportedError, match="reads its input normalised in several ways"):
        analyse(trace(Twice()), SHAPE).require().affine()


def test_by_channel_behind_flattening() -> None:
    class Late(nn.Module):
        mean: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.ones(128))
            self.fc = nn.Linear(128, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x.flatten(1) - self.mean)

    result = analyse(trace(Late()), SHAPE)
    assert "normalises by channel behind flattening" in refused(result).reason


def test_vectors_have_a_number_for_each_feature() -> None:
    class Vector(nn.Module):
        mean: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.tensor([1.0, 2.0, 3.0]))
            self.fc = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x - self.mean)

    found = analyse(trace(Vector()), (3,)).require().affine()
    assert found == Affine((1.0, 1.0, 1.0), (-1.0, -2.0, -3.0))
