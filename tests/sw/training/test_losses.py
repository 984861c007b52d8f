"""Losses by name: their values, weights, and the data they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.models import small
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.training import TargetLoss, evaluate, fit, loss_for, train
from spikeloom.sw.training.losses import weights_for
from spikeloom.sw.training.recipe import recipe_of
from spikeloom.sw.training.run import run

IMAGES = np.zeros((6, 1, 2, 2), np.uint8)
CLASSES = Dataset.from_arrays(IMAGES, [0, 0, 0, 1, 1, 2])
LABELS = Dataset.from_arrays(IMAGES, np.array([[1, 0]] * 2 + [[1, 1]] * 2 + [[0, 0]] * 2))
VALUES = Dataset.from_arrays(IMAGES, np.arange(6) / 4)
LOGITS = torch.tensor([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0]])
TARGETS = torch.tensor([0, 2])


def weights_of(data: Dataset) -> list[float]:
    found = weights_for(data, "balanced")
    assert found is not None
    return found.tolist()


def test_the_default_is_the_loss_of_the_task() -> None:
    ours = loss_for(CLASSES, label_smoothing=0.1)(LOGITS, TARGETS)
    assert torch.equal(ours, functional.cross_entropy(LOGITS, TARGETS, label_smoothing=0.1))
    switches = LABELS.targets()[:2]
    bce = functional.binary_cross_entropy_with_logits(LOGITS[:, :2], switches)
    assert torch.equal(loss_for(LABELS)(LOGITS[:, :2], switches), bce)
    real = VALUES.targets()[:2]
    assert torch.equal(
        loss_for(VALUES)(LOGITS[:, :1], real), functional.mse_loss(LOGITS[:, :1], real)
    )


def test_weights_of_classes_and_labels() -> None:
    # 6 images of 3 classes, which have 3, 2 and 1.
    assert weights_of(CLASSES) == pytest.approx([6 / 9, 1, 2])
    # 4 and 2 of 6 images have the labels.
    assert weights_of(LABELS) == pytest.approx([2 / 4, 4 / 2])
    weighted = loss_for(CLASSES, class_weights=[1, 2, 3])(LOGITS, TARGETS)
    each = functional.cross_entropy(LOGITS, TARGETS, reduction="none")
    torch.testing.assert_close(weighted, (each[0] + 3 * each[1]) / 4)
    switches, logits = LABELS.targets()[2:4], LOGITS[:, :2]
    found = loss_for(LABELS, class_weights=(1.0, 3.0))(logits, switches)
    one, two = functional.binary_cross_entropy_with_logits(logits, switches, reduction="none").T
    torch.testing.assert_close(found, (one.sum() + 3 * two.sum()) / 4)


def test_a_class_without_images_weighs_1() -> None:
    sparse = Dataset.from_arrays(IMAGES, [0, 0, 0, 2, 2, 2], 3)
    assert weights_of(sparse) == pytest.approx([6 / 9, 1, 6 / 9])


@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 3.0)])
def test_the_focal_loss(weights: Any) -> None:
    plain = loss_for(CLASSES, class_weights=weights)(LOGITS, TARGETS)
    none = loss_for(CLASSES, "focal", class_weights=weights, focal_gamma=0)(LOGITS, TARGETS)
    torch.testing.assert_close(none, plain)
    factors = (1 - LOGITS.softmax(1)[[0, 1], TARGETS]) ** 2
    each = factors * functional.cross_entropy(LOGITS, TARGETS, reduction="none")
    chosen = torch.tensor(weights or (1.0, 1.0, 1.0))[TARGETS]
    found = loss_for(CLASSES, "focal", class_weights=weights)(LOGITS, TARGETS)
    torch.testing.assert_close(found, (chosen * each).sum() / chosen.sum())


def test_the_focal_loss_of_labels() -> None:
    logits, switches = LOGITS[:, :2], LABELS.targets()[1:3]
    none = loss_for(LABELS, "focal", class_weights=(1.0, 3.0), focal_gamma=0)(logits, switches)
    torch.testing.assert_close(none, loss_for(LABELS, class_weights=(1.0, 3.0))(logits, switches))
    sure = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss_for(LABELS, "focal")(sure, switches[:1]).backward()
    assert sure.grad is not None
    assert sure.grad.isfinite().all()


def test_losses_of_a_single_logit_agree() -> None:
    two = Dataset.from_arrays(IMAGES, [0, 0, 0, 0, 1, 1])
    logits, targets = torch.tensor([[1.0], [-0.5]]), torch.tensor([1, 1])
    entropy, binary = (loss_for(two, name)(logits, targets) for name in ("cross_entropy", "bce"))
    torch.testing.assert_close(entropy, binary)
    weighted = loss_for(two, "bce", class_weights=(1.0, 3.0))(logits, targets)
    torch.testing.assert_close(weighted, 3 * binary)
    each = loss_for(CLASSES, "bce")(LOGITS, TARGETS)
    one_hot = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(each, functional.binary_cross_entropy_with_logits(LOGITS, one_hot))


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (CLASSES, {"loss": "hinge"}, "no loss is called 'hinge'; there are cross_entropy, focal"),
        (CLASSES, {"loss": "mse"}, "is for values, but own data has classes: take cross_entropy"),
        (VALUES, {"loss": "bce"}, "is for labels or classes, but own data has values: take mse"),
        (VALUES, {"class_weights": "balanced"}, "for classes and labels, but own data has values"),
        (CLASSES, {"class_weights": "even"}, "must be numbers, or 'balanced', not 'even'"),
        (CLASSES, {"class_weights": (1, 2)}, r"3 positive numbers, .* classes .* not \[1, 2\]"),
        (CLASSES, {"class_weights": (1, 2, 0)}, "3 positive numbers"),
        (LABELS, {"label_smoothing": 0.1}, "an option of cross_entropy, not of 'bce'"),
        (CLASSES, {"focal_gamma": 1.0}, "an option of the loss 'focal', not of 'cross_entropy'"),
        (CLASSES, {"loss": max, "focal_gamma": 1.0}, "focal_gamma is no option of a loss of your"),
        (CLASSES, {"loss": "none.py:f"}, r"file none\.py does not exist"),
    ],
)
def test_losses_that_are_refused(data: Dataset, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loss_for(data, **options)


def test_a_loss_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("from torch import nn\nhuber = nn.functional.huber_loss\nSum = nn.L1Loss\n")
    logits, real = torch.tensor([[1.0], [9.0]]), torch.tensor([[0.0], [0.0]])
    huber = loss_for(VALUES, "mine.py:huber", beside=tmp_path)(logits, real)
    assert float(huber) == pytest.approx((0.5 + 8.5) / 2)
    assert float(loss_for(VALUES, f"{path}:Sum")(logits, real)) == 5
    with pytest.raises(ConfigError, match=r"mine\.py has no function 'other'"):
        loss_for(VALUES, "mine.py:other", beside=tmp_path)


def test_a_loss_of_ones_own_class() -> None:
    class Hinge(TargetLoss, name="test-hinge"):
        tasks = ("classes",)

        def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
            return functional.multi_margin_loss(outputs, targets)

    try:
        found = loss_for(CLASSES, "test-hinge")(LOGITS, TARGETS)
    finally:
        del TargetLoss.kinds["test-hinge"]
    assert torch.equal(found, functional.multi_margin_loss(LOGITS, TARGETS))


def test_a_loss_reaches_the_training() -> None:
    data = small.digits("train").head(200)

    def trained(**options: Any) -> list[Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        fit(model, data, epochs=1, **options)
        return [value.clone() for value in model.state_dict().values()]

    def same(left: list[Tensor], right: list[Tensor]) -> bool:
        return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))

    plain = trained()
    assert same(plain, trained(loss="cross_entropy"))
    assert same(plain, trained(loss=functional.cross_entropy))
    assert same(plain, trained(class_weights=[1.0] * 10))
    assert not same(plain, trained(class_weights="balanced"))
    assert not same(plain, trained(loss="focal"))


def ending(*end: nn.Module, outputs: int = 10) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, outputs), *end)


@pytest.mark.parametrize("end", [nn.Softmax(1), nn.LogSoftmax(1)])
def test_a_softmax_at_the_end_changes_nothing(end: nn.Module) -> None:
    data = small.digits("train").head(300)
    plain, ended = ending(), ending(end)
    one, two = (train(model, data, data, epochs=2, tune_epochs=1) for model in (plain, ended))
    assert (one.float_accuracy, one.quantized_accuracy) == (
        two.float_accuracy,
        two.quantized_accuracy,
    )
    for left, right in zip(plain.parameters(), ended.parameters(), strict=True):
        assert torch.equal(left, right)
    assert evaluate(ended, data) == two.float_accuracy


def test_a_sigmoid_at_the_end_changes_nothing() -> None:
    digits = small.digits("train").head(300)
    data = Dataset.from_arrays(digits.images, digits.labels % 2, bits=5)
    one, two = (
        train(ending(*end, outputs=1), data, data, epochs=2, tune_epochs=1)
        for end in ((), (nn.Sigmoid(),))
    )
    assert one.float_accuracy == two.float_accuracy
    assert one.report == two.report


def test_outputs_that_do_not_fit_the_task() -> None:
    data = small.digits("train").head(50)
    switches = np.stack([data.labels > 4, data.labels % 2 == 1], 1)
    labels = Dataset.from_arrays(data.images, switches, bits=5)
    with pytest.raises(DataError, match="model has 10 outputs, but own data has 2 labels"):
        train(ending(), labels)


def test_a_recipe_for_values_with_a_loss_beside_it(tmp_path: Path) -> None:
    digits = small.digits("train").head(300)
    low = digits.labels < 5
    data = Dataset.from_arrays(digits.images, low - 0.5, bits=5, scale=1 / 16)
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "huber = nn.functional.huber_loss\n"
        "def net():\n"
        "    layers = nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 1)\n"
        "    return nn.Sequential(*layers)\n"
    )
    phases = [
        {"kind": "float", "epochs": 12, "loss": "mine.py:huber"},
        {"kind": "quantized", "epochs": 5},
    ]
    table: dict[str, Any] = {
        "model": {"name": "mine.py:net"},
        "data": {"name": "digits", "task": "values"},
        "engine": {"accelerator": "cpu", "threads": 1},
        "phase": phases,
    }
    recipe = recipe_of(table)
    assert recipe_of(recipe.plain() | {"phase": phases}) == recipe
    folder = tmp_path / "out"
    found = run(recipe, folder, data=data, test=data, beside=tmp_path, say=lambda _: None)
    assert found is not None
    assert found.task == "values"
    assert found.integer_accuracy == pytest.approx(found.quantized_accuracy, abs=1e-4)
    assert found.integer_accuracy > 0.3
    assert found.differing_labels == 0
    assert found.report.keys() == {"mean_absolute_error", "r2"}


def test_a_recipe_names_its_loss() -> None:
    from spikeloom.sw.training.phases import FloatPhase

    with pytest.raises(ConfigError, match=r"give the function as FILE\.py:FUNCTION"):
        FloatPhase(epochs=1, loss=functional.cross_entropy)
