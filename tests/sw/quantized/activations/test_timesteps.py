"""Learned timesteps: the paper's gradients, whole numbers forward, and T that cannot get lost."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.quantized import QCFS, Activation, SignedQCFS
from spikeloom.sw.quantized.activations import MAX_LEARNED, Timesteps

LEARNED = ("n,d", "n,alpha", "d,alpha", "t,alpha")

names = st.sampled_from(LEARNED)
#: t before rounding, so that the rounding matters, and alpha. t comes back from a logarithm, whose
#: last bits decide at a half.
steps = st.floats(1.0, 40.0).filter(lambda t: abs(t % 1 - 0.5) > 1e-9)
thresholds = st.floats(0.05, 20.0)
#: x as a share of alpha; away from the borders, at which the sides of the gradient meet.
shares = st.floats(0.001, 0.999) | st.floats(1.001, 3.0)


def made(name: str, t: float, alpha: float, kind: type[Activation] = QCFS) -> Activation:
    """Return an activation in float64 whose t is no whole number."""
    whole = math.floor(t + 0.5)
    layer = kind(whole, alpha, learn=name).double()
    set_steps(layer, t)
    return layer


def set_steps(layer: Activation, t: float) -> None:
    """Move t, and nothing else: alpha stays, of "n,d" d does."""
    threshold = layer.log_threshold.item()
    stored = {
        "n,d": math.log2(t) if t > 0 else -9.0,
        "n,alpha": math.log2(t) if t > 0 else -9.0,
        "d,alpha": threshold - math.log(t) if t > 0 else math.inf,
        "t,alpha": t,
    }
    (value,) = layer.timesteps.learned()
    with torch.no_grad():
        value.fill_(stored[layer.timesteps.name])


def gradients(layer: Activation, x: float) -> tuple[float, dict[str, float]]:
    """Return Q(x) and its gradients by the parameters of the paper."""
    y = layer(torch.tensor([x], dtype=torch.float64))
    layer.zero_grad()
    y.sum().backward()
    (value,) = layer.timesteps.learned()
    assert value.grad is not None
    assert layer.log_threshold.grad is not None
    by_value, by_log = value.grad.item(), layer.log_threshold.grad.item()
    stored = math.exp(layer.log_threshold.item())  # of "n,d" it is d
    found = {
        "n,d": {"n": by_value, "d": by_log / stored},
        "n,alpha": {"n": by_value, "alpha": by_log / stored},
        "d,alpha": {"d": by_value / math.exp(value.item()), "alpha": by_log / stored},
        "t,alpha": {"t": by_value, "alpha": by_log / stored},
    }
    return y.item(), found[layer.timesteps.name]


@given(names, steps, thresholds, shares)
def test_gradients_are_those_of_the_paper(name: str, t: float, alpha: float, share: float) -> None:
    layer = made(name, t, alpha)
    alpha, count = layer.threshold, layer.levels
    x = share * alpha
    q, found = gradients(layer, x)
    # eq. 7 to 10
    d = {"n,d": alpha / count, "d,alpha": alpha / t}.get(name, math.nan)
    error = q - x
    inside = {
        "n,d": {"n": 0.0, "d": error / d},
        "n,alpha": {"n": -math.log(2) * error, "alpha": error / alpha},
        "d,alpha": {"d": error / d, "alpha": 0.0},
        "t,alpha": {"t": -error / t, "alpha": error / alpha},
    }
    above = {
        "n,d": {"n": math.log(2) * count * d, "d": float(count)},
        "n,alpha": {"n": 0.0, "alpha": 1.0},
        "d,alpha": {"d": 0.0, "alpha": 1.0},
        "t,alpha": {"t": 0.0, "alpha": 1.0},
    }
    expected = (inside if share <= 1 else above)[name]
    if min(t - 1, MAX_LEARNED - t) > 1e-9:  # gradients that lead out of the range are dropped
        assert found == pytest.approx(expected, rel=1e-8, abs=1e-9 * max(1.0, alpha))


def _identity(x: Tensor, rounded: Tensor) -> Tensor:
    return x + (rounded - x).detach()


def surrogate(x: Tensor, alpha: Tensor, log_steps: Tensor) -> Tensor:
    """Q with the identity's derivative for both roundings; of T, on a logarithmic scale."""
    t = log_steps.exp()
    count = t * (torch.floor(t.detach() + 0.5) / t.detach())
    scaled = x * count / alpha
    level = _identity(scaled, torch.floor(scaled.detach() + 0.5))
    return alpha / count * torch.where(x > alpha, count, torch.where(x < 0, 0 * x, level))


#: alpha and ln t, from the two parameters as they are stored, and t.
RULES: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "n,alpha": lambda value, log: (log.exp(), value * math.log(2)),
    "d,alpha": lambda value, log: (log.exp(), log - value),
    "t,alpha": lambda value, log: (log.exp(), value.log()),
}


def _step_rule(value: Tensor, log: Tensor) -> tuple[Tensor, Tensor]:
    t = (value * math.log(2)).exp()
    count = t * (torch.floor(t.detach() + 0.5) / t.detach())
    return log.exp() * count, value * math.log(2)


@given(names, st.floats(1.01, 40.0), thresholds, st.integers(0, 2**31))
def test_gradients_of_a_whole_layer_are_those_of_the_surrogate(
    name: str, t: float, alpha: float, seed: int
) -> None:
    layer = made(name, t, alpha)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(200, generator=generator, dtype=torch.float64) * alpha
    weight = torch.randn(200, generator=generator, dtype=torch.float64)
    (value,) = layer.timesteps.learned()
    leaves = [p.detach().clone().requires_grad_() for p in (value, layer.log_threshold)]
    rule = _step_rule if name == "n,d" else RULES[name]
    expected = surrogate(x, *rule(*leaves))
    found = layer(x)
    assert torch.allclose(found, expected.detach(), rtol=1e-9)
    (expected * weight).sum().backward()
    (found * weight).sum().backward()
    for leaf, parameter in zip(leaves, (value, layer.log_threshold), strict=True):
        assert leaf.grad is not None
        assert parameter.grad is not None
        scale = (x.abs() * weight.abs()).sum().item()
        assert parameter.grad.item() == pytest.approx(leaf.grad.item(), rel=1e-7, abs=1e-9 * scale)


@given(names, st.floats(1.01, 40.0), thresholds, st.floats(-3.0, 3.0))
def test_signed_layers_learn_on_both_sides(
    name: str, t: float, threshold: float, share: float
) -> None:
    # Below zero the signed layer is -β times the unsigned one at -x·slope/β, and so are gradients.
    slope, ratio = 0.2, 0.25
    plain = made(name, t, threshold)
    signed = SignedQCFS(plain.levels, threshold, slope, ratio, learn=name).double()
    set_steps(signed, t)
    x = share * threshold
    if min(abs(share), abs(abs(share) - 1), abs(abs(share) * slope / ratio - 1)) < 1e-6:
        return
    height = 1.0 if x > 0 else -ratio
    y, found = gradients(signed, x)
    expected_y, expected = gradients(plain, x if x > 0 else -x * slope / ratio)
    assert y == pytest.approx(height * expected_y)
    for parameter, value in expected.items():
        assert found[parameter] == pytest.approx(height * value, rel=1e-7, abs=1e-9 * threshold)


@given(names, steps, thresholds)
def test_learned_layers_compute_what_fixed_ones_do(name: str, t: float, alpha: float) -> None:
    layer = made(name, t, alpha)
    assert layer.levels == math.floor(t + 0.5)
    fixed = QCFS(layer.levels).double()
    fixed.set_threshold(layer.threshold)
    share = torch.linspace(-1, 2, 301, dtype=torch.float64)
    # λ = dT is exp(ln d + ln T) up to its last bits: leave out where they decide.
    x = share[((share * layer.levels) % 1 - 0.5).abs() > 1e-9] * layer.threshold
    with torch.no_grad():
        assert torch.equal(layer.counts(x), fixed.counts(x))
        assert torch.allclose(layer(x), fixed(x))


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("kind", [QCFS, SignedQCFS])
def test_settling_keeps_lambda_and_t(name: str, kind: type[Activation]) -> None:
    layer = made(name, 2.7, 1.3, kind)
    x = torch.linspace(-3, 3, 77, dtype=torch.float64)
    before, threshold = layer(x), layer.threshold
    assert layer.levels == 3
    layer.learn(None)
    assert (layer.levels, layer.threshold) == (3, pytest.approx(threshold))
    assert torch.allclose(layer(x), before)
    assert list(dict(layer.named_parameters())) == ["log_threshold"]
    assert layer.log_threshold.exp().item() == pytest.approx(threshold)
    assert layer.log_threshold.dtype == torch.float64


@pytest.mark.parametrize("name", [*LEARNED, "clip", "fixed"])
def test_lambda_and_t_can_be_set_each_on_its_own(name: str) -> None:
    layer = QCFS(4, 1.5, learn=name)
    assert (layer.levels, layer.threshold) == (4, pytest.approx(1.5))
    layer.set_threshold(0.3)
    assert (layer.levels, layer.threshold) == (4, pytest.approx(0.3))
    layer.set_levels(7)
    assert (layer.levels, layer.threshold) == (7, pytest.approx(0.3))
    layer.initialise_from(torch.tensor([0.5, 2.0]), 100)
    assert (layer.levels, layer.threshold) == (7, pytest.approx(2.0))


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("t", [-5.0, 0.0, 0.2, 1e9])
def test_t_stays_in_range_and_finds_its_way_back(name: str, t: float) -> None:
    layer = made(name, 4.0, 1.0)
    set_steps(layer, t)
    end = 1 if t < 1 else MAX_LEARNED
    assert layer.levels == end
    x = torch.rand(50, dtype=torch.float64)
    assert bool(layer(x).isfinite().all())
    (value,) = layer.timesteps.learned()
    # d(sum of T)/dt: a step against it leads out at T = 1, and back at the upper end.
    for sign in (1.0, -1.0):
        layer.zero_grad()
        steps = layer.scale()[1]
        assert isinstance(steps, Tensor)
        (sign * steps).backward()
        assert value.grad is not None
        outwards = (sign > 0) == (end == 1)
        assert (value.grad.item() == 0) == outwards
        assert math.isfinite(value.grad.item())


@pytest.mark.parametrize("name", LEARNED)
def test_t_survives_an_optimizer_gone_wild(name: str) -> None:
    layer = QCFS(4, 1.0, learn=name)
    optimizer = torch.optim.SGD(layer.parameters(), lr=3.0, momentum=0.9)
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        optimizer.zero_grad()
        (layer(torch.rand(100, generator=generator)) - 0.5).square().sum().backward()
        optimizer.step()
        assert 1 <= layer.levels <= MAX_LEARNED


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("name", LEARNED)
def test_what_is_not_finite_is_still_a_number_of_timesteps(name: str, value: float) -> None:
    layer = QCFS(4, learn=name)
    with torch.no_grad():
        layer.timesteps.learned()[0].fill_(value)
    assert layer.levels in (1, MAX_LEARNED)


def test_t_is_the_same_number_in_every_precision() -> None:
    for name in LEARNED:
        for t in (1.5, 2.5, 4.5, 6.4999999):
            layer = QCFS(3, 0.7, learn=name)
            set_steps(layer, t)
            double = copy.deepcopy(layer).double()
            seen = double.scale()[1]
            assert isinstance(seen, Tensor)
            assert layer.levels == double.levels == seen.item()


def test_clipping_alone() -> None:
    layer = QCFS(4, 2.0, learn="clip").double()
    x = torch.tensor([-1.0, 0.3, 1.9, 5.0], dtype=torch.float64, requires_grad=True)
    y = layer(x)
    assert y.tolist() == pytest.approx([0.0, 0.3, 1.9, 2.0])
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 1, 0]
    assert layer.log_threshold.grad is not None
    assert layer.log_threshold.grad.item() == pytest.approx(2.0)  # one clipped value, dλ/d(ln λ)
    assert layer.scale()[1] is None
    layer.learn(None)
    assert layer(x).tolist() == pytest.approx([0.0, 0.5, 2.0, 2.0])
    leaky = SignedQCFS(4, 2.0, 0.25, 0.5, learn="clip")  # N = 4
    assert leaky(torch.tensor([-9.0, -3.0, 1.1])).tolist() == pytest.approx([-1.0, -0.75, 1.1])


def test_what_learned_layers_say_of_themselves() -> None:
    assert "levels=4, threshold=1" in repr(QCFS(learn="n,d"))
    assert "BitsAndStep('n,d')" in repr(QCFS(learn="n,d"))
    assert repr(QCFS(learn="clip")) == "QCFS(levels=4, threshold=1)"


def test_names_that_are_not_there() -> None:
    assert set(Timesteps.kinds) == {*LEARNED, "clip", "fixed"}
    with pytest.raises(
        ConfigError, match=r"cannot be learned as 'alpha,t': use one of fixed, clip"
    ):
        QCFS(learn="alpha,t")


@pytest.mark.parametrize("levels", [0, 65])
def test_learned_levels_out_of_range(levels: int) -> None:
    with pytest.raises(ConfigError, match=f"learned timesteps must be from 1 to 64, not {levels}"):
        QCFS(levels, learn="t,alpha")
    layer = QCFS(4, learn="t,alpha")
    with pytest.raises(ConfigError, match="from 1 to 64"):
        layer.set_levels(levels)
    assert layer.levels == 4


def test_many_levels_can_be_fixed_but_not_learned() -> None:
    layer = QCFS(100)
    with pytest.raises(ConfigError, match="from 1 to 64, not 100"):
        layer.learn("t,alpha")
    assert layer.levels == 100
