"""QCFS: values, gradients in closed form, and gradients that survive a symbolic trace."""

from __future__ import annotations

import copy
import math
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import fx, nn

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.graph import trace
from spikeloom.sw.network import Neuron, Signed
from spikeloom.sw.network.neurons import MAX_SPIKE
from spikeloom.sw.quantized import QCFS, Activation, SignedQCFS


def test_the_values_are_those_of_the_paper() -> None:
    layer = QCFS(4, 2.0)
    x = torch.tensor([-1.0, 0.0, 0.24, 0.25, 0.74, 0.75, 1.9, 2.0, 9.0])
    expected = torch.tensor([0, 0, 0, 0.5, 0.5, 1.0, 2.0, 2.0, 2.0])
    assert torch.equal(layer(x), expected)


@given(st.integers(1, 64), st.integers(-300, 600), st.integers(1, 8))
def test_every_level_starts_at_half_a_step_below_it(
    levels: int, numerator: int, scale: int
) -> None:
    # λ a power of two and x a dyadic number: the float arithmetic of x/λ·L is exact.
    threshold = 2.0 ** (scale - 4)
    x = Fraction(numerator, 256) * Fraction(threshold)
    clipped = min(max(x / Fraction(threshold), Fraction(0)), Fraction(1))
    expected = math.floor(clipped * levels + Fraction(1, 2))
    got = QCFS(levels, threshold).double()(torch.tensor([float(x)], dtype=torch.float64)).item()
    assert round(got / threshold * levels) == expected


def test_gradients_equal_the_closed_form() -> None:
    layer = QCFS(4, 1.6).double()
    x = torch.linspace(-1, 3, 401, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(401, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = layer(x)
    (y * weight).sum().backward()
    threshold = layer.threshold
    ratio = x.detach() / threshold
    inside = (ratio >= 0) & (ratio <= 1)
    assert x.grad is not None
    assert torch.equal(x.grad, weight * inside)
    q = y.detach() / threshold
    slope = torch.where(inside, q - ratio, (ratio > 1).double())
    by_log = (weight * slope).sum() * threshold  # dλ/d(ln λ) = λ
    assert layer.log_threshold.grad is not None
    assert layer.log_threshold.grad.item() == pytest.approx(by_log.item(), rel=1e-12)


@pytest.mark.parametrize(("x", "slope"), [(-0.5, 0.0), (0.3, 0.25 - 0.3), (1.5, 1.0)])
def test_the_gradient_of_the_threshold_below_inside_and_above(x: float, slope: float) -> None:
    layer = QCFS(4, 1.0).double()
    layer(torch.tensor([x], dtype=torch.float64)).sum().backward()
    assert layer.log_threshold.grad is not None
    assert layer.log_threshold.grad.item() == pytest.approx(slope)


def test_gradients_survive_tracing() -> None:
    model = nn.Sequential(nn.Linear(5, 7), QCFS(4, 0.5), nn.Linear(7, 3))
    traced = trace(model)
    assert [n.op for n in traced.graph.nodes].count("call_module") == 3
    x = torch.rand(16, 5, requires_grad=True)
    traced(x).square().sum().backward()
    activation = traced.get_submodule("1")
    assert isinstance(activation, QCFS)
    assert activation.log_threshold.grad is not None
    assert activation.log_threshold.grad.item() != 0
    assert x.grad is not None
    assert bool((x.grad != 0).any())


def test_the_plain_tracer_would_look_inside() -> None:
    # The reason why ours must not: if this changes, QCFS need not be a leaf any more.
    graph = fx.Tracer().trace(nn.Sequential(QCFS(4)))
    assert not any(node.op == "call_module" for node in graph.nodes)


def test_lambda_stays_positive_whatever_the_optimizer_does() -> None:
    layer = QCFS(4, 1e-3)
    optimizer = torch.optim.SGD(layer.parameters(), lr=10.0)
    for _ in range(5):
        optimizer.zero_grad()
        layer(torch.ones(100)).sum().backward()
        optimizer.step()
        assert layer.threshold > 0


def test_one_threshold_per_channel_would_broadcast() -> None:
    layer = QCFS(2)
    layer.log_threshold = nn.Parameter(torch.tensor([0.0, 1.0]).reshape(2, 1, 1))
    layer(torch.full((3, 2, 4, 4), 9.0)).sum().backward()
    assert layer.log_threshold.grad is not None
    assert layer.log_threshold.grad.flatten().tolist() == pytest.approx([48.0, 48 * math.e])


def test_float64_copies_share_the_threshold() -> None:
    layer = QCFS(4, 0.7)
    assert copy.deepcopy(layer).double().threshold == layer.threshold


@pytest.mark.parametrize("levels", [0, -1, 4097])
def test_levels_out_of_range(levels: int) -> None:
    with pytest.raises(ConfigError, match=f"from 1 to 4096, not {levels}"):
        QCFS(levels)


def test_levels_that_are_no_integer() -> None:
    with pytest.raises(ConfigError, match=r"must be an integer, not 2\.5"):
        QCFS(2.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.inf, math.nan])
def test_thresholds_that_are_not_positive(threshold: float) -> None:
    with pytest.raises(ConfigError, match="positive and finite"):
        QCFS(4, threshold)


@given(st.integers(1, 16), st.integers(-600, 600), st.integers(-3, 3), st.integers(-4, 0))
def test_signed_values_are_those_of_the_definition(
    levels: int, numerator: int, ratio_bits: int, slope_bits: int
) -> None:
    # λ = 1 has an exact logarithm, and the rest are powers of two: ties are met exactly.
    threshold, ratio, slope = 1.0, 2.0**ratio_bits, 2.0**slope_bits
    layer = SignedQCFS(levels, threshold, slope, ratio).double()
    x = Fraction(numerator, 64)
    edge = (
        Fraction(threshold) if x >= 0 else Fraction(ratio) * Fraction(threshold) / Fraction(slope)
    )
    level = min(max(math.floor(abs(x) * levels / edge + Fraction(1, 2)), 0), levels)
    expected = level * threshold / levels * (1 if x >= 0 else -ratio)
    tensor = torch.tensor([float(x)], dtype=torch.float64)
    assert layer(tensor).item() == pytest.approx(expected, rel=1e-12)
    up, down = layer.amplitudes
    assert layer.counts(tensor).item() == level * (up if x >= 0 else -down)
    assert (down / up, min(up, down)) == (ratio, 1)
    assert layer.negative_threshold == ratio * threshold / slope


@pytest.mark.parametrize(
    ("slope", "ratio"),
    [(0.01, 2**-7), (0.1, 0.125), (0.125, 0.125), (0.2, 0.25), (0.3, 0.25), (0.9, 1)],
)
def test_the_ratio_is_the_power_of_two_that_is_nearest(slope: float, ratio: float) -> None:
    assert SignedQCFS(4, 1.0, slope).ratio == ratio


def test_signed_gradients_equal_the_closed_form() -> None:
    threshold, slope, ratio = 1.6, 0.2, 0.5
    layer = SignedQCFS(4, threshold, slope, ratio).double()
    negative = ratio * layer.threshold / slope
    x = torch.linspace(-2 * negative, 3, 601, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(601, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = layer(x)
    (y * weight).sum().backward()
    z = x.detach()
    share = torch.where(z < 0, -z / negative, z / layer.threshold)
    inside = share <= 1
    assert x.grad is not None
    assert torch.allclose(x.grad, weight * inside * torch.where(z < 0, slope, 1.0))
    # y = λ·h·q with share ~ 1/λ: dy/dλ = h·(q - share) inside, h·q outside
    q = y.detach().abs() / layer.threshold / torch.where(z < 0, ratio, 1.0)
    height = torch.where(z < 0, -ratio, 1.0)
    by_threshold = height * (q - share * inside)
    assert layer.log_threshold.grad is not None
    expected = (weight * by_threshold).sum().item() * layer.threshold
    assert layer.log_threshold.grad.item() == pytest.approx(expected, rel=1e-9)


def test_the_gradient_of_signed_thresholds_is_a_slope() -> None:
    # Where no level is near, a difference quotient sees the derivative of λ·h·q alone.
    layer = SignedQCFS(4, 1.0, 0.25, 0.25).double()
    for x in (-9.0, 9.0):
        layer.zero_grad()
        y = layer(torch.tensor([x], dtype=torch.float64))
        y.sum().backward()
        assert layer.log_threshold.grad is not None
        assert layer.log_threshold.grad.item() == pytest.approx(y.item())


@pytest.mark.parametrize("percentile", [50.0, 100.0])
def test_thresholds_from_values(percentile: float) -> None:
    values = torch.tensor([[-8.0, -4.0, 0.0], [1.0, 2.0, 3.0]])
    layer = QCFS()
    layer.initialise_from(values, percentile)
    assert layer.threshold == pytest.approx(2.0 if percentile == 50 else 3.0)
    signed = SignedQCFS(4, 1.0, slope=0.25, ratio=0.5)  # N = 2λ: -8 just fits λ = 4
    signed.initialise_from(values, percentile)
    assert signed.threshold == pytest.approx(2.0 if percentile == 50 else 4.0)


@pytest.mark.parametrize("layer", [QCFS(4, 0.7), SignedQCFS(4, 0.7)])
def test_a_layer_that_never_fires_keeps_its_threshold(layer: Activation) -> None:
    layer.initialise_from(torch.zeros(5), 99.0)
    assert layer.threshold == pytest.approx(0.7)


@pytest.mark.parametrize("layer", [QCFS(), SignedQCFS()])
def test_neurons_that_stand_for_activations_exist(layer: Activation) -> None:
    assert set(layer.neurons) <= set(Neuron.kinds)
    assert set(layer.default_neuron.values()) <= set(layer.neurons)
    assert layer.signed == (Neuron.kinds[layer.neurons[0]] is Signed)
    assert (layer.negative_threshold is None) == (not layer.signed)


@pytest.mark.parametrize("options", [{"slope": 0.0}, {"slope": math.inf}, {"ratio": -0.5}])
def test_slopes_and_ratios_that_are_not_positive(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be positive and finite"):
        SignedQCFS(4, 1.0, **options)


@pytest.mark.parametrize(("ratio", "near"), [(0.3, "0.25"), (3.0, "4"), (0.007, "0.0078125")])
def test_ratios_that_are_no_power_of_two(ratio: float, near: str) -> None:
    layer = SignedQCFS(4, 1.0, 0.3, ratio)
    with pytest.raises(ConfigError, match=rf"power of two, not .*SignedQCFS\(ratio={near}\)"):
        _ = layer.amplitudes


def test_what_signed_layers_say_of_themselves() -> None:
    assert repr(SignedQCFS(8, 2.0, 0.1)) == (
        "SignedQCFS(levels=8, threshold=2, slope=0.1, ratio=0.125)"
    )


@pytest.mark.parametrize("apart", [1.0, 1.3, 0.8])
def test_a_negative_threshold_that_is_learned_apart(apart: float) -> None:
    """θ_N = βλ, β being a power of two: gradients by θ_N from below 0, by λ from above alone."""
    slope, threshold = 0.2, 1.6
    layer = SignedQCFS(4, threshold, slope, 0.5, negative=True).double()
    assert layer.log_negative is not None
    assert math.exp(layer.log_negative.item()) == pytest.approx(0.5 * threshold)
    with torch.no_grad():
        layer.log_negative.add_(math.log(apart))  # by less than the root of 2: β stays
    assert layer.ratio == 0.5
    x = torch.linspace(-9, 3, 601, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(601, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = layer(x)
    fixed = SignedQCFS(4, threshold, slope, 0.5).double()
    assert torch.allclose(y, fixed(x.detach()), rtol=1e-14)
    (y * weight).sum().backward()
    z, limit = x.detach(), 0.5 * layer.threshold
    share = torch.where(z < 0, -z * slope / limit, z / layer.threshold)
    inside = share <= 1
    q = torch.floor(share.clamp(max=1) * 4 + 0.5) / 4
    # y = -θ_N·q with share ~ 1/θ_N below 0, and λ·q above.
    below = -(weight * (q - share * inside))[z < 0].sum().item()
    above = (weight * (q - share * inside))[z >= 0].sum().item()
    assert layer.log_negative.grad is not None
    assert layer.log_threshold.grad is not None
    assert layer.log_negative.grad.item() == pytest.approx(below * limit, rel=1e-9)
    assert layer.log_threshold.grad.item() == pytest.approx(above * layer.threshold, rel=1e-9)
    # Eq. 24 with N = θ_N / slope: θ_N gets its own part of the gradient.
    layer.zero_grad()
    (layer.scale()[0].square() * (1 + layer.negative_reach**2)).backward()
    assert layer.log_negative.grad is not None
    assert layer.log_negative.grad.item() == pytest.approx(2 * (limit / slope) ** 2)
    assert layer.log_threshold.grad.item() == pytest.approx(2 * layer.threshold**2)


def test_a_learned_negative_threshold_moves_by_powers_of_two_and_settles() -> None:
    layer = SignedQCFS(4, 1.0, 0.25, 0.25, negative=True)
    assert layer.log_negative is not None
    for learned, ratio in ((0.36, 0.5), (0.35, 0.25), (1e-9, 1 / MAX_SPIKE), (1e9, MAX_SPIKE)):
        with torch.no_grad():
            layer.log_negative.fill_(math.log(learned))
        assert layer.ratio == ratio
        assert layer.amplitudes[1] / layer.amplitudes[0] == ratio
        assert layer.negative_threshold == pytest.approx(ratio / 0.25)
    layer.initialise_from(torch.tensor([-4.0, -1.0, 3.0]), 100)
    assert layer.threshold == pytest.approx(3)
    assert math.exp(layer.log_negative.item()) == pytest.approx(4 * 0.25)
    assert layer.ratio == 0.25  # of 1/4 and 1/2, the nearest to 1/3
    copy = SignedQCFS(4, 1.0, 0.25)
    copy.load_state_dict(layer.state_dict())
    assert copy.ratio == 0.25
    assert copy.log_negative is not None
    layer.settle()
    layer.set_threshold(30.0)
    assert layer.ratio == 0.25
    assert [name for name, _ in layer.named_parameters()] == ["log_threshold"]
    again = SignedQCFS(4, 1.0, 0.7)
    again.load_state_dict(layer.state_dict())
    assert again.ratio == 0.25
    again.learn_negative()
    assert again.ratio == 0.25
