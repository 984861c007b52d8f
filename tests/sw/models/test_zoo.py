"""The model zoo: every model can be built, run and converted."""

from __future__ import annotations

import click
import pytest
import torch
from torch import nn

from spikeloom.sw import models
from spikeloom.sw.cli.check import command as check_command
from spikeloom.sw.cli.train import command as train_command
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.graph.nodes import LayerSpec, Pooling
from spikeloom.sw.graph.walk import trace, walk
from spikeloom.sw.prepare import check


@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_can_be_converted(name: str) -> None:
    model = models.build(name)
    shape = model.input_shape
    assert model(torch.rand(3, *shape)).shape == (3, 10)
    assert all(report.supported for report in check(model, shape))


def test_what_the_models_show() -> None:
    def specs(name: str) -> list[LayerSpec]:
        model = models.build(name)
        return list(walk(trace(model), model.input_shape).require().layers)

    residual = specs("digits-residual")
    shortcuts = [s.target for layer in residual for s in layer.synapses[1:]]
    assert shortcuts == [None, "block2.shortcut.0"]
    assert residual[-1].synapses[0].tap.pool == Pooling("sum", (4, 4))
    depthwise = models.build("digits-depthwise")
    groups = [m.groups for m in depthwise.modules() if isinstance(m, nn.Conv2d)]
    assert groups == [1, 16, 1, 32, 1]
    assert all(s.tap.signed for layer in specs("digits-leaky")[1:] for s in layer.synapses)
    assert models.build("nmnist-conv").input_shape == (2, 34, 34)


@pytest.mark.parametrize("command", [check_command, train_command])
def test_the_command_line_names_every_model(command: click.Command) -> None:
    assert command.help is not None
    assert [name for name in models.MODELS if name not in command.help] == []


def test_models_are_fresh() -> None:
    first, second = models.build("digits-mlp"), models.build("digits-mlp")
    assert not torch.equal(next(first.parameters()), next(second.parameters()))


def test_unknown_models() -> None:
    with pytest.raises(ConfigError, match="no model is called 'vgg'; the zoo has digits-mlp,"):
        models.build("vgg")
