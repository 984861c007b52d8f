"""Preparing a model: what is swapped, what stays, per-layer choices, and the thresholds' start."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from support.models import small
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw import models
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.graph import analyse, trace
from spikeloom.sw.quantized import (
    QCFS,
    QuantConv2d,
    QuantLinear,
    SignedQCFS,
    check,
    initialise,
    prepare,
)
from spikeloom.sw.quantized.prepared import activation_of, layers_of

SHAPE = (1, 8, 8)


class Functional(nn.Module):
    """A user's model: function calls, a shared ReLU, a name that Spikeloom would like to use."""

    def __init__(self) -> None:
        super().__init__()
        self.activations = nn.Conv2d(1, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.unused = nn.Linear(3, 3)
        self.fc1 = nn.Linear(64, 12)
        self.fc2 = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.activations(x), inplace=True)
        x = functional.dropout(x, 0.5, training=self.training)
        x = self.relu(self.relu(self.conv2(x)))
        x = functional.max_pool2d(x, 2)
        x = torch.relu(self.fc1(x.view(x.size(0), -1)))
        return self.fc2(x)


def layer_names(model: nn.Module) -> list[str]:
    return [layer.name for layer in layers_of(model)]


def test_activations_and_weights_are_swapped() -> None:
    prepared = prepare(Functional(), input_shape=SHAPE)
    kinds = [type(m) for m in prepared.modules()]
    assert nn.ReLU not in kinds
    assert kinds.count(QCFS) == 3
    assert isinstance(prepared.get_submodule("conv2"), QuantConv2d)
    assert isinstance(prepared.get_submodule("fc2"), QuantLinear)
    assert "relu" not in prepared.code
    assert "dropout" not in prepared.code
    assert not hasattr(prepared, "unused")


def test_a_relu_that_serves_two_layers_becomes_two_activations() -> None:
    prepared = prepare(Functional(), input_shape=SHAPE)
    layers = layers_of(prepared)
    thresholds = [activation_of(prepared, layer) for layer in layers[:-1]]
    assert len({id(t) for t in thresholds}) == 3


def test_the_original_stays_as_it_is() -> None:
    model = Functional()
    state = copy.deepcopy(model.state_dict())
    prepared = prepare(model, input_shape=SHAPE)
    initialise(prepared, torch.rand(32, *SHAPE))
    with torch.no_grad():
        for parameter in prepared.parameters():
            parameter.zero_()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert type(model.conv2) is nn.Conv2d
    assert model(torch.rand(2, *SHAPE)).shape == (2, 5)


@pytest.mark.parametrize("name", ["functional", *small.MODELS])
def test_many_levels_and_bits_come_close_to_the_original(name: str) -> None:
    torch.manual_seed(0)
    model = Functional() if name == "functional" else small.MODELS[name]()
    shape = getattr(model, "input_shape", SHAPE)
    images = torch.rand(64, *shape)
    model(images)  # statistics for the batch-norms
    prepared = prepare(model.eval(), input_shape=shape, timesteps=4096, weight_bits=16)
    initialise(prepared, images, percentile=100)
    error = (prepared.eval()(images) - model(images)).abs().max()
    assert error < 2e-3 * model(images).abs().max()


@pytest.mark.parametrize("name", small.MODELS)
def test_preparation_leaves_the_network_as_it_is(name: str) -> None:
    model: Any = small.MODELS[name]()
    before = analyse(trace(model), model.input_shape).layers
    after = layers_of(prepare(model, input_shape=model.input_shape))
    assert [layer.name for layer in after] == [layer.name for layer in before]
    assert [layer.synapses for layer in after] == [layer.synapses for layer in before]
    assert [layer.rectifier for layer in after] == [layer.rectifier for layer in before]


def test_a_leaky_relu_becomes_a_signed_activation() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(0.2), nn.Linear(4, 2))
    prepared = prepare(model, input_shape=(4,), timesteps=5)
    activation = activation_of(prepared, layers_of(prepared)[0])
    assert isinstance(activation, SignedQCFS)
    assert (activation.slope, activation.ratio, activation.levels) == (0.2, 0.25, 5)
    assert "leaky" not in prepared.code.lower()


def test_residual_models_train() -> None:
    prepared = prepare(models.build("digits-residual"), input_shape=SHAPE).train()
    initialise(prepared, torch.rand(8, *SHAPE))
    prepared(torch.rand(8, *SHAPE)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in prepared.parameters())


def test_both_branches_of_a_sum_are_quantized() -> None:
    prepared = prepare(
        models.build("digits-residual"),
        input_shape=SHAPE,
        weight_bits={"block2_conv2": 3, "default": 6},
    )
    bits = {n: m.bits for n, m in prepared.named_modules() if isinstance(m, QuantConv2d)}
    assert bits.pop("block2.conv2") == bits.pop("block2.shortcut.0") == 3
    assert set(bits.values()) == {6}


@pytest.mark.parametrize(("groups", "channels"), [(1, 6), (2, 6), (4, 8)])
def test_grouped_weights_have_a_scale_per_channel(groups: int, channels: int) -> None:
    conv = nn.Conv2d(4, channels, 3, padding=1, groups=groups)
    model = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(channels * 16, 2))
    quantized = prepare(model, input_shape=(4, 4, 4)).get_submodule("0")
    assert isinstance(quantized, QuantConv2d)
    assert quantized.groups == groups
    assert quantized.int_weight().shape == (channels, 4 // groups, 3, 3)
    assert len(quantized.channel_scale()) == channels


def test_batch_norm_stays_in_place_and_trains() -> None:
    prepared = prepare(models.build("digits-conv"), input_shape=SHAPE)
    norm = prepared.get_submodule("norm1")
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    before = norm.running_mean.clone()
    prepared.train()(torch.rand(8, *SHAPE)).sum().backward()
    assert not torch.equal(norm.running_mean, before)
    assert all(p.grad is not None for p in prepared.parameters())


def test_choices_per_layer() -> None:
    prepared = prepare(
        Functional(),
        input_shape=SHAPE,
        timesteps={"conv2": 2, "default": 3, "first": 8},
        weight_bits={"first": 6, "last": 5, "conv2": 2},
    )
    layers = layers_of(prepared)
    levels = {x.name: activation_of(prepared, x).levels for x in layers[:-1]}
    assert levels == {"activations": 8, "conv2": 2, "fc1": 3}
    targets = {x.name: str(x.synapses[0].target) for x in layers}
    bits = {name: prepared.get_submodule(target).bits for name, target in targets.items()}
    assert bits == {"activations": 6, "conv2": 2, "fc1": 8, "fc2": 5}


def test_the_output_layer_has_one_scale() -> None:
    prepared = prepare(Functional(), input_shape=SHAPE)
    scales: list[Any] = [prepared.get_submodule(n).scale for n in ("conv2", "fc1", "fc2")]
    assert [scale.numel() for scale in scales] == [4, 12, 1]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"timesteps": 0}, "timesteps must be from 1 to 4096, not 0"),
        ({"timesteps": {"conv9": 4}}, "timesteps names 'conv9', but the layers are activations,"),
        ({"timesteps": {"fc2": 4}}, "timesteps names 'fc2'"),
        ({"weight_bits": 1}, "weight bits must be from 2 to 16, not 1"),
        ({"weight_bits": {"fc9": 4}}, "weight_bits names 'fc9'"),
        ({"weight_bits": 2.5}, r"weight bits must be an integer, not 2\.5"),
    ],
)
def test_choices_that_cannot_be_met(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        prepare(Functional(), input_shape=SHAPE, **choices)


def test_models_that_cannot_be_converted() -> None:
    with pytest.raises(UnsupportedError, match=r"_1 .1: Sigmoid.*: is no rectifier"):
        prepare(nn.Sequential(nn.Linear(4, 4), nn.Sigmoid(), nn.Linear(4, 2)), input_shape=(4,))


def test_preparing_twice() -> None:
    prepared = prepare(Functional(), input_shape=SHAPE)
    with pytest.raises(UnsupportedError, match="prepared already"):
        prepare(prepared, input_shape=SHAPE)


def test_the_users_own_activations_keep_their_thresholds() -> None:
    own = SignedQCFS(7, 0.6, slope=0.3, ratio=0.5)
    layers = [nn.Linear(4, 4), QCFS(9, 0.3), nn.Linear(4, 4), own, nn.Linear(4, 2)]
    prepared = prepare(nn.Sequential(*layers), input_shape=(4,), timesteps=2)
    first, second = (activation_of(prepared, x) for x in layers_of(prepared)[:-1])
    assert (type(first), first.levels, first.threshold) == (QCFS, 2, pytest.approx(0.3))
    assert isinstance(second, SignedQCFS)
    assert (second.levels, second.threshold) == (2, pytest.approx(0.6))
    assert (second.slope, second.ratio) == (0.3, 0.5)
    assert own.levels == 7


def test_check_never_raises() -> None:
    reports = check(nn.Sequential(nn.Linear(4, 4), nn.Sigmoid(), nn.Linear(4, 2)), (4,))
    assert [r.supported for r in reports] == [True, True, False, True, True]
    assert "layer_0" in reports[1].reason

    class Branching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    (report,) = check(Branching())
    assert (report.node, report.what, report.supported) == ("forward", "Branching", False)
    assert all(r.supported for r in check(Functional(), SHAPE))
    assert all(r.supported for r in check(Functional()))


LEARNED = ("n,d", "n,alpha", "d,alpha", "t,alpha", "clip")


@pytest.mark.parametrize("learn", LEARNED)
def test_timesteps_can_be_learned_in_every_layer(learn: str) -> None:
    model = models.build("digits-leaky")
    prepared = prepare(model, input_shape=SHAPE, timesteps={"first": 8}, learn=learn)
    layers = [layer for layer in layers_of(prepared) if layer.activation]
    made = [activation_of(prepared, layer) for layer in layers]
    assert {activation.timesteps.name for activation in made} == {learn}
    assert [activation.levels for activation in made] == [8] + [4] * (len(made) - 1)
    assert all(isinstance(activation, SignedQCFS) for activation in made)


def test_the_users_own_activations_learn_as_they_were_told() -> None:
    model = nn.Sequential(nn.Linear(3, 4), QCFS(9, learn="n,d"), nn.Linear(4, 2))
    for learn, expected in ((None, "n,d"), ("t,alpha", "t,alpha"), ("clip", "clip")):
        prepared = prepare(model, input_shape=(3,), timesteps=5, learn=learn)
        made = activation_of(prepared, layers_of(prepared)[0])
        assert (made.timesteps.name, made.levels) == (expected, 5)
    many = nn.Sequential(nn.Linear(3, 4), QCFS(99), nn.Linear(4, 2))
    prepared = prepare(many, input_shape=(3,), learn="t,alpha")
    assert activation_of(prepared, layers_of(prepared)[0]).levels == 4


def test_levels_that_come_with_a_file_are_kept() -> None:
    given = QCFS(9, 0.5)
    given.given = True
    model = nn.Sequential(nn.Linear(3, 4), given, nn.Linear(4, 5), QCFS(9), nn.Linear(5, 2))
    prepared = prepare(model, input_shape=(3,))
    made = [activation_of(prepared, layer) for layer in layers_of(prepared)[:2]]
    assert [activation.levels for activation in made] == [9, 4]
    initialise(prepared, torch.rand(20, 3))
    assert (made[0].threshold, made[1].threshold == 1) == (pytest.approx(0.5), False)
    prepared = prepare(model, input_shape=(3,), timesteps=7)
    assert [activation_of(prepared, x).levels for x in layers_of(prepared)[:2]] == [7, 7]


def test_learning_that_cannot_be() -> None:
    for options, message in (
        ({"learn": "alpha"}, "cannot be learned as 'alpha': use one of"),
        ({"learn": "t,alpha", "timesteps": 65}, "learned timesteps must be from 1 to 64, not 65"),
    ):
        with pytest.raises(ConfigError, match=message):
            prepare(Functional(), input_shape=SHAPE, **options)
