"""Training reaches what a plain torch loop of as many epochs reaches: ``make sweep``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from support.models import small
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw import models
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.training import distillation, evaluate, param_groups, train
from spikeloom.sw.training.fitting import prepare_for

SEEDS = 3
EPOCHS, TUNE_EPOCHS = 40, 60
#: Largest shortfall of the mean over the seeds that is allowed: half a point.
ALLOWED = 0.005


def waves(count: int, seed: int) -> Dataset:
    """Return noisy signals of four shapes, with any phase and strength: signed, one-dimensional."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, count)
    time = (np.arange(64) * random.uniform(0.04, 0.08, (count, 1)) + random.random((count, 1))) % 1
    shapes = np.stack(
        [
            np.sin(2 * np.pi * time),
            np.where(time < 0.5, 1.0, -1.0),
            2 * time - 1,
            4 * np.abs(time - 0.5) - 1,
        ]
    )
    chosen = shapes[labels, np.arange(count)] * random.uniform(20, 60, (count, 1))
    noisy = np.rint(chosen + random.normal(0, 12, chosen.shape)).clip(-128, 127)
    return Dataset.from_arrays(noisy.astype(np.int8)[:, None], labels, 4, name="waves", bits=8)


def wave_model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, (1, 7), padding=(0, 3)),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AvgPool2d((1, 2)),
        nn.Conv2d(16, 32, (1, 7), padding=(0, 3)),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AvgPool2d((1, 4)),
        nn.Flatten(),
        nn.Linear(256, 4),
    )


#: By name: training split, test split, and a fresh model.
TASKS: dict[str, tuple[Dataset, Dataset, Callable[[], nn.Module]]] = {
    "digits": (small.digits("train"), small.digits("test"), lambda: models.build("digits-conv")),
    "waves": (waves(1500, 0), waves(1000, 1), wave_model),
}


def plainly(model: nn.Module, data: Dataset, epochs: int, seed: int) -> None:
    """Train as most people do: Adam, cross-entropy, shuffled batches of 64."""
    images, labels = data.inputs(), data.targets()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=generator).split(64):
            loss = functional.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()


def by_hand(model: nn.Module, data: Dataset, seed: int, teacher: bool) -> nn.Module:
    """Tune a trained model in a loop of one's own, with a teacher or without."""
    prepared = prepare_for(model, data, seed=seed)
    loss = distillation(model)
    images, labels = data.inputs(), data.targets()
    optimizer = torch.optim.AdamW(param_groups(prepared, 4e-3, weight_decay=1e-2))
    steps = TUNE_EPOCHS * (len(images) // 64)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(seed)
    prepared.train()
    for _ in range(TUNE_EPOCHS):
        order = torch.randperm(len(images), generator=generator)
        for batch in order[: len(images) // 64 * 64].split(64):
            some, wanted = images[batch], labels[batch]
            logits: Tensor = prepared(some)
            found = loss(logits, wanted, some) if teacher else loss.loss(logits, wanted)
            optimizer.zero_grad()
            found.backward()
            optimizer.step()
            schedule.step()
    return prepared.eval()


@pytest.mark.sweep
@pytest.mark.parametrize("name", TASKS)
def test_training_reaches_what_a_plain_loop_reaches(name: str) -> None:
    data, test, build = TASKS[name]
    torch.set_num_threads(1)
    rows = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        plain = build()
        plainly(plain, data, EPOCHS + TUNE_EPOCHS, seed)
        torch.manual_seed(seed)
        model = build()
        trained = train(model, data, test, epochs=EPOCHS, tune_epochs=TUNE_EPOCHS, seed=seed)
        own = [evaluate(by_hand(model, data, seed, taught), test) for taught in (False, True)]
        rows.append(
            (evaluate(plain, test), trained.float_accuracy, trained.quantized_accuracy, *own)
        )
    means = np.array(rows, float).mean(0)
    print(f"{name}: seed, plain loop, float, quantized, own loop without and with a teacher")
    for seed, row in enumerate([*rows, means]):
        print("mean" if seed == SEEDS else seed, *(f"{share:.2%}" for share in row))
    assert means[2] >= means[0] - ALLOWED
    assert means[4] >= means[0] - ALLOWED
