"""The model zoo: every model can be built, run and converted."""

from __future__ import annotations

import pytest
import torch

from spikeloom.sw import models
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.prepare import check


@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_can_be_converted(name: str) -> None:
    model = models.build(name)
    shape = model.input_shape
    assert model(torch.rand(3, *shape)).shape == (3, 10)
    assert all(report.supported for report in check(model, shape))


def test_models_are_fresh() -> None:
    first, second = models.build("digits-mlp"), models.build("digits-mlp")
    assert not torch.equal(next(first.parameters()), next(second.parameters()))


def test_unknown_models() -> None:
    with pytest.raises(ConfigError, match="no model is called 'vgg'; the zoo has digits-mlp,"):
        models.build("vgg")
