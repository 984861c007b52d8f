"""Tracing, and the walk: names, what is not used, and what stands in the way."""

from __future__ import annotations

import operator

import pytest
import torch
from support.models.graphs import SHAPE, Free, Refusals, assert_refused, chain, refused, walked
from torch import Tensor, fx, nn
from torch.nn import functional

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph.walk import trace, walk


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


REFUSED: Refusals = {
    "lost addition in place": (
        lambda m, x: m.fc(_lose_sum(m.conv2(y := m.relu(m.conv1(x))), y).relu().flatten(1)),
        "iadd",
        "changes its input in place, and its result is not used: assign it",
    ),
    "lost in place": (
        lambda m, x: m.fc(_lose(m.conv1(x)).flatten(1)),
        "relu_",
        "changes its input in place, and its result is not used",
    ),
}


def _lose_sum(x: Tensor, y: Tensor) -> Tensor:
    operator.iadd(x, y)
    return x


def _lose(x: Tensor) -> Tensor:
    functional.relu_(x)
    return x


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_that_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])


def test_long_lists_of_obstacles_are_cut() -> None:
    layers = [nn.Linear(4, 4), *[nn.Sigmoid() for _ in range(11)], nn.Linear(4, 2)]
    with pytest.raises(UnsupportedError, match="and 3 more"):
        chain(*layers, shape=(4,)).require()


def test_control_flow_that_depends_on_data() -> None:
    def forward(m: Free, x: Tensor) -> Tensor:
        return m.fc(x) if x.sum() > 0 else m.fc16(x)

    with pytest.raises(UnsupportedError, match=r"cannot be traced: .* move 'if', 'for'"):
        trace(Free(forward))


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
