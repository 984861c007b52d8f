"""Summaries: the layers that hardware will have."""

from __future__ import annotations

from torch import nn

from spikeloom.sw.graph import LayerSummary, analyse, layers_in_hardware, trace


def test_layers_with_their_shapes_sources_and_neurons() -> None:
    model = nn.Sequential(
        nn.Conv1d(2, 3, 3),
        nn.ReLU6(),
        nn.MaxPool1d(2),
        nn.Conv1d(3, 4, 3),
        nn.Conv1d(4, 4, 1),
        nn.LeakyReLU(0.125),
        nn.Flatten(),
        nn.Linear(4, 5),
    )
    assert layers_in_hardware(analyse(trace(model), (2, 8))) == [
        LayerSummary("layer_0", (3, 1, 6), "input by 0", "ReLU, clipped at 6", "ladder"),
        LayerSummary(
            "layer_3",
            (4, 1, 1),
            "layer_0 through a max-pool of (1, 2) by 3",
            "identity, put in by prepare()",
            "signed",
        ),
        LayerSummary("layer_4", (4, 1, 1), "layer_3 by 4", "LeakyReLU(0.125)", "signed"),
        LayerSummary("layer_7", (5,), "layer_4 by 7", "none", "logits"),
    ]
    assert layers_in_hardware(analyse(trace(model), None))[0].shape is None
