"""Rules for the modules of a prepared model."""

from __future__ import annotations

import pytest
import torch
from support.models.graphs import (
    chain,
    refused,
)
from torch import Tensor, nn

from spikeloom.sw.graph import Rectifier
from spikeloom.sw.quantized import QCFS, Activation, SignedQCFS


class Own(Activation):
    """An activation that the table of rules does not name."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, 0)  # could not be converted, if the trace looked into it


@pytest.mark.parametrize(
    "own", [QCFS(3, 0.5), SignedQCFS(5, 0.5, 0.2, 0.5), Own(7)], ids=lambda own: type(own).__name__
)
def test_activations_of_ours_are_kept(own: Activation) -> None:
    result = chain(nn.Linear(4, 4), own, nn.Linear(4, 2), shape=(4,)).require()
    assert result.layers[0].rectifier == Rectifier(own.slope)
    (node,) = (n for n in result.module.graph.nodes if n.name == result.layers[0].activation)
    assert repr(result.module.get_submodule(node.target)) == repr(own)
    assert result.layers[1].synapses[0].tap.signed == isinstance(own, SignedQCFS)
    assert f"spikes of layer layer_0, T = {own.levels}" in result.reports[2].reason


def test_activations_of_ours_need_something_to_fire_on() -> None:
    result = chain(QCFS(), nn.Linear(4, 2), shape=(4,))
    assert "must follow a layer such as Conv2d or Linear" in refused(result).reason
