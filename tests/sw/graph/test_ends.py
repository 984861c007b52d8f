"""Models without their ends: the same layers and parameters, which return logits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph import without_end


def test_a_softmax_is_left_out() -> None:
    body = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    whole = nn.Sequential(*body, nn.Softmax(1))
    bare = without_end(whole, (1, 2, 2))
    images = torch.rand(5, 1, 2, 2)
    assert torch.equal(bare(images), body(images))
    assert bare.training
    assert bare.state_dict().keys() == whole.state_dict().keys()
    assert without_end(body, (1, 2, 2)) is body


def test_dropout_that_a_trace_would_fix_is_refused() -> None:
    class Ended(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = functional.dropout(x.flatten(1), training=self.training)
            return self.fc(x).softmax(1)

    with pytest.raises(UnsupportedError, match=r"use nn\.Dropout in place of functional\.dropout"):
        without_end(Ended(), (1, 2, 2))
