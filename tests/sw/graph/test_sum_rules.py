"""Additions: residual connections in every shape, and those that no layer can stand for."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import permutations
from typing import cast

import pytest
import torch
from support.models.graphs import Free, Refusals, analysed, assert_refused, chain, refused
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.graph import LayerSpec, Pooling, SynapseSpec, Tap

ADDITIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "+": lambda x, y: x + y,
    "+=": operator.iadd,
    "torch.add": lambda x, y: torch.add(x, y),
    "keywords": lambda x, y: torch.add(input=x, other=y, alpha=1),
    "method": lambda x, y: x.add(y),
    "keyword": lambda x, y: x.add(other=y, alpha=1),
    "in place": lambda x, y: x.add_(y),
    "sum": lambda x, y: cast(Tensor, sum((x, y))),
}


def body(forward: Callable[[Free, Tensor, Tensor], Tensor]) -> Callable[[Free, Tensor], Tensor]:
    """Return a forward pass between a first layer, ``conv1``, and a last, ``fc``."""
    return lambda m, x: m.fc(m.relu(forward(m, x, m.relu(m.conv1(x)))).flatten(1))


def middle(forward: Callable[[Free, Tensor, Tensor], Tensor]) -> LayerSpec:
    """Return the layer between ``conv1`` and ``fc`` that a forward pass is."""
    first, *others, last = analysed(body(forward)).require().layers
    assert (first.name, last.name) == ("conv1", "fc")
    assert last.synapses[0].tap.source == others[-1].name
    return others[-1]


@pytest.mark.parametrize("name", ADDITIONS)
def test_every_spelling_of_an_identity_shortcut(name: str) -> None:
    add = ADDITIONS[name]
    layer = middle(lambda m, x, y: add(m.conv2(y), y))
    assert layer.name == "conv2"
    assert layer.synapses == (SynapseSpec("conv2", Tap("conv1")), SynapseSpec(None, Tap("conv1")))


def test_a_shortcut_may_come_first() -> None:
    layer = middle(lambda m, x, y: y + m.conv2(y))
    assert [synapse.target for synapse in layer.synapses] == ["conv2", None]


def test_a_projection_with_batch_norms() -> None:
    layer = middle(lambda m, x, y: m.norm(m.conv2(y)) + m.proj_norm(m.proj(y)))
    assert layer.name == "conv2"
    assert layer.synapses == (
        SynapseSpec("conv2", Tap("conv1"), "norm"),
        SynapseSpec("proj", Tap("conv1"), "proj_norm"),
    )


def test_a_batch_norm_of_one_branch_stays_there() -> None:
    layer = middle(lambda m, x, y: m.norm(m.conv2(y)) + y)
    assert layer.synapses == (
        SynapseSpec("conv2", Tap("conv1"), "norm"),
        SynapseSpec(None, Tap("conv1")),
    )


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_longest_path_names_the_layer_in_any_order(order: tuple[int, ...]) -> None:
    def forward(m: Free, x: Tensor, y: Tensor) -> Tensor:
        branches = (m.proj(m.relu(m.conv2(y))), m.conv3(x), y)
        return cast(Tensor, sum(branches[i] for i in order))

    layer = middle(forward)
    assert layer.name == "proj"
    weights = [("proj", "conv3")[i] for i in order if i < 2]
    assert [synapse.target for synapse in layer.synapses] == [*weights, None]


def test_of_equal_paths_the_first_names_the_layer() -> None:
    assert middle(lambda m, x, y: m.proj(y) + m.conv2(y)).name == "proj"
    assert middle(lambda m, x, y: m.conv2(y) + m.proj(y)).name == "conv2"


def test_weights_come_ahead_of_identities() -> None:
    layer = middle(lambda m, x, y: (m.conv2(y) + y) + m.proj(y))
    assert [synapse.target for synapse in layer.synapses] == ["conv2", "proj", None]


def test_one_layer_may_be_read_by_many() -> None:
    def forward(m: Free, x: Tensor, y: Tensor) -> Tensor:
        z = m.relu(m.conv2(y) + y)
        return m.proj(z) + z + y

    layer = middle(forward)
    assert [synapse.tap.source for synapse in layer.synapses] == ["conv2", "conv2", "conv1"]


@pytest.mark.parametrize(
    ("pool", "kind"), [(functional.avg_pool2d, "sum"), (functional.max_pool2d, "max")]
)
def test_a_shortcut_may_be_pooled(pool: Callable[[Tensor, int], Tensor], kind: str) -> None:
    def forward(m: Free, x: Tensor) -> Tensor:
        y = m.relu(m.conv1(x))
        return m.fc16(m.relu(m.strided(y) + pool(y, 2)).flatten(1))

    result = analysed(forward).require()
    assert result.layers[1].synapses[1] == SynapseSpec(None, Tap("conv1", Pooling(kind, (2, 2))))
    reasons = [report.reason for report in result.reports]
    assert f"layer strided adds conv1 through a {kind}-pool of (2, 2) as it is" in reasons


def test_pixels_may_take_a_shortcut() -> None:
    layer = (
        analysed(lambda m, x: m.fc(m.relu(m.conv2(x) + x).flatten(1)), (4, 8, 8))
        .require()
        .layers[0]
    )
    assert layer.synapses == (SynapseSpec("conv2", Tap("input")), SynapseSpec(None, Tap("input")))


def test_a_shortcut_of_signed_spikes() -> None:
    layer = (
        analysed(lambda m, x: m.fc(m.leaky(m.conv2(y := m.leaky(m.conv1(x))) + y).flatten(1)))
        .require()
        .layers[1]
    )
    assert layer.synapses[1] == SynapseSpec(None, Tap("conv1", signed=True))


def test_a_concatenation_beside_a_shortcut_is_a_layer() -> None:
    def joined(m: Free, x: Tensor, y: Tensor) -> Tensor:
        z = m.strided(y).relu()
        y = m.pool(y)
        return m.fc16((torch.cat([y[:, 2:], z[:, :2]], dim=1) + y).relu().flatten(1))

    result = analysed(lambda m, x: joined(m, x, m.relu(m.conv1(x)))).require()
    _, _, cat, added, _ = result.layers
    assert (cat.name, cat.activation, cat.implied) == ("cat", "cat", True)
    assert [synapse.tap.source for synapse in cat.synapses] == ["conv1", "strided"]
    assert [synapse.tap.source for synapse in added.synapses] == ["cat", "conv1"]
    (report,) = [r for r in result.reports if r.node == "cat"]
    assert "layer cat has no activation of its own" in report.reason


def test_sums_may_be_pooled_globally() -> None:
    layers = (
        analysed(lambda m, x: m.fc4(m.relu(m.conv2(y := m.relu(m.conv1(x))) + y).mean((2, 3))))
        .require()
        .layers
    )
    assert layers[2].synapses[0].tap == Tap("conv2", Pooling("sum", (8, 8)), flat=True)


def test_a_max_pool_may_follow_the_addition() -> None:
    layers = (
        analysed(
            lambda m, x: m.fc16(
                m.relu(functional.max_pool2d(m.conv2(y := m.relu(m.conv1(x))) + y, 2)).flatten(1)
            )
        )
        .require()
        .layers
    )
    assert layers[2].synapses[0].tap.pool == Pooling("max", (2, 2))


def test_logits_may_be_added_up() -> None:
    def forward(m: Free, x: Tensor) -> Tensor:
        y = m.relu(m.conv1(x))
        return m.fc(y.flatten(1)) + m.fc4(y.mean((2, 3)))

    last = analysed(forward).require().layers[-1]
    assert (last.name, last.activation, last.rectifier) == ("fc", None, None)
    assert [synapse.target for synapse in last.synapses] == ["fc", "fc4"]


def test_shortcuts_between_features() -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.flatten(self.fc1(x).relu(), 1)  # does nothing to features
            return self.fc3((self.fc2(x) + x).relu())

    layers = chain(Wide(), shape=(4,)).require().layers
    assert layers[1].synapses[1] == SynapseSpec(None, Tap("layer_0_fc1"))


def test_sizes_may_be_added() -> None:
    result = analysed(lambda m, x: m.fc(m.relu(m.conv1(x)).view(x.size(0) + 0 * x.size(1), -1)))
    assert [layer.name for layer in result.require().layers] == ["conv1", "fc"]


def test_shapes_that_are_not_known_are_not_checked() -> None:
    assert (
        analysed(body(lambda m, x, y: m.strided(y) + y), None).require().layers[1].name == "strided"
    )


def test_what_was_refused_before_is_not_refused_again() -> None:
    result = analysed(body(lambda m, x, y: m.conv2(y) + torch.tanh(y)))
    assert refused(result).node == "tanh"


def _joined_twice(m: Free, x: Tensor) -> Tensor:
    y = m.relu(m.conv1(x))
    joined = torch.cat([y[:, 2:], m.conv3(x)[:, :2]], dim=1)
    added = m.relu(joined + y)
    return m.fc((added + m.relu(m.conv2(joined))).flatten(1))


REFUSED: Refusals = {
    "concatenation that others read": (
        _joined_twice,
        "add",
        "put a 1x1 convolution behind the concatenation",
    ),
    "channels": (
        body(lambda m, x, y: m.conv2(y) + m.pool(x)),
        "add",
        "the shapes (4, 8, 8) of 'conv2' and (2, 4, 4) of 'pool' differ",
    ),
    "size": (
        body(lambda m, x, y: m.strided(y) + y),
        "add",
        "by a 1x1 convolution with its channels and stride",
    ),
    "broadcasting": (
        body(lambda m, x, y: m.conv2(y) + y.mean((2, 3), keepdim=True)),
        "add",
        "differ",
    ),
    "flattened": (
        lambda m, x: m.fc(m.relu(m.conv2(y := m.relu(m.conv1(x))).flatten(1) + y.flatten(1))),
        "add",
        "'flatten' has been flattened: add first, and flatten the sum",
    ),
    "max-pool on a branch": (
        lambda m, x: m.fc16(
            m.relu(functional.max_pool2d(m.conv1(x), 2) + m.strided(m.relu(m.conv3(x)))).flatten(1)
        ),
        "add",
        "the maximum of a sum is not the sum of the maxima: put the max-pool behind the activation",
    ),
    "batch-norms before and behind the addition": (
        body(lambda m, x, y: m.norm(m.proj_norm(m.conv2(y)) + y)),
        "norm",
        "follows the addition in layer 'conv2', whose summands have a batch-norm already",
    ),
    "batch-norm of pixels": (
        lambda m, x: m.fc(m.relu(m.conv2(m.norm(m.pool(x)))).flatten(1)),
        "norm",
        "batch-norm must follow Conv2d or Linear directly",
    ),
    "logits with a batch-norm": (
        lambda m, x: m.norm(m.conv1(x)) + m.conv2(m.relu(m.proj(m.relu(m.conv3(x))))),
        "output",
        "the batch-norm 'norm' follows the output layer",
    ),
    "itself": (
        body(lambda m, x, y: (z := m.conv2(y)) + z),
        "add",
        "adds a tensor to itself: double the weights",
    ),
    "a factor": (
        body(lambda m, x, y: torch.add(m.conv2(y), y, alpha=2)),
        "add",
        "alpha must be 1, not 2: put the factor into the weights",
    ),
    "out": (
        body(lambda m, x, y: torch.add(z := m.conv2(y), y, out=z)),
        "add",
        "writes into 'out'",
    ),
    "a constant": (
        body(lambda m, x, y: m.conv2(y) + 1),
        "add",
        "adds the constant 1: let a layer's bias do that",
    ),
    "a size": (
        body(lambda m, x, y: m.conv2(y) + x.size(1)),
        "add",
        "adds the size of a tensor to a tensor",
    ),
    "in place": (
        body(lambda m, x, y: operator.iadd(y, m.conv2(y))),
        "iadd",
        "changes what 'conv1' sends in place, which others may read, too: write x = x + y",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_that_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])
