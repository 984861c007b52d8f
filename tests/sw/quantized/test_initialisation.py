"""Thresholds before training, and the staged warm-up."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import small
from torch import Tensor, fx, nn
from torch.nn import functional

from spikeloom.sw import models
from spikeloom.sw.errors import ConfigError, DataError, UnsupportedError
from spikeloom.sw.quantized import QCFS, Activation, SignedQCFS, initialise, prepare
from spikeloom.sw.quantized.initialisation import Method, SquaredError, staged
from spikeloom.sw.quantized.prepared import activation_of, layers_of

SHAPE = (1, 8, 8)


def test_thresholds_come_from_the_positive_activations() -> None:
    model = nn.Sequential(nn.Linear(3, 50), nn.ReLU(), nn.Linear(50, 2))
    prepared = prepare(model, input_shape=(3,), weight_bits=16)
    images = torch.rand(200, 3)
    initialise(prepared, images, percentile=90)
    with torch.no_grad():
        values = prepared.get_submodule("0").eval()(images)
    expected = np.percentile(values[values > 0].numpy(), 90)
    layer = layers_of(prepared)[0]
    assert activation_of(prepared, layer).threshold == pytest.approx(expected, rel=1e-5)


def test_thresholds_of_signed_layers_fit_both_sides() -> None:
    model = nn.Sequential(nn.Linear(3, 50), nn.LeakyReLU(0.125), nn.Linear(50, 2))
    prepared = prepare(model, input_shape=(3,), weight_bits=16)
    images = torch.rand(200, 3)
    initialise(prepared, images, percentile=100)
    with torch.no_grad():
        values = prepared.get_submodule("0").eval()(images)
    activation = activation_of(prepared, layers_of(prepared)[0])
    assert activation.threshold == pytest.approx(float(values.abs().max()), rel=1e-5)


def test_each_layer_sees_what_the_layers_before_let_through() -> None:
    copied: Any = copy.deepcopy(small.trained("digits-conv").model)
    images = small.digits("train").inputs()[:64]
    initialise(copied, images)
    seen: dict[str, Tensor] = {}
    for name, module in copied.named_modules():
        if isinstance(module, QCFS):
            module.register_forward_pre_hook(
                lambda m, args, name=name: seen.__setitem__(name, args[0].detach())
            )
    with torch.no_grad():
        copied.eval()(images)
    for name, values in seen.items():
        expected = np.percentile(values[values > 0].numpy(), 99.7)
        got = copied.get_submodule(name).threshold
        assert got == pytest.approx(expected, rel=1e-5)


def test_a_dead_layer_keeps_its_threshold() -> None:
    first = nn.Linear(3, 4)
    model = nn.Sequential(first, nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        first.weight.fill_(-1)
        first.bias.fill_(-1)
    prepared = prepare(model, input_shape=(3,))
    initialise(prepared, torch.rand(5, 3))
    assert activation_of(prepared, layers_of(prepared)[0]).threshold == 1.0


def test_initialisation_leaves_the_mode_alone() -> None:
    prepared = prepare(models.build("digits-conv"), input_shape=SHAPE).train()
    norm: Any = prepared.get_submodule("norm1")
    before = norm.running_mean.clone()
    initialise(prepared, torch.rand(4, *SHAPE))
    assert prepared.training
    assert torch.equal(norm.running_mean, before)


def test_calibration_needs_images_and_a_percentile() -> None:
    prepared = prepare(models.build("digits-conv"), input_shape=SHAPE)
    with pytest.raises(DataError, match="no images"):
        initialise(prepared, torch.zeros(0, *SHAPE))
    for percentile in (0.0, 100.1):
        with pytest.raises(ConfigError, match=f"above 0 and up to 100, not {percentile}"):
            initialise(prepared, torch.rand(4, *SHAPE), percentile=percentile)

    with pytest.raises(ConfigError, match=r"no way 'median' .*: use one of percentile, mse"):
        initialise(prepared, torch.rand(4, *SHAPE), "median")


def test_methods_are_found_by_their_names() -> None:
    assert set(Method.kinds) == {"percentile", "mse"}


def squared_error(activation: Activation, values: np.ndarray, threshold: float) -> float:
    """Of QCFS with this λ against ReLU, or of SignedQCFS against LeakyReLU, in numpy."""
    levels = activation.levels

    def level(x: np.ndarray, top: float) -> np.ndarray:
        return np.floor(np.clip(x / top, 0, 1) * levels + 0.5) / levels

    made = threshold * level(values, threshold)
    meant = np.maximum(values, 0)
    if isinstance(activation, SignedQCFS):
        below = activation.ratio * threshold
        made = made - below * level(-values, below / activation.slope)
        meant = np.where(values < 0, activation.slope * values, values)
    return float(np.square(made - meant).sum())


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 16),
    st.floats(1.5, 8),
    st.floats(0.01, 100),
    st.booleans(),
)
def test_the_least_squared_error_is_found(
    seed: int, levels: int, tail: float, scale: float, signed: bool
) -> None:
    """No λ of a fine grid is better by more than 2 %, nor the percentile's by anything."""
    generator = np.random.default_rng(seed)
    values = scale * generator.standard_normal(400) * np.exp(generator.standard_normal(400) / tail)
    activation = SignedQCFS(levels, slope=0.1) if signed else QCFS(levels)
    tensor = torch.from_numpy(values).float()
    exact = tensor.double().numpy()
    SquaredError().set(activation, tensor)
    found = squared_error(activation, exact, activation.threshold)
    peak = float(np.abs(exact).max()) * 1.3
    grid = [squared_error(activation, exact, peak * step / 200) for step in range(1, 201)]
    assert found <= 1.02 * min(grid)
    activation.initialise_from(tensor, 99.7)
    by_percentile = squared_error(activation, exact, activation.threshold)
    assert found <= by_percentile * (1 + 1e-5)


def test_a_search_draws_from_many_values_and_leaves_random_numbers_alone() -> None:
    torch.manual_seed(0)
    values = torch.randn(300_000)
    state = torch.get_rng_state()
    thresholds = []
    for _ in range(2):
        activation = QCFS(2)
        SquaredError().set(activation, values)
        thresholds.append(activation.threshold)
    assert thresholds[0] == thresholds[1]
    assert torch.equal(torch.get_rng_state(), state)
    few = QCFS(2)
    SquaredError().set(few, values[:100_000])
    assert thresholds[0] == pytest.approx(few.threshold, rel=0.1)


def test_least_squares_keep_the_threshold_of_a_dead_layer() -> None:
    activation = QCFS(4, 3.0)
    SquaredError().set(activation, -torch.rand(10))
    assert activation.threshold == pytest.approx(3)


def test_all_layers_are_set_by_the_least_squares() -> None:
    model = nn.Sequential(
        nn.Linear(3, 50), nn.ReLU(), nn.Linear(50, 40), nn.ReLU(), nn.Linear(40, 2)
    )
    prepared = prepare(model, input_shape=(3,), timesteps=2)
    images = torch.rand(200, 3)
    initialise(prepared, images, "mse")
    for layer in layers_of(prepared)[:-1]:
        activation = activation_of(prepared, layer)
        seen: list[Tensor] = []
        hook = activation.register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args[0]))
        with torch.no_grad():
            prepared.eval()(images)
        hook.remove()
        alone = QCFS(2)
        SquaredError().set(alone, seen[0])
        assert activation.threshold == pytest.approx(alone.threshold, rel=1e-5)


def test_fresh_batch_norm_normalises_by_the_images() -> None:
    """Running statistics that nothing has entered would make λ fit inputs that never come."""
    prepared = prepare(models.build("digits-conv"), input_shape=SHAPE)
    images = small.digits("train").inputs()[:256]
    before = {key: value.clone() for key, value in prepared.state_dict().items()}
    initialise(prepared, images)
    seen: list[float] = []
    for activation in (m for m in prepared.modules() if isinstance(m, Activation)):
        activation.register_forward_pre_hook(
            lambda m, args: seen.append(float((args[0] > m.threshold).sum() / (args[0] > 0).sum()))
        )
    for key, value in prepared.state_dict().items():
        assert key.startswith("activations") or torch.equal(value, before[key]), key
    with torch.no_grad():
        prepared.train()(images)
    assert seen == pytest.approx([0.003] * 3, abs=0.001)


def float_outputs(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Outputs of the ReLUs of digits-mlp, by layer."""
    model = copy.deepcopy(model).eval()
    with torch.no_grad():
        first = functional.relu(model.get_submodule("fc1")(images.flatten(1)))
        return {"fc1": first, "fc2": functional.relu(model.get_submodule("fc2")(first))}


def mlp() -> tuple[nn.Module, fx.GraphModule, Tensor]:
    torch.manual_seed(0)
    model = models.build("digits-mlp")
    return model, prepare(model, input_shape=SHAPE), small.digits("train").inputs()[:200]


@pytest.mark.parametrize("weights", [False, True])
def test_a_warm_up_brings_each_layer_nearer_to_the_float_model(weights: bool) -> None:
    model, prepared, images = mlp()
    initialise(prepared, images)
    for layer in layers_of(prepared)[:-1]:
        activation = activation_of(prepared, layer)
        activation.set_threshold(activation.threshold * 4)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    before = {key: value.clone() for key, value in prepared.state_dict().items()}
    random = torch.get_rng_state()
    errors = staged(prepared, model, images, lr=0.05, weights=weights)
    assert list(errors) == ["fc1", "fc2"]
    assert all(after < 0.5 * first for first, after in errors.values())
    # The error is that of the outputs, computed another way.
    meant = float_outputs(model, images)
    for layer in layers_of(prepared)[:-1]:
        seen: list[Tensor] = []
        hook = activation_of(prepared, layer).register_forward_hook(
            lambda _, __, output, seen=seen: seen.append(output)
        )
        with torch.no_grad():
            prepared.eval()(images)
        hook.remove()
        error = float((seen[0] - meant[layer.name]).square().mean())
        assert errors[layer.name][1] == pytest.approx(error, rel=1e-3)
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key])
    changed = {key for key, value in prepared.state_dict().items() if (value != before[key]).any()}
    thresholds = {key for key in before if key.endswith("log_threshold")}
    assert changed >= thresholds
    assert ("fc2.weight" in changed) == weights
    assert all(key.startswith(("fc1.", "fc2.")) for key in changed - thresholds)
    assert all(p.requires_grad and p.grad is None for p in prepared.parameters())
    assert torch.equal(torch.get_rng_state(), random)


def test_a_warm_up_repeats_itself_and_never_makes_it_worse() -> None:
    results = []
    for _ in range(2):
        model, prepared, images = mlp()
        initialise(prepared, images)
        errors = staged(prepared, model, images, lr=10.0, epochs=1, seed=3)
        assert all(after <= before for before, after in errors.values())
        results.append((errors, {k: v.clone() for k, v in prepared.state_dict().items()}))
    assert results[0][0] == results[1][0]
    for key, value in results[0][1].items():
        assert torch.equal(value, results[1][1][key])


def test_a_warm_up_leaves_modes_and_statistics_alone() -> None:
    torch.manual_seed(0)
    teacher = models.build("digits-residual")
    prepared = prepare(teacher, input_shape=SHAPE)
    prepared.get_submodule("fc").weight.requires_grad_(False)
    before = {key: value.clone() for key, value in prepared.named_buffers()}
    errors = staged(prepared, teacher, small.digits("train").inputs()[:64], epochs=1)
    assert list(errors) == [layer.name for layer in layers_of(prepared)[:-1]]
    assert prepared.training
    assert teacher.training
    for key, value in prepared.named_buffers():
        assert torch.equal(value, before[key]), key
    assert not prepared.get_submodule("fc").weight.requires_grad


def test_a_warm_up_refuses_what_does_not_fit() -> None:
    model, prepared, images = mlp()
    with pytest.raises(DataError, match="no images to warm up with"):
        staged(prepared, model, images[:0])
    for option in ("epochs", "batch_size"):
        with pytest.raises(ConfigError, match=f"{option} must be at least 1, not 0"):
            staged(prepared, model, images, **{option: 0})  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="has no layer 'fc1', 'fc2' that fires"):
        staged(prepared, models.build("digits-conv"), images)
    with pytest.raises(UnsupportedError, match="has not been prepared"):
        staged(model, model, images)  # type: ignore[arg-type]
