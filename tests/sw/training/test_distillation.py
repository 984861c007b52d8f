"""Distillation: a teacher in one line of a training loop, its weight, and its temperature."""

from __future__ import annotations

import pytest
import torch
from support.models import small
from torch import nn
from torch.nn import functional

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.training import distillation, fit


def test_a_teacher_in_one_line() -> None:
    torch.manual_seed(0)
    teacher, student = nn.Linear(3, 4), nn.Linear(3, 4)
    images, targets = torch.rand(5, 3), torch.tensor([0, 1, 2, 3, 0])
    found = distillation(teacher)(student(images), targets, images)
    entropy = functional.cross_entropy(student(images), targets)
    ours, theirs = ((model(images) / 2).log_softmax(1) for model in (student, teacher))
    divergence = 4 * functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)
    torch.testing.assert_close(found, (entropy + divergence) / 2)
    found.backward()
    assert teacher.weight.grad is None
    assert student.weight.grad is not None
    own = distillation(teacher, functional.mse_loss, "values")
    real = torch.rand(5, 4)
    expected = sum(functional.mse_loss(student(images), x) for x in (real, teacher(images)))
    torch.testing.assert_close(own(student(images), real, images), expected / 2)
    only = distillation(teacher, weight=1.0, temperature=3.0)(student(images), targets, images)
    ours, theirs = ((model(images) / 3).log_softmax(1) for model in (student, teacher))
    divergence = 9 * functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)
    torch.testing.assert_close(only, divergence)
    with pytest.raises(ConfigError, match="no loss is called 'x'"):
        distillation(teacher, "x")
    with pytest.raises(ConfigError, match="no task is called 'x'"):
        distillation(teacher, task="x")
    with pytest.raises(ConfigError, match=r"teacher_weight must be from 0 to 1, not 1\.5"):
        distillation(teacher, weight=1.5)
    with pytest.raises(ConfigError, match="temperature must be positive and finite, not 0"):
        distillation(teacher, temperature=0)


def test_a_teacher_alone_needs_no_labels() -> None:
    """With all the weight on the teacher, other labels train the same model."""
    data = small.digits("train").head(128)
    torch.manual_seed(0)
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    found = []
    for labels, weight in ((data.labels, 1.0), ((data.labels + 1) % 10, 1.0), (data.labels, 0.5)):
        torch.manual_seed(1)
        layer = nn.Linear(64, 10)
        model = nn.Sequential(nn.Flatten(), layer)
        examples = type(data).from_arrays(data.images, labels, bits=data.bits, classes=10)
        fit(model, examples, epochs=1, teacher=teacher, teacher_weight=weight)
        found.append(layer.weight.detach().clone())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
