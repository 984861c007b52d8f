"""Traces: the model stays as it is, and control flow that cannot be traced."""

from __future__ import annotations

import pytest
import torch
from support.models.graphs import (
    SHAPE,
    Free,
)
from torch import Tensor, fx, nn

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph import analyse, trace


def test_control_flow_that_depends_on_data() -> None:
    def forward(m: Free, x: Tensor) -> Tensor:
        return m.fc(x) if x.sum() > 0 else m.fc16(x)

    with pytest.raises(UnsupportedError, match=r"cannot be traced: .* move 'if', 'for'"):
        trace(Free(forward))


def test_tracing_leaves_the_model_alone() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    before = {k: v.clone() for k, v in model.state_dict().items()}
    module = trace(model)
    analyse(module, SHAPE)
    assert isinstance(module, fx.GraphModule)
    assert model.training
    assert all(part.training for part in module.modules())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    traced = next(iter(module.parameters()))
    assert traced.data_ptr() != next(iter(model.parameters())).data_ptr()
