"""Tasks: decisions, scores and losses, against values by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.tasks import Classes, Labels, Task, Values, of_network, require_task


def test_the_largest_output_decides_and_of_equal_ones_the_lowest() -> None:
    outputs = torch.tensor([[1.0, 3.0, 3.0], [2.0, -1.0, 0.0]])
    assert Classes().decide(outputs).tolist() == [1, 0]
    assert int(Classes().score(outputs, torch.tensor([1, 1]))) == 1


def test_the_sign_of_a_single_output_decides() -> None:
    outputs = torch.tensor([[-2], [0], [3]])
    assert Classes().decide(outputs).tolist() == [0, 0, 1]
    assert Classes().texts(Classes().decide(outputs)) == ["0", "0", "1"]
    targets = torch.tensor([0, 1, 1])
    assert int(Classes().score(outputs, targets)) == 2
    expected = functional.binary_cross_entropy_with_logits(
        outputs[:, 0].float(), targets.float(), reduction="sum"
    )
    torch.testing.assert_close(Classes().loss(outputs.float(), targets), expected)


def test_labels_are_decided_one_by_one() -> None:
    outputs = torch.tensor([[1.0, 0.0, -1.0], [0.5, 2.0, -1.0]])
    targets = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    decided = Labels().decide(outputs)
    assert decided.tolist() == [[True, False, False], [True, True, False]]
    assert Labels().texts(decided) == ["0", "0+1"]
    assert Labels().texts(decided[:, 2:]) == ["-", "-"]
    assert float(Labels().score(outputs, targets)) == pytest.approx(5 / 3)
    assert Labels().accuracy(decided, targets) == 5 / 6
    assert Labels().same(decided, targets > 0).tolist() == [False, True]


def test_values_are_outputs_times_a_factor() -> None:
    task = Values(0.25)
    decided = task.decide(torch.tensor([[4, -2]]))
    assert (decided.dtype, decided.tolist()) == (torch.float64, [[1.0, -0.5]])
    assert task.texts(decided) == ["1,-0.5"]
    assert task.same(decided, torch.tensor([[1.25, -0.5]])).tolist() == [True]
    assert task.same(decided, torch.tensor([[1.26, -0.5]])).tolist() == [False]


def test_labels_have_the_shape_of_decisions() -> None:
    column = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    assert Values().targets([3.0, 4.0], column).tolist() == [[3.0], [4.0]]
    assert Labels().targets(np.eye(2, dtype=bool), torch.zeros(2, 2)).tolist() == np.eye(2).tolist()
    with pytest.raises(DataError, match=r"2 images, but labels of shape \(2, 1\), not \(2, 2\)"):
        Values().targets([3.0, 4.0], torch.zeros(2, 2))
    with pytest.raises(DataError, match=r"2 images, but labels of shape \(3,\)$"):
        Classes().targets([0, 1, 2], torch.tensor([0, 1]))


def test_scores_of_values_add_up_over_batches() -> None:
    targets, outputs = torch.tensor([[0.0], [1.0], [2.0], [5.0]]), torch.tensor([[1.0]] * 4)
    variance = targets.double().var(0, unbiased=False)
    task = Values(spread=variance)
    parts = sum(task.score(outputs[i : i + 2], targets[i : i + 2]) for i in (0, 2))
    # Squared errors 1, 0, 1, 16, of which R² sees the mean in relation to the variance.
    assert float(parts) / 4 == pytest.approx(1 - 4.5 / float(variance))
    assert Values().accuracy(outputs.double(), targets) == pytest.approx(float(parts) / 4)


@pytest.mark.parametrize(
    ("task", "student", "other"),
    [
        (Classes(), [[1.0, -2.0]], [[2.0, 0.0]]),
        (Classes(), [[1.0]], [[-1.0]]),
        (Labels(), [[1.0, -2.0]], [[2.0, 0.0]]),
        (Values(), [[1.0, -2.0]], [[2.0, 0.0]]),
    ],
)
def test_only_equal_outputs_have_no_divergence(task: Task, student: Any, other: Any) -> None:
    one, two = torch.tensor(student), torch.tensor(other)
    torch.testing.assert_close(task.divergence(one, one), torch.zeros(()))
    assert task.divergence(one, two) > 0.01


def test_the_divergence_of_labels_is_that_of_each() -> None:
    student, teacher = torch.tensor([[1.0, -2.0]]), torch.tensor([[2.0, 0.5]])
    each = [Classes().divergence(student[:, [k]], teacher[:, [k]]) for k in (0, 1)]
    torch.testing.assert_close(Labels().divergence(student, teacher), torch.stack(each).mean())


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_plain_losses(reduction: str) -> None:
    outputs: Tensor = torch.tensor([[1.0, -1.0], [0.5, 2.0]])
    share = 1 if reduction == "mean" else 2
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    bce = functional.binary_cross_entropy_with_logits(outputs, targets)
    torch.testing.assert_close(Labels().loss(outputs, targets, reduction), bce * share)
    # (0 + 1 + 0.25 + 1) / 4
    squares = Values().loss(outputs, targets, reduction)
    torch.testing.assert_close(squares, torch.tensor(0.5625 * share))


def test_networks_state_their_task() -> None:
    assert of_network({}) is None
    assert isinstance(of_network({"task": {"kind": "classes"}}), Classes)
    assert isinstance(of_network({"task": {"kind": "labels"}}), Labels)
    values = of_network({"task": {"kind": "values", "factor": 0.5}})
    assert isinstance(values, Values)
    assert values.factor == 0.5


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("values", "has the task 'values', which is none"),
        ({"kind": 3}, "which is none"),
        ({"kind": "verse"}, "no task is called 'verse'; there are classes, labels, values"),
        ({"kind": "values"}, "the factor None from logits to values"),
        ({"kind": "values", "factor": 0}, "the factor 0 from"),
    ],
)
def test_networks_with_a_damaged_task(stated: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        of_network({"task": stated})


def test_tasks_have_names() -> None:
    assert require_task("labels") == "labels"
    with pytest.raises(ConfigError, match="no task is called 'sums'"):
        require_task("sums")
