"""The walk over a model: what is understood, and what is refused, naming node and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph.nodes import NodeReport, Pooling
from spikeloom.sw.graph.walk import Walked, trace, walk

SHAPE = (2, 8, 8)


class Free(nn.Module):
    """A model with two convolutions, a batch-norm and a linear layer, and any forward pass."""

    def __init__(self, forward: Callable[[Free, Tensor], Tensor]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.inplace = nn.ReLU(inplace=True)
        self.pool = nn.AvgPool2d(2)
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(4 * 8 * 8, 10)
        self.fc16 = nn.Linear(4 * 4 * 4, 10)
        self.fc4 = nn.Linear(4, 10)
        self._forward = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._forward(self, x)


def walked(
    forward: Callable[[Free, Tensor], Tensor], shape: tuple[int, ...] | None = SHAPE
) -> Walked:
    return walk(trace(Free(forward)), shape)


def chain(*layers: nn.Module, shape: tuple[int, ...] | None = SHAPE) -> Walked:
    return walk(trace(nn.Sequential(*layers)), shape)


def refused(result: Walked) -> NodeReport:
    """Return the one refusal of a walk."""
    (report,) = [r for r in result.reports if not r.supported]
    return report


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

FLATTENINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "torch.flatten": lambda x: torch.flatten(x, 1),
    "keyword": lambda x: torch.flatten(x, start_dim=1),
    "method": lambda x: x.flatten(1),
    "view by size": lambda x: x.view(x.size(0), -1),
    "view by shape": lambda x: x.view(x.shape[0], -1),
    "view of -1": lambda x: x.view(-1, 256),
    "reshape": lambda x: x.reshape(x.size(0), -1),
    "torch.reshape": lambda x: torch.reshape(x, (x.size(0), -1)),
    "tuple": lambda x: x.view((-1, 256)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_spelling_of_relu(name: str) -> None:
    act = ACTIVATIONS[name]
    result = walked(lambda m, x: m.fc(torch.flatten(act(m, m.conv1(x)), 1))).require()
    conv, fc = result.layers
    assert (conv.name, fc.name) == ("conv1", "fc")
    assert conv.activation is not None
    assert fc.activation is None
    assert fc.synapses[0].tap.source == "conv1"


@pytest.mark.parametrize("shape", [SHAPE, None])
@pytest.mark.parametrize("name", FLATTENINGS)
def test_every_spelling_of_flatten(name: str, shape: tuple[int, ...] | None) -> None:
    flat = FLATTENINGS[name]
    result = walked(lambda m, x: m.fc(flat(m.relu(m.conv1(x)))), shape).require()
    assert result.layers[1].synapses[0].tap.flat


POOLS: dict[str, tuple[Callable[[Free, Tensor], Tensor], Pooling]] = {
    "module": (lambda m, x: m.pool(x), Pooling("sum", (2, 2))),
    "avg_pool2d": (lambda m, x: functional.avg_pool2d(x, 2), Pooling("sum", (2, 2))),
    "max_pool2d": (lambda m, x: functional.max_pool2d(x, 2), Pooling("max", (2, 2))),
    "torch.max_pool2d": (lambda m, x: torch.max_pool2d(x, 2), Pooling("max", (2, 2))),
    "pair": (lambda m, x: functional.avg_pool2d(x, (4, 1), (4, 1)), Pooling("sum", (4, 1))),
    "adaptive": (lambda m, x: functional.adaptive_avg_pool2d(x, 4), Pooling("sum", (2, 2))),
    "adaptive max": (lambda m, x: functional.adaptive_max_pool2d(x, 4), Pooling("max", (2, 2))),
    "adaptive pair": (
        lambda m, x: functional.adaptive_avg_pool2d(x, (2, None)),
        Pooling("sum", (4, 1)),
    ),
}


@pytest.mark.parametrize("name", POOLS)
def test_every_spelling_of_pooling(name: str) -> None:
    pool, expected = POOLS[name]
    result = walked(lambda m, x: m.fc16(pool(m, m.relu(m.conv1(x))).flatten(1)))
    if name == "adaptive pair" or name == "pair":  # their sizes give 16 values per channel too
        assert result.shapes["flatten"] == (64,)
    assert result.require().layers[1].synapses[0].tap.pool == expected


GLOBALS: dict[str, Callable[[Tensor], Tensor]] = {
    "adaptive": lambda x: functional.adaptive_avg_pool2d(x, 1).flatten(1),
    "adaptive pair": lambda x: functional.adaptive_avg_pool2d(x, (1, 1)).squeeze(),
    "method": lambda x: x.mean((2, 3)),
    "function": lambda x: torch.mean(x, dim=(-2, -1)),
    "kept": lambda x: x.mean(dim=[2, 3], keepdim=True).flatten(1),
}


@pytest.mark.parametrize("name", GLOBALS)
def test_global_average_pooling(name: str) -> None:
    pool = GLOBALS[name]
    result = walked(lambda m, x: m.fc4(pool(m.relu(m.conv1(x)))))
    assert result.require().layers[1].synapses[0].tap.pool == Pooling("sum", (8, 8))


def test_global_pooling_needs_the_shape() -> None:
    result = walked(lambda m, x: m.fc4(m.relu(m.conv1(x)).mean((2, 3))), None)
    assert "give input_shape" in refused(result).reason


def test_pools_of_one_kind_in_a_row_are_one() -> None:
    result = walked(
        lambda m, x: m.fc4(m.pool(functional.avg_pool2d(m.relu(m.conv1(x)), 4)).flatten(1))
    )
    assert result.require().layers[1].synapses[0].tap.pool == Pooling("sum", (8, 8))


def test_batch_norm_belongs_to_its_layer() -> None:
    result = walked(lambda m, x: m.fc(m.relu(m.norm(m.conv1(x))).flatten(1))).require()
    assert result.layers[0].synapses[0].norm == "norm"


def test_max_pool_commutes_with_the_activation() -> None:
    before = walked(
        lambda m, x: m.fc16(m.relu(functional.max_pool2d(m.conv1(x), 2)).flatten(1))
    ).require()
    after = walked(
        lambda m, x: m.fc16(functional.max_pool2d(m.relu(m.conv1(x)), 2).flatten(1))
    ).require()
    assert before.layers[1].synapses == after.layers[1].synapses


def test_a_pool_may_stand_ahead_of_the_first_layer() -> None:
    result = chain(
        nn.MaxPool2d(2), nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)
    ).require()
    assert result.layers[0].synapses[0].tap.pool == Pooling("max", (2, 2))


def test_relu_twice_is_redundant() -> None:
    result = walked(lambda m, x: m.fc(m.relu(m.relu(m.conv1(x))).flatten(1))).require()
    assert result.redundant == ("relu_1",)


def test_one_relu_module_may_serve_many_layers() -> None:
    result = walked(lambda m, x: m.fc(m.relu(m.conv2(m.relu(m.conv1(x)))).flatten(1))).require()
    assert [layer.activation for layer in result.layers] == ["relu", "relu_1", None]


def test_dropout_and_identity_are_left_out() -> None:
    def forward(m: Free, x: Tensor) -> Tensor:
        return m.fc(functional.dropout(m.drop(m.relu(m.conv1(x))), 0.1).flatten(1))

    result = walked(forward).require()
    assert result.redundant == ("dropout",)
    reasons = {r.node: r.reason for r in result.reports}
    assert "does nothing when the model is used" in reasons["drop"]


def test_unused_results_are_left_out() -> None:
    def forward(m: Free, x: Tensor) -> Tensor:
        m.conv2(m.conv2(x))
        return m.fc(m.relu(m.conv1(x)).flatten(1))

    result = walked(forward, None).require()
    assert [layer.name for layer in result.layers] == ["conv1", "fc"]


def test_names_are_valid_and_unique() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.Block_A = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
            self.block = nn.ModuleDict({"a_0": nn.Linear(4, 4), "1": nn.Linear(4, 4)})
            self.input = nn.Linear(4, 4)
            self._x = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.Block_A(x)
            x = self.block["a_0"](x).relu()
            x = self.block["1"](x).relu()
            return self._x(self.input(x).relu())

    names = [layer.name for layer in walk(trace(Odd()), (4,)).require().layers]
    assert names == ["block_a_0", "block_a_0_2", "block_1", "input_2", "x"]
    first = chain(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), shape=(4,)).require()
    assert [layer.name for layer in first.layers] == ["layer_0", "layer_2"]


def conv_net(conv: nn.Module, size: int = 8) -> Walked:
    return chain(conv, nn.ReLU(), nn.Flatten(), nn.Linear(4 * size * size, 3))


REFUSED_MODULES: dict[str, tuple[nn.Module, str]] = {
    "groups": (nn.Conv2d(2, 4, 3, padding=1, groups=2), "groups must be 1, not 2"),
    "dilation": (nn.Conv2d(2, 4, 3, padding=2, dilation=2), r"dilation must be 1, not \(2, 2\)"),
    "padding mode": (nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"), "not 'reflect'"),
    "even same": (nn.Conv2d(2, 4, 2, padding="same"), "even kernel .* use an odd kernel"),
    "transposed": (nn.ConvTranspose2d(2, 4, 3, padding=1), "no counterpart in a spiking network"),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", REFUSED_MODULES)
def test_convolutions_that_are_refused(name: str) -> None:
    module, message = REFUSED_MODULES[name]
    report = refused(conv_net(module))
    assert report.node == "_0"
    assert report.what.startswith("0: Conv")
    assert re.search(message, report.reason)


@pytest.mark.parametrize("padding", ["valid", "same", 0, 1, (1, 2)])
def test_paddings_that_are_understood(padding: str | int | tuple[int, int]) -> None:
    conv = nn.Conv2d(2, 1, 3 if padding != (1, 2) else 5, padding=padding)
    outside = conv(torch.zeros(1, *SHAPE)).numel()
    chain(conv, nn.ReLU(), nn.Flatten(), nn.Linear(outside, 3)).require()


def test_padding_as_large_as_the_kernel() -> None:
    report = refused(conv_net(nn.Conv2d(2, 4, 1, padding=1), 10))
    assert "padding (1, 1) must be smaller than the kernel (1, 1)" in report.reason


REFUSED_CALLS: dict[str, tuple[Callable[[Free, Tensor], Tensor], str, str]] = {
    "residual": (
        lambda m, x: m.fc((m.conv2(y := m.relu(m.conv1(x))) + y).relu().flatten(1)),
        "add",
        "residual connections are not supported yet",
    ),
    "concatenation": (
        lambda m, x: m.fc(torch.cat([y := m.relu(m.conv1(x)), y], 1)[:, :4].flatten(1)),
        "cat",
        "branches that meet again",
    ),
    "softmax": (
        lambda m, x: functional.log_softmax(m.fc(m.relu(m.conv1(x)).flatten(1)), 1),
        "log_softmax",
        "remove it, and train on the logits",
    ),
    "relu6": (
        lambda m, x: m.fc(functional.relu6(m.conv1(x)).flatten(1)),
        "relu6",
        "learns its own clip: use relu",
    ),
    "sigmoid": (
        lambda m, x: m.fc(torch.sigmoid(m.conv1(x)).flatten(1)),
        "sigmoid",
        "no rectifier",
    ),
    "leaky": (
        lambda m, x: m.fc(functional.leaky_relu(m.conv1(x)).flatten(1)),
        "leaky_relu",
        "negative spikes, which are not supported yet",
    ),
    "no activation": (
        lambda m, x: m.fc(m.conv2(m.conv1(x)).relu().flatten(1)),
        "conv2",
        "follows layer 'conv1' without an activation between them",
    ),
    "average ahead of the activation": (
        lambda m, x: m.fc16(m.pool(m.conv1(x)).relu().flatten(1)),
        "pool",
        "averages the sums of layer 'conv1' before they fire",
    ),
    "batch-norm behind the activation": (
        lambda m, x: m.fc(m.norm(m.relu(m.conv1(x))).flatten(1)),
        "norm",
        "must follow Conv2d or Linear directly",
    ),
    "batch-norm behind a max-pool": (
        lambda m, x: m.fc16(m.norm(functional.max_pool2d(m.conv1(x), 2)).relu().flatten(1)),
        "norm",
        "ahead of pooling",
    ),
    "ends in an activation": (
        lambda m, x: m.fc(m.relu(m.conv1(x)).flatten(1)).relu(),
        "output",
        "ends without a final Linear or Conv2d",
    ),
    "ends in a batch-norm": (
        lambda m, x: m.norm(m.conv1(x)).flatten(1),
        "output",
        "the batch-norm 'norm' follows the output layer",
    ),
    "ends in a feature map": (
        lambda m, x: m.conv1(x),
        "output",
        r"shape (4, 8, 8) per image: flatten",
    ),
    "ends in a max-pool": (
        lambda m, x: functional.max_pool2d(m.conv1(x), 2).flatten(1),
        "output",
        "a max-pool follows the output layer",
    ),
    "module twice": (
        lambda m, x: m.fc(m.conv2(m.conv2(m.relu(m.conv1(x))).relu()).relu().flatten(1)),
        "conv2_1",
        "'conv2' is called twice",
    ),
    "weights as arguments": (
        lambda m, x: functional.linear(m.relu(m.conv1(x)).flatten(1), m.fc.weight),
        "fc_weight",
        "uses the tensor 'fc.weight' directly",
    ),
    "different pools": (
        lambda m, x: m.fc4(functional.max_pool2d(m.pool(m.relu(m.conv1(x))), 4).flatten(1)),
        "max_pool2d",
        "follows a sum-pool",
    ),
    "overlapping": (
        lambda m, x: m.fc16(functional.max_pool2d(m.relu(m.conv1(x)), 2, 1)[..., :4, :4]),
        "max_pool2d",
        "stride 1 must equal the window (2, 2)",
    ),
    "padded pool": (
        lambda m, x: m.fc(functional.avg_pool2d(m.relu(m.conv1(x)), 3, 3, 1).flatten(1)),
        "avg_pool2d",
        "padding must be 0, not 1",
    ),
    "ceil mode": (
        lambda m, x: m.fc4(functional.avg_pool2d(m.relu(m.conv1(x)), 8, ceil_mode=True).flatten(1)),
        "avg_pool2d",
        "ceil_mode must be False",
    ),
    "dilated pool": (
        lambda m, x: m.fc(functional.max_pool2d(m.relu(m.conv1(x)), 2, dilation=2).flatten(1)),
        "max_pool2d",
        "dilation must be 1, not 2",
    ),
    "uneven adaptive pool": (
        lambda m, x: m.fc(functional.adaptive_avg_pool2d(m.relu(m.conv1(x)), 3).flatten(1)),
        "adaptive_avg_pool2d",
        "8 rows or columns do not divide into 3",
    ),
    "mean over channels": (
        lambda m, x: m.fc(m.relu(m.conv1(x)).mean(1).flatten(1)),
        "mean",
        "only the mean over the whole feature map",
    ),
    "reshape": (
        lambda m, x: m.fc(m.relu(m.conv1(x)).reshape(-1, 4, 4, 16).flatten(1)),
        "reshape",
        "only flattening to (N, -1)",
    ),
    "batch axis": (
        lambda m, x: m.relu(m.conv1(x)).view(-1, 4),
        "view",
        "only flattening",
    ),
    "tensor indexed": (
        lambda m, x: m.fc(m.relu(m.conv1(x))[:, :].flatten(1)),
        "getitem",
        "neither indexed nor multiplied",
    ),
    "lost in place": (
        lambda m, x: m.fc(_lose(m.conv1(x)).flatten(1)),
        "relu_",
        "changes its input in place, and its result is not used",
    ),
}


def _lose(x: Tensor) -> Tensor:
    functional.relu_(x)
    return x


@pytest.mark.parametrize("name", REFUSED_CALLS)
def test_nodes_that_are_refused(name: str) -> None:
    forward, node, message = REFUSED_CALLS[name]
    result = walked(forward)
    report = next(r for r in result.reports if not r.supported)
    assert report.node == node
    assert message in report.reason
    with pytest.raises(UnsupportedError, match=f"cannot be converted:\n  {node} "):
        result.require()


def test_linear_on_a_feature_map() -> None:
    result = chain(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Linear(8, 3), nn.Flatten())
    assert "applied to the last axis of a feature map (4, 8, 8)" in refused(result).reason


def test_batch_norm_without_statistics() -> None:
    norm = nn.BatchNorm2d(4, track_running_stats=False)
    result = chain(nn.Conv2d(2, 4, 3, padding=1), norm, nn.ReLU(), nn.Flatten(), nn.Linear(256, 3))
    assert "track_running_stats=True" in refused(result).reason


def test_other_activations_as_modules() -> None:
    for module, message in (
        (nn.ReLU6(), "use nn.ReLU"),
        (nn.LeakyReLU(), "negative spikes"),
        (nn.Tanh(), "no rectifier"),
        (nn.Softmax(1), "remove it"),
        (nn.GroupNorm(2, 4), "use batch-norm"),
    ):
        result = conv_net(nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), module))
        assert message in refused(result).reason


def test_a_subclass_may_do_anything() -> None:
    class Scaled(nn.ReLU):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    result = chain(nn.Conv2d(2, 4, 3, padding=1), Scaled(), nn.Flatten(), nn.Linear(256, 3))
    assert "neither indexed nor multiplied" in refused(result).reason


def test_every_obstacle_is_reported_at_once() -> None:
    result = chain(
        nn.Conv2d(2, 4, 3, padding=1, groups=2),
        nn.Sigmoid(),
        nn.Flatten(),
        nn.Linear(256, 3),
        nn.Softmax(1),
    )
    assert [r.node for r in result.reports if not r.supported] == ["_0", "_1", "_4"]


def test_long_lists_of_obstacles_are_cut() -> None:
    layers = [nn.Linear(4, 4), *[nn.Sigmoid() for _ in range(11)], nn.Linear(4, 2)]
    with pytest.raises(UnsupportedError, match="and 3 more"):
        chain(*layers, shape=(4,)).require()


def test_several_outputs_and_inputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            return self.fc(x), y

    reasons = [r.reason for r in walk(trace(Two()), None).reports if not r.supported]
    assert "more than one input" in reasons[0]
    assert "something else than one tensor" in reasons[1]


def test_control_flow_that_depends_on_data() -> None:
    def forward(m: Free, x: Tensor) -> Tensor:
        return m.fc(x) if x.sum() > 0 else m.fc16(x)

    with pytest.raises(UnsupportedError, match=r"cannot be traced: .* move 'if', 'for'"):
        trace(Free(forward))


def test_unpacking_a_shape() -> None:
    def forward(m: Free, x: Tensor) -> Tensor:
        n, _, _, _ = x.shape
        return m.fc(m.relu(m.conv1(x)).view(n, -1))

    assert walked(forward).require().layers[1].synapses[0].tap.flat


def test_an_output_that_is_no_tensor_of_the_model() -> None:
    with pytest.raises(UnsupportedError, match="does not depend on its input"):
        walked(lambda m, x: x.size(0), None).require()


def test_shapes_that_do_not_fit_are_reported_at_their_node() -> None:
    result = chain(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3))
    report = refused(result)
    assert report.node == "_3"
    assert "fails for an input of shape (2, 8, 8)" in report.reason
    assert "Check input_shape" in report.reason


def test_tracing_leaves_the_model_alone() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    before = {k: v.clone() for k, v in model.state_dict().items()}
    module = trace(model)
    walk(module, SHAPE)
    assert isinstance(module, fx.GraphModule)
    assert model.training
    assert all(part.training for part in module.modules())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    traced = next(iter(module.parameters()))
    assert traced.data_ptr() != next(iter(model.parameters())).data_ptr()
