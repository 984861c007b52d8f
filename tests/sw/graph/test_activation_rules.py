"""Activations: every spelling, what they become, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from support.models.graphs import Free, Refusals, analysed, assert_refused, chain, conv_net, refused
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.graph import Pooling, Rectifier, Tap

ACTIVATIONS: dict[str, Callable[[Free, Tensor], Tensor]] = {
    "module": lambda m, x: m.relu(x),
    "module in place": lambda m, x: m.inplace(x),
    "functional.relu": lambda m, x: functional.relu(x),
    "functional.relu in place": lambda m, x: functional.relu(x, inplace=True),
    "functional.relu_": lambda m, x: functional.relu_(x),
    "torch.relu": lambda m, x: torch.relu(x),
    "torch.relu_": lambda m, x: torch.relu_(x),
    "method": lambda m, x: x.relu(),
    "method in place": lambda m, x: x.relu_(),
    "keyword": lambda m, x: functional.relu(input=x),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_spelling_of_relu(name: str) -> None:
    act = ACTIVATIONS[name]
    result = analysed(lambda m, x: m.fc(torch.flatten(act(m, m.conv1(x)), 1))).require()
    conv, fc = result.layers
    assert (conv.name, fc.name) == ("conv1", "fc")
    assert conv.activation is not None
    assert fc.activation is None
    assert fc.synapses[0].tap.source == "conv1"


def test_relu_twice_is_redundant() -> None:
    result = analysed(lambda m, x: m.fc(m.relu(m.relu(m.conv1(x))).flatten(1))).require()
    assert result.redundant == ("relu_1",)


def test_one_relu_module_may_serve_many_layers() -> None:
    result = analysed(lambda m, x: m.fc(m.relu(m.conv2(m.relu(m.conv1(x)))).flatten(1))).require()
    assert [layer.activation for layer in result.layers] == ["relu", "relu_1", None]


LEAKY: dict[str, Callable[[Free, Tensor], Tensor]] = {
    "module": lambda m, x: m.leaky(x),
    "functional": lambda m, x: functional.leaky_relu(x, 0.125),
    "keyword": lambda m, x: functional.leaky_relu(x, negative_slope=0.125),
    "in place": lambda m, x: functional.leaky_relu(x, 0.125, True),
    "functional.leaky_relu_": lambda m, x: functional.leaky_relu_(x, 0.125),
    "twice": lambda m, x: m.leaky(m.relu(x)),
}


@pytest.mark.parametrize("name", [name for name in LEAKY if name != "twice"])
def test_every_spelling_of_leaky_relu(name: str) -> None:
    act = LEAKY[name]
    result = analysed(lambda m, x: m.fc(act(m, m.conv1(x)).flatten(1))).require()
    assert result.layers[0].rectifier == Rectifier(0.125)
    assert result.layers[1].synapses[0].tap == Tap("conv1", flat=True, signed=True)
    assert "signed spikes of layer conv1" in [r.reason for r in result.reports]


def test_the_default_slope_is_torchs() -> None:
    for result in (
        analysed(lambda m, x: m.fc(functional.leaky_relu(m.conv1(x)).flatten(1))),
        conv_net(nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.LeakyReLU())),
    ):
        assert result.layers[0].rectifier == Rectifier(0.01)


def test_leaky_relu_without_a_leak_is_relu() -> None:
    result = chain(nn.Linear(4, 4), nn.LeakyReLU(0.0), nn.Linear(4, 2), shape=(4,)).require()
    assert result.layers[0].rectifier == Rectifier()
    assert not result.layers[1].synapses[0].tap.signed


@pytest.mark.parametrize("slope", [-0.1, 1.0, 1.5, 1e-9, float("nan")])
def test_slopes_that_no_spike_can_have(slope: float) -> None:
    layers = [nn.Linear(4, 4), nn.LeakyReLU(slope), nn.Linear(4, 2)]
    assert (
        f"negative_slope must be 0, or a constant from 0.000244141 to less than 1, not {slope}: "
        f"use a power of two such as 0.125"
    ) in refused(chain(*layers, shape=(4,))).reason


def test_leaky_relu_of_what_is_never_negative_is_redundant() -> None:
    result = analysed(lambda m, x: m.fc(LEAKY["twice"](m, m.conv1(x)).flatten(1))).require()
    assert result.redundant == ("leaky",)
    assert result.layers[0].rectifier == Rectifier()


def test_pools_keep_the_sign() -> None:
    def forward(m: Free, x: Tensor) -> Tensor:
        return m.fc4(m.pool(m.leaky(m.conv1(x))).mean((2, 3)))

    tap = analysed(forward).require().layers[1].synapses[0].tap
    assert tap == Tap("conv1", Pooling("sum", (8, 8)), flat=True, signed=True)


def test_other_activations_as_modules() -> None:
    for module, message in (
        (nn.PReLU(), "use LeakyReLU with a fixed slope, such as 0.125"),
        (nn.RReLU(), "draws its slope at random in training: use LeakyReLU"),
        (nn.Tanh(), "no rectifier"),
        (nn.Softmax(1), "no rectifier"),
        (nn.Threshold(1, 0), "use nn.ReLU(), with the threshold in the bias"),
        (nn.Hardtanh(-1, 2), "on both sides alike, as in nn.Hardtanh(-1, 1)"),
        (nn.GroupNorm(2, 4), "use batch-norm"),
    ):
        result = conv_net(nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), module))
        assert message in refused(result).reason


def test_a_subclass_may_do_anything() -> None:
    class Scaled(nn.ReLU):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    result = chain(nn.Conv2d(2, 4, 3, padding=1), Scaled(), nn.Flatten(), nn.Linear(256, 3))
    assert "neither multiplied nor divided" in refused(result).reason


REFUSED: Refusals = {
    "clip of spikes": (
        lambda m, x: m.fc(functional.relu6(m.relu(m.conv1(x))).flatten(1)),
        "relu6",
        "clips the spikes of 'conv1', which has fired: put the clip in the activation, as in "
        "nn.Hardtanh(0, 6)",
    ),
    "clip by a tensor": (
        lambda m, x: m.fc(m.conv1(x).clamp(min=x.size(0)).flatten(1)),
        "clamp",
        "clips by a tensor",
    ),
    "relu on signed spikes": (
        lambda m, x: m.fc(m.relu(m.leaky(m.conv1(x))).flatten(1)),
        "relu",
        "follows the spikes of 'conv1', which can be negative, and cannot change them any more",
    ),
    "relu on pooled signed spikes": (
        lambda m, x: m.fc16(m.relu(m.pool(m.leaky(m.conv1(x)))).flatten(1)),
        "relu",
        "keep one of the two activations",
    ),
    "leaky twice": (
        lambda m, x: m.fc(m.leaky(m.leaky(m.conv1(x))).flatten(1)),
        "leaky_1",
        "keep one of the two activations",
    ),
    "prelu": (
        lambda m, x: m.fc(functional.prelu(y := m.conv1(x), y).flatten(1)),
        "prelu",
        "learns its slope, which the amplitudes of spikes cannot follow",
    ),
    "sigmoid": (
        lambda m, x: m.fc(torch.sigmoid(m.conv1(x)).flatten(1)),
        "sigmoid",
        "no rectifier",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_that_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])
