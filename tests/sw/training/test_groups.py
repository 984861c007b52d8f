"""Parameter groups: every parameter once, with the rate of its kind."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spikeloom.sw import models
from spikeloom.sw.quantized import Activation, prepare
from spikeloom.sw.training import param_groups

SHAPE = (1, 8, 8)


@pytest.mark.parametrize("learn", [None, "n,d", "n,alpha", "d,alpha", "t,alpha", "clip"])
def test_every_parameter_is_in_one_group(learn: str | None) -> None:
    model = prepare(models.build("digits-conv"), input_shape=SHAPE, learn=learn)
    groups = param_groups(
        model, 0.1, lambda_lr_factor=3.0, timestep_lr_factor=5.0, weight_decay=0.01
    )
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())
    rates = {group["name"]: (group["lr"], group["weight_decay"]) for group in groups}
    expected = {
        "weights": (0.1, 0.01),
        "biases": (0.1, 0.0),
        "thresholds": (pytest.approx(0.3), 0.0),
    }
    if learn not in (None, "clip"):
        expected["timesteps"] = (0.5, 0.0)
    assert rates == expected


def test_what_is_in_the_groups_of_activations() -> None:
    model = prepare(models.build("digits-conv"), input_shape=SHAPE, learn="d,alpha")
    groups = {group["name"]: group["params"] for group in param_groups(model, 0.1)}
    activations = [m for m in model.modules() if isinstance(m, Activation)]
    assert {id(p) for p in groups["thresholds"]} == {id(a.log_threshold) for a in activations}
    learned = {id(p) for a in activations for p in a.timesteps.learned()}
    assert {id(p) for p in groups["timesteps"]} == learned
    assert len(learned) == len(activations)


def test_frozen_weights_are_left_out() -> None:
    model = nn.Linear(2, 3)
    model.weight.requires_grad_(False)
    (group,) = param_groups(model, 0.1)
    assert group["name"] == "biases"
    assert [p.shape for p in group["params"]] == [torch.Size([3])]
