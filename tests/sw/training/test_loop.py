"""Training: parameter groups, repeatable results, learning at all, and both phases together."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from rich.progress import Progress
from support.models import small
from torch import nn

from spikeloom.sw import models
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.errors import ConfigError, DataError, UnsupportedError
from spikeloom.sw.quantized import QCFS, initialise, prepare
from spikeloom.sw.spiking import spiking
from spikeloom.sw.training import evaluate, fit, param_groups, train
from spikeloom.sw.training.loop import Loop
from spikeloom.sw.training.options import FitOptions

FEW = small.digits("train").head(256)


def fresh(name: str = "digits-mlp") -> nn.Module:
    torch.manual_seed(0)
    return models.build(name)


def same(first: nn.Module, second: nn.Module) -> bool:
    left, right = first.state_dict(), second.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


@pytest.mark.parametrize("name", ["digits-conv", "digits-leaky"])
def test_every_parameter_is_in_one_group(name: str) -> None:
    prepared = prepare(fresh(name), input_shape=(1, 8, 8))
    groups = {g["name"]: g for g in param_groups(prepared, 0.1, lambda_lr_factor=5, weight_decay=1)}
    ids = [id(p) for group in groups.values() for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in prepared.parameters())
    thresholds = groups["thresholds"]
    assert len(thresholds["params"]) == 3
    assert (thresholds["lr"], thresholds["weight_decay"]) == (0.5, 0.0)
    assert (groups["weights"]["lr"], groups["weights"]["weight_decay"]) == (0.1, 1)
    assert (groups["biases"]["lr"], groups["biases"]["weight_decay"]) == (0.1, 0.0)
    assert [g["name"] for g in param_groups(fresh(), 0.1)] == ["weights", "biases"]


def test_a_users_own_loop() -> None:
    prepared = prepare(fresh(), input_shape=(1, 8, 8))
    initialise(prepared, FEW.inputs())
    before = [m.threshold for m in prepared.modules() if isinstance(m, QCFS)]
    optimizer = torch.optim.Adam(param_groups(prepared, 0.01))
    losses = []
    for _ in range(20):
        loss = nn.functional.cross_entropy(prepared(FEW.inputs()), FEW.targets())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    after = [m.threshold for m in prepared.modules() if isinstance(m, QCFS)]
    assert all(abs(a / b - 1) > 1e-3 for a, b in zip(after, before, strict=True))


def test_images_stay_as_they_are_unless_augmentation_is_chosen() -> None:
    seen: list[torch.Tensor] = []
    model = fresh()
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    fit(model, FEW, epochs=1, batch_size=256)
    rows = [sorted(images.flatten(1).sum(1).tolist()) for images in (seen[0], FEW.inputs())]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_training_learns(optimizer: str) -> None:
    model = fresh("digits-conv")
    history = fit(
        model, FEW, epochs=4, optimizer=optimizer, lr=5e-3 if optimizer == "adamw" else 0.05
    )
    assert [epoch.index for epoch in history] == [0, 1, 2, 3]
    assert history[-1].loss < 0.6 * history[0].loss
    assert history[-1].accuracy > history[0].accuracy
    assert not model.training


def test_one_seed_gives_one_result() -> None:
    first, second, other = fresh(), fresh(), fresh()
    fit(first, FEW, epochs=2, seed=1)
    torch.rand(5)  # the caller's random numbers are another stream
    fit(second, FEW, epochs=2, seed=1)
    fit(other, FEW, epochs=2, seed=2)
    assert same(first, second)
    assert not same(first, other)


def test_the_callers_random_numbers_are_left_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    fit(fresh_without_seed(), FEW, epochs=1)
    assert torch.equal(torch.rand(3), expected)


def fresh_without_seed() -> nn.Module:
    state = torch.random.get_rng_state()
    model = models.build("digits-mlp")
    torch.random.set_rng_state(state)
    return model


def test_a_teacher_is_followed_and_left_alone() -> None:
    teacher = fresh("digits-conv")
    fit(teacher, FEW, epochs=3)
    kept = copy.deepcopy(teacher)
    student = prepare(teacher, input_shape=(1, 8, 8), weight_bits=2)
    initialise(student, FEW.inputs())
    alone = copy.deepcopy(student)
    fit(student, FEW, epochs=2, teacher=teacher, seed=0)
    fit(alone, FEW, epochs=2, seed=0)
    assert same(teacher, kept)
    assert all(p.requires_grad for p in teacher.parameters())
    assert not same(student, alone)


@pytest.mark.parametrize("timed", [False, True])
def test_a_teacher_without_time_sees_the_sum_of_the_spikes(timed: bool) -> None:
    spikes = (np.random.default_rng(0).random((40, 3, 1, 8, 8)) < 0.3).astype(np.uint8)
    labels = spikes.sum((1, 2, 3, 4)).argsort().argsort() % 10
    data = Dataset("events", spikes.sum(1, dtype=np.uint8), labels, 2, 10, 1 / 3, spikes)
    teacher = prepare(fresh("digits-mlp"), input_shape=(1, 8, 8))
    initialise(teacher, data.inputs())
    network = spiking(
        copy.deepcopy(teacher),
        input="spikes",
        input_timesteps=3,
        input_bits=data.bits,
        input_scale=data.scale,
        transport="spikes",
        timesteps=3,
    )
    seen: list[torch.Tensor] = []

    class Teacher(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(images)
            logits: torch.Tensor = teacher(images)
            return logits

    taught = spiking(teacher, **network.options) if timed else Teacher()
    before = copy.deepcopy(network.state_dict())
    fit(network, data, epochs=1, batch_size=20, shift=0, teacher=taught)
    assert any(not torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert [x.shape for x in seen] == ([] if timed else [(20, 1, 8, 8)] * 2)
    if not timed:
        together = torch.cat(seen).mul(3).round()
        assert sorted(together.sum((1, 2, 3)).tolist()) == sorted(data.images.sum((1, 2, 3)))


def test_progress_is_shown() -> None:
    with Progress(disable=True) as progress:
        fit(fresh(), FEW, epochs=2, progress=progress, title="a title")
        (task,) = progress.tasks
        assert (task.description, task.completed, task.total) == ("a title", 2, 2)


def test_without_a_choice_progress_is_told_by_the_logger(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO", logger="spikeloom"):
        fit(fresh(), FEW, epochs=2, title="a title")
    told = [record.getMessage() for record in caplog.records]
    assert [text.partition(",")[0] for text in told] == [
        "a title: epoch 1 of 2",
        "a title: epoch 2 of 2",
    ]


def test_the_mean_of_the_weights_is_kept_if_it_is_asked_for() -> None:
    model, alike = fresh(), fresh()
    fit(model, FEW, epochs=2, average=0.9, progress=False)
    loop = Loop(alike, FEW, FitOptions(epochs=2, average=0.9))
    for _ in range(2):
        loop.epoch()
    assert loop.averaged is not None
    assert same(model, loop.averaged)
    assert not same(model, alike)


def test_evaluate_counts_what_is_right() -> None:
    test = small.digits("test")

    class Knows(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            # Right for the even images of the whole split, in order.
            wrong = (torch.arange(len(x)) % 2).long()
            return nn.functional.one_hot((test.targets()[: len(x)] + wrong) % 10, 10)

    assert evaluate(Knows(), test) == 0.5


def test_evaluate_leaves_the_model_alone() -> None:
    model = fresh("digits-conv").train()
    before = copy.deepcopy(model)
    evaluate(model, FEW)
    assert model.training
    assert same(model, before)
    assert next(model.parameters()).dtype is torch.float32


def test_both_phases() -> None:
    trained = small.trained("digits-conv")
    assert trained.float_accuracy is not None
    assert trained.quantized_accuracy is not None
    assert trained.float_accuracy > 0.8
    assert trained.quantized_accuracy > 0.8
    assert (trained.spec, trained.dataset) == ("digits-conv", "digits")
    assert not trained.model.training
    assert evaluate(trained.model, small.digits("test")) == trained.quantized_accuracy


def test_training_works_at_two_bits() -> None:
    trained = small.trained("digits-conv", 2)
    assert trained.quantized_accuracy is not None
    assert trained.quantized_accuracy > 0.7


def test_phases_can_be_left_out() -> None:
    trained = train(fresh(), FEW, epochs=0, tune_epochs=0)
    assert (trained.float_accuracy, trained.quantized_accuracy) == (None, None)


def test_models_that_cannot_be_converted_are_told_before_training() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Sigmoid(), nn.Linear(10, 10))
    before = copy.deepcopy(model)
    with pytest.raises(UnsupportedError, match="Sigmoid"):
        train(model, FEW)
    assert same(model, before)


def test_too_few_outputs() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 9))
    with pytest.raises(DataError, match="the model has 9 outputs, but digits has 10 classes"):
        train(model, FEW)


def test_one_image_is_not_enough() -> None:
    with pytest.raises(DataError, match="digits has 1 image: training needs at least 2"):
        fit(fresh(), FEW.head(1), epochs=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"epochs": 1, "batch_size": 1}, "batch_size must be at least 2, not 1"),
        ({"epochs": 1, "shift": -1}, "shift must be at least 0, not -1"),
        ({"epochs": 1, "shift": (1, 2, 3)}, r"or two for the height and the width, .*\[1, 2, 3\]"),
        ({"epochs": 1, "shift": (1, -2)}, r"each at least 0, not \[1, -2\]"),
        ({"epochs": 1, "optimizer": "lion"}, "no optimizer is called 'lion'; there are adamw, sgd"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(fresh(), FEW, **options)
