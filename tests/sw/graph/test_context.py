"""State of an analysis: names of layers."""

from __future__ import annotations

from support.models.graphs import (
    chain,
)
from torch import Tensor, nn

from spikeloom.sw.graph import analyse, trace


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

    names = [layer.name for layer in analyse(trace(Odd()), (4,)).require().layers]
    assert names == ["block_a_0", "block_a_0_2", "block_1", "input_2", "x"]
    first = chain(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), shape=(4,)).require()
    assert [layer.name for layer in first.layers] == ["layer_0", "layer_2"]
