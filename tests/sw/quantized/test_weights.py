"""Integer weights: range, best scale, straight-through gradient, and exact reproduction."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.quantized import QuantConv2d, QuantLinear
from spikeloom.sw.quantized.weights import best_scale, largest, quantize


def error(weight: Tensor, scale: Tensor, bits: int) -> Tensor:
    q = quantize(weight, scale, bits)
    return (weight - q * scale[:, None]).square().sum(1)


def weights(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("bits", "top"), [(2, 1), (3, 3), (4, 7), (8, 127), (16, 32767)])
def test_the_range_is_narrow(bits: int, top: int) -> None:
    assert largest(bits) == top
    q = quantize(torch.tensor([[-1e9, 1e9, 0.0]]), torch.ones(1), bits)
    assert q.tolist() == [[-top, top, 0]]


@pytest.mark.parametrize("bits", [1, 17, 0, -3])
def test_bits_out_of_range(bits: int) -> None:
    with pytest.raises(ConfigError, match=f"from 2 to 16, not {bits}"):
        largest(bits)


def test_bits_that_are_no_integer() -> None:
    with pytest.raises(ConfigError, match="must be an integer, not True"):
        largest(True)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_the_scale_beats_every_scale_of_a_fine_search(bits: int) -> None:
    weight = weights(6, 144)
    found = error(weight, best_scale(weight, bits), bits)
    tried = torch.stack(
        [
            error(weight, weight.abs().amax(1) * ratio / largest(bits), bits)
            for ratio in np.linspace(0.05, 1.1, 400)
        ]
    )
    # At 8 bits the error has hundreds of narrow minima, a few per cent apart.
    assert bool((found <= tried.amin(0) * 1.05).all())


def test_the_scale_is_a_fixed_point_of_least_squares() -> None:
    weight = weights(8, 200).double()
    scale = best_scale(weight, 4)
    q = quantize(weight, scale, 4).double()
    refitted = (weight * q).sum(1) / q.square().sum(1)
    assert torch.allclose(error(weight, refitted, 4), error(weight, scale, 4), rtol=1e-2)


@given(st.integers(2, 16), st.integers(1, 5), st.integers(1, 30), st.integers(0, 99))
def test_integers_are_recovered_exactly(bits: int, rows: int, columns: int, seed: int) -> None:
    # Weights that are integers times a scale, with the extreme value present, lose nothing.
    generator = torch.Generator().manual_seed(seed)
    top = largest(bits)
    integers = torch.randint(-top, top + 1, (rows, columns), generator=generator).double()
    integers[:, 0] = top
    scales = torch.rand(rows, generator=generator).double() + 0.1
    found = best_scale(integers * scales[:, None], bits)
    assert torch.equal(quantize(integers * scales[:, None], found, bits).double(), integers)


def test_zero_channels_have_a_scale() -> None:
    weight = torch.zeros(2, 5)
    assert best_scale(weight, 8).tolist() == [1.0, 1.0]
    assert best_scale(weight, 8, per_channel=False).tolist() == [1.0]


def test_channels_do_not_influence_each_other() -> None:
    weight = weights(4, 50)
    together = best_scale(weight, 4)
    for row in range(4):
        assert torch.equal(best_scale(weight[row : row + 1], 4), together[row : row + 1])


def conv(**options: Any) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(3, 5, 3, stride=2, padding=1, **options)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("per_channel", [True, False])
def test_the_layer_computes_with_its_integer_weights(bits: int, per_channel: bool) -> None:
    layer = QuantConv2d.of(conv(), bits, per_channel).eval()
    assert layer.scale.shape == ((5,) if per_channel else (1,))
    rebuilt = nn.Conv2d(3, 5, 3, stride=2, padding=1)
    scale = torch.tensor(layer.channel_scale())[:, None, None, None]
    rebuilt.weight = nn.Parameter(torch.from_numpy(layer.int_weight()) * scale)
    rebuilt.bias = layer.bias
    x = torch.rand(2, 3, 9, 9)
    assert torch.equal(layer(x), rebuilt(x))
    assert int(np.abs(layer.int_weight()).max()) <= largest(bits)


def test_a_float64_copy_has_the_same_integers() -> None:
    layer = QuantLinear.of(nn.Linear(300, 40), 8)
    doubled = copy.deepcopy(layer).double().eval()
    assert np.array_equal(layer.int_weight(), doubled.int_weight())
    q = doubled.quantized_weight() / doubled.scale[:, None]
    assert np.array_equal(q.round().detach().numpy(), doubled.int_weight())


def test_the_gradient_passes_straight_through() -> None:
    layer = QuantLinear.of(nn.Linear(6, 4), 2).eval()
    x = torch.rand(3, 6)
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    assert torch.equal(layer.weight.grad, x.sum(0).expand(4, 6))


def test_the_scale_follows_in_training_and_rests_in_eval() -> None:
    torch.manual_seed(0)
    layer = QuantLinear.of(nn.Linear(20, 4), 4)
    before = layer.scale.clone()
    with torch.no_grad():
        layer.weight *= 1.3
    layer.eval()(torch.rand(1, 20))
    assert torch.equal(layer.scale, before)
    layer.train()
    errors = [error(layer.weight, before, 4)]
    for _ in range(20):
        layer(torch.rand(1, 20))
        errors.append(error(layer.weight, layer.scale, 4))
    # Rounding is best for a scale, and the scale for what was rounded: no step is for the worse.
    assert all(bool((b <= a * (1 + 1e-5)).all()) for a, b in pairwise(errors))
    assert bool((errors[-1] < errors[0]).all())
    # A rest is reached, which need not be the best of all.
    assert torch.equal(errors[-1], errors[-2])


def test_a_channel_that_was_zero_comes_back() -> None:
    linear = nn.Linear(8, 2)
    with torch.no_grad():
        linear.weight.zero_()
    layer = QuantLinear.of(linear, 8)
    assert layer.int_weight().any() == False  # noqa: E712  # numpy's bool
    with torch.no_grad():
        layer.weight.copy_(weights(2, 8) * 1e-3)
    layer.train()(torch.rand(1, 8))
    assert np.abs(layer.int_weight()).max() == 127


def test_the_parameters_are_taken_over_without_random_numbers() -> None:
    original = conv()
    state = torch.random.get_rng_state()
    layer = QuantConv2d.of(original, 8)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert layer.weight is original.weight
    assert "bits=8" in repr(layer)


@pytest.mark.parametrize("kind", [QuantConv2d, QuantLinear])
def test_weights_that_are_multiples_of_a_scale_stay_so(kind: Any) -> None:
    # No channel reaches the largest integer, so that the best scale would be another one.
    integers = torch.randint(-5, 6, (4, 3), generator=torch.Generator().manual_seed(0))
    scale = torch.tensor([0.01, 0.3, 1.7, 1e-6])
    shape = (4, 3, 1, 1) if kind is QuantConv2d else (4, 3)
    original: Any = nn.Conv2d(3, 4, 1) if kind is QuantConv2d else nn.Linear(3, 4)
    original.weight = nn.Parameter((integers * scale[:, None]).reshape(shape))
    layer = kind.of(original, 8, scale=scale)
    assert layer.int_weight().reshape(4, 3).tolist() == integers.tolist()
    assert layer.channel_scale() == scale.double().tolist()
