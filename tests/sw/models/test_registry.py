"""The registry of the zoo."""

from __future__ import annotations

import click
import pytest
import torch

from spikeloom.sw import models
from spikeloom.sw.cli.check import command as check_command
from spikeloom.sw.cli.common import ZOO
from spikeloom.sw.cli.train import command as train_command
from spikeloom.sw.errors import ConfigError


def test_the_command_line_knows_every_model() -> None:
    assert tuple(models.MODELS) == ZOO


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
