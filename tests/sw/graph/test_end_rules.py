"""Inputs, outputs, and parameters that are used directly."""

from __future__ import annotations

import pytest
from support.models.graphs import (
    Refusals,
    assert_refused,
)
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.graph import analyse, trace


def test_several_outputs_and_inputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            return self.fc(x), y

    reasons = [r.reason for r in analyse(trace(Two()), None).reports if not r.supported]
    assert "more than one input" in reasons[0]
    assert "something else than one tensor" in reasons[1]


REFUSED: Refusals = {
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
    "weights as arguments": (
        lambda m, x: functional.linear(m.relu(m.conv1(x)).flatten(1), m.fc.weight),
        "fc_weight",
        "uses the tensor 'fc.weight' directly",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_that_are_refused(name: str) -> None:
    assert_refused(*REFUSED[name])
