"""Additions: the connections of a layer have one unit while it is trained, so nothing is rounded.

Units are computed here from what a model folds into, and from λ and T of what is read.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import small
from torch import Tensor, fx, nn

from spikeloom.sw.coding import FoldedLayer, fold
from spikeloom.sw.coding.folding import FloatArray, FoldedSynapses
from spikeloom.sw.conversion import convert, reference
from spikeloom.sw.golden import Golden
from spikeloom.sw.models.resnet import ResNet
from spikeloom.sw.network import INPUT
from spikeloom.sw.quantized import QCFS, SignedQCFS, activations_of, prepare, settle
from spikeloom.sw.quantized.additions import Addition, Branch, gain_of

SHAPE = (2, 6, 6)


def module(scale: Sequence[float], bits: int = 8, live: Sequence[bool] | None = None) -> Any:
    """Return what an addition sees of quantized weights."""
    weight = torch.ones(len(scale), 3)
    if live is not None:
        weight[~torch.tensor(live)] = 0
    return SimpleNamespace(weight=weight, scale=torch.tensor(scale), bits=bits)


def unit(first: Any, *others: Branch, source: float | None = 1.0, **options: bool) -> list[float]:
    """Return the scale of ``first``, which reads a source of worth 1: the unit itself."""
    made = Addition([Branch(source, module=first), *others], **options).scale(first)
    assert made.dtype == torch.float64
    return made.tolist()


def test_the_coarsest_unit_is_everyones() -> None:
    first, second = module([0.5, 0.25]), module([0.25, 1.0])
    addition = Addition([Branch(1.0, module=first), Branch(2.0, module=second)])
    # The second reads what is worth 2: its units are 0.5 and 2.
    assert addition.scale(first).tolist() == [0.5, 2.0]
    assert addition.scale(second).tolist() == [0.25, 1.0]


def test_pools_divide_what_is_read() -> None:
    first, second = module([0.5]), module([1.0])
    addition = Addition([Branch(1.0, module=first), Branch(1.0, 8, second)])
    assert addition.scale(second).tolist() == [4.0]


@pytest.mark.parametrize(("bits", "coarse", "expected"), [(2, 0.5, 0.125), (2, 16.0, 0.25)])
def test_weights_of_few_bits_grow_to_eight(bits: int, coarse: float, expected: float) -> None:
    # 2^-6 of the coarsest is where growing ends.
    assert unit(module([0.125], bits), Branch(1.0, module=module([coarse], bits))) == [expected]


def test_activations_are_worth_a_count() -> None:
    torch.manual_seed(0)
    first, second = module([1.0]), module([2.0**-9])
    leaky = SignedQCFS(levels=3, threshold=6.0, slope=0.25)
    assert leaky.amplitudes == (4, 1)
    addition = Addition([Branch(QCFS(4, 2.0), module=first), Branch(leaky, module=second)])
    assert addition.scale(first).tolist() == pytest.approx([1.0])
    # λ/T of the one over λ/(T·a_P) of the other.
    assert addition.scale(second).tolist() == pytest.approx([(2 / 4) / (6 / 3 / 4)])


@pytest.mark.parametrize(
    ("own", "worth", "expected"),
    [(0.3, 1.0, 1 / 3), (0.5, 1.0, 0.5), (0.51, 1.0, 1.0), (0.3, 0.2, 0.2), (0.3, 0.001, 0.3)],
    ids=["three", "two", "one", "finer", "lost"],
)
def test_a_shortcut_is_a_whole_number_of_units(own: float, worth: float, expected: float) -> None:
    assert unit(module([own]), Branch(worth)) == pytest.approx([expected])


def test_a_shortcut_of_very_many_units() -> None:
    assert unit(module([2.0**-20]), Branch(1.0)) == [2.0**-16]


def test_of_several_shortcuts_the_finest_counts() -> None:
    assert unit(module([0.3]), Branch(7.0), Branch(1.0), Branch(1.5)) == pytest.approx([1 / 3])


def test_connections_without_weights_do_not_choose() -> None:
    first = module([0.5, 0.5, 0.5], live=[True, True, False])
    second = module([4.0, 4.0, 4.0], live=[False, True, False])
    assert unit(first, Branch(1.0, module=second)) == [0.5, 4.0, 1.0]


def test_gains_of_zero_and_below() -> None:
    norm = nn.BatchNorm2d(3, eps=0.0).eval()
    norm.running_var = torch.tensor([1.0, 4.0, 1.0])
    norm.weight = nn.Parameter(torch.tensor([2.0, -1.0, 0.0]))
    assert gain_of(norm).tolist() == [2.0, -0.5, 0.0]
    first, second = module([1.0, 1.0, 3.0]), module([0.25] * 3)
    addition = Addition([Branch(1.0, module=first, norm=norm), Branch(1.0, module=second)])
    assert addition.scale(first).tolist() == [1.0, 1.0, 3.0]
    assert addition.scale(second).tolist() == [2.0, 0.5, 0.25]


def test_a_batch_norm_without_parameters() -> None:
    norm = nn.BatchNorm2d(1, eps=0.0, affine=False)
    norm.running_var = torch.tensor([4.0])
    assert gain_of(norm).tolist() == [0.5]


def test_logits_have_one_unit_for_all() -> None:
    second = Branch(1.0, module=module([0.25, 2.0]))
    assert unit(module([0.5, 0.25]), second, output=True) == [2.0, 2.0]


def test_an_input_of_unknown_scale_is_left_out() -> None:
    reads_input, reads_layer = module([0.5]), module([0.25])
    branches = [Branch(None, module=reads_input), Branch(1.0, module=reads_layer)]
    assert Addition(branches).scale(reads_input).tolist() == [0.5]
    assert Addition(branches).scale(reads_layer).tolist() == [0.25]
    # If all read it, it does not matter.
    assert unit(reads_layer, Branch(None, module=reads_input), source=None) == [0.5]


def units(prepared: fx.GraphModule, input_scale: float = 1 / 16) -> list[list[FloatArray]]:
    """Return the unit of each connection of each layer that adds up several."""
    worths = {INPUT: input_scale} | {
        name: act.threshold / act.levels / act.amplitudes[0]
        for name, act in activations_of(prepared).items()
    }
    return [
        [s.scale * worths[s.tap.source] / s.tap.area for s in layer.synapses]
        for layer in _added(prepared)
    ]


def _added(prepared: fx.GraphModule) -> list[FoldedLayer]:
    return [layer for layer in fold(prepared) if len(layer.synapses) > 1]


def _weights(prepared: fx.GraphModule) -> list[FoldedSynapses]:
    return [s for layer in _added(prepared) for s in layer.synapses if not s.identity]


@settings(max_examples=30)
@given(
    st.integers(0, 10**6),
    st.integers(2, 9),
    st.lists(st.integers(1, 6), min_size=4, max_size=4),
    st.sampled_from([None, "t,alpha", "n,alpha", "n,d", "d,alpha", "clip"]),
    st.booleans(),
)
def test_prepared_models_have_one_unit(
    seed: int, bits: int, steps: list[int], learn: str | None, signed: bool
) -> None:
    torch.manual_seed(seed)
    net = small.normed(small.Residual(nn.LeakyReLU if signed else nn.ReLU), SHAPE)
    names = ("stem", "depthwise", "conv1", "conv2")
    timesteps = dict(zip(names, steps, strict=True))
    made = small.prepared(net, SHAPE, timesteps=timesteps, weight_bits=bits, learn=learn)
    for model in (made, settle(made), copy.deepcopy(made).double()):
        (weighted, shortcut), both = units(model)
        assert np.allclose(shortcut / weighted, np.round(shortcut / weighted), rtol=1e-12)
        assert (shortcut / weighted > 0.5).all()
        assert np.allclose(both[0], both[1], rtol=1e-12)
        for synapses in _weights(model):
            assert np.abs(synapses.weight).max() <= max(255, 1 << (bits - 1))


def test_weights_of_eight_bits_stay_within_them() -> None:
    torch.manual_seed(3)
    model = small.prepared(small.normed(small.Residual(), SHAPE), SHAPE)
    assert [int(np.abs(s.weight).max()) <= 127 for s in _weights(model)] == [True] * 3


def test_a_deep_residual_network_counts_as_its_module_does() -> None:
    """All activations of the torch module itself, in float64, are the network's counts."""
    torch.manual_seed(5)
    shape = (3, 16, 16)
    net = small.normed(ResNet([4, 6, 8], 3), shape)
    made = small.prepared(net, shape, timesteps={"default": 3, "conv1": 5, "block4_conv1": 2})
    images = small.random_images(12, shape)
    network = convert(made)
    got = Golden(network).run(images).counts
    seen: dict[str, Tensor] = {}
    model = copy.deepcopy(made).double()
    for name, act in activations_of(model).items():
        act.register_forward_hook(
            lambda act, _, y, name=name: seen.update({name: y * act.levels / act.threshold})
        )
    with torch.no_grad():
        labels = model(torch.from_numpy(images).double() / 16).argmax(1)
    assert len(seen) == 19
    for name, counts in got.items():
        assert torch.equal(seen[name].round().long(), counts), name
        assert float(counts.double().std()) > 0.1, f"{name} says nothing"
    assert torch.equal(Golden(network).run(images).labels, labels)
    assert torch.equal(reference(made, images, 1 / 16).labels, labels)


class AddsTheInput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 4, 3, padding=1)
        self.project, self.act1, self.act2 = nn.Conv2d(2, 4, 1), nn.ReLU(), nn.ReLU()
        self.fc = nn.Linear(4 * 36, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act1(self.first(x) + x)
        return self.fc(self.act2(self.second(y) + self.project(x)).flatten(1))


def test_the_input_is_added_too() -> None:
    torch.manual_seed(1)
    model = small.prepared(AddsTheInput(), SHAPE)
    (weighted, shortcut), both = units(model)
    assert np.allclose(shortcut / weighted, np.round(shortcut / weighted), rtol=1e-12)
    assert np.allclose(both[0], both[1], rtol=1e-12)
    unknown = prepare(AddsTheInput(), input_shape=SHAPE)
    (weighted, shortcut), both = units(unknown, 1.0)
    assert np.allclose(shortcut / weighted, np.round(shortcut / weighted), rtol=1e-12)
    assert not np.allclose(both[0], both[1])


class TwoWaysOut(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.act = nn.Linear(4, 6), nn.ReLU()
        self.left, self.right = nn.Linear(6, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.left(self.act(self.first(x))) + self.right(x)


def test_logits_that_are_added_up() -> None:
    torch.manual_seed(0)
    model = small.prepared(TwoWaysOut(), (4,))
    ((left, right),) = units(model)
    assert np.allclose(left, right[0], rtol=1e-12)
    assert np.allclose(right, right[0], rtol=1e-12)
    images = small.random_images(40, (4,))
    got = Golden(convert(model)).run(images)
    assert torch.equal(got.labels, reference(model, images, 1 / 16).labels)


def test_training_steps_towards_the_same_unit() -> None:
    """In training the scales follow the weights, and at rest all is as in eval mode."""
    torch.manual_seed(2)
    model = small.prepared(small.normed(small.Residual(), SHAPE), SHAPE)
    before = [s.weight.copy() for s in _weights(model)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    images = torch.from_numpy(small.random_images(32, SHAPE)).float() / 16
    model.train()
    for _ in range(5):
        optimizer.zero_grad()
        model(images).square().sum().backward()
        optimizer.step()
    model.eval()
    assert any((a != s.weight).any() for a, s in zip(before, _weights(model), strict=True))
    (weighted, shortcut), both = units(model)
    assert np.allclose(shortcut / weighted, np.round(shortcut / weighted), rtol=1e-12)
    assert np.allclose(both[0], both[1], rtol=1e-12)
    # A copy that was loaded from the parameters alone is the same network.
    other = small.prepared(small.Residual(), SHAPE)
    other.load_state_dict(model.state_dict())
    assert convert(other) == convert(model)
