"""Distillation: a loss in which the outputs of a teacher are targets, too.

In a training loop of your own::

    loss = distillation(teacher)
    for images, labels in batches:
        loss(prepared(images), labels, images).backward()
"""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.tasks import CLASSES, Task, require_task
from spikeloom.sw.tasks.task import TEMPERATURE
from spikeloom.sw.training.losses import DEFAULTS, LossFunction, TargetLoss

#: Share of the loss that compares a model's outputs with its teacher's, if none is given.
TEACHER_WEIGHT = 0.5


class Teaching(NamedTuple):
    """The part of a teacher in the loss of a model.

    Parameters
    ----------
    task : Task
        Compares the outputs of both.
    weight : float
        Share of the loss that compares the outputs with the teacher's, 0 to 1; the labels make the
        rest.
    temperature : float
        Divisor of the logits of both before they are compared.
    """

    task: Task
    weight: float = TEACHER_WEIGHT
    temperature: float = TEMPERATURE

    @classmethod
    def of(cls, task: Task, weight: float | None, temperature: float | None) -> Teaching:
        """Return the part of a teacher, where None stands for the default."""
        return cls(
            task,
            TEACHER_WEIGHT if weight is None else weight,
            TEMPERATURE if temperature is None else temperature,
        )

    def loss(self, of_labels: Tensor, outputs: Tensor, teachers: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar.

        Parameters
        ----------
        of_labels : tensor
            The loss without a teacher, a scalar.
        outputs, teachers : tensor, shape (N, K)
            Of the model, and of its teacher.
        """
        divergence = self.task.divergence(outputs, teachers, self.temperature)
        return (1 - self.weight) * of_labels + self.weight * divergence


class Distillation:
    """A loss with a teacher, for a training loop of your own; see :func:`distillation`."""

    def __init__(self, teacher: nn.Module, loss: LossFunction, teaching: Teaching) -> None:
        self.teacher = copy.deepcopy(teacher).eval().requires_grad_(False)
        self.loss, self.teaching = loss, teaching

    def __call__(self, outputs: Tensor, targets: Tensor, images: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar.

        Parameters
        ----------
        outputs : tensor, shape (N, K)
            Of the model that is trained.
        targets : tensor
            As for ``loss``.
        images : tensor
            The batch, as the teacher takes it.
        """
        with torch.no_grad():
            teachers = self.teacher(images)
        of_labels = self.loss(outputs, targets)
        return self.teaching.loss(of_labels, outputs, teachers.to(outputs.dtype))


def distillation(
    teacher: nn.Module,
    loss: str | LossFunction | None = None,
    task: str = CLASSES,
    *,
    weight: float = TEACHER_WEIGHT,
    temperature: float = TEMPERATURE,
) -> Distillation:
    """Return a loss in which the outputs of a teacher are targets, too: knowledge distillation.

    It is the one that :func:`~spikeloom.sw.training.train` uses: without a teacher, quantization
    costs more accuracy.

    Parameters
    ----------
    teacher : nn.Module
        The trained float model. A copy of it is used, in eval mode, on the same device.
    loss : str or callable, optional
        The loss of the labels: a name of :attr:`TargetLoss.kinds`, or a function of outputs and
        targets such as ``torch.nn.functional.cross_entropy``. By default, that of the task.
    task : {"classes", "labels", "values"}
    weight : float
        Share of the loss that compares the outputs with the teacher's, 0 to 1.
    temperature : float
        Divisor of the logits of both before they are compared; of classes and labels only.

    Returns
    -------
    Distillation
        Call it as ``loss(outputs, targets, images)``.

    Raises
    ------
    ConfigError
        If there is no such loss or task, or a number is out of range.
    """
    named = DEFAULTS[require_task(task)] if loss is None else loss
    if not callable(named):
        named = TargetLoss.member(named, ConfigError, f"no loss is called {named!r}; there are")()
    require_teaching(weight, temperature)
    return Distillation(teacher, named, Teaching(Task.kinds[task](), weight, temperature))


def require_teaching(weight: float | None, temperature: float | None) -> None:
    """Refuse a weight or a temperature that is out of range; None stands for the default.

    Raises
    ------
    ConfigError
    """
    if weight is not None and not 0 <= weight <= 1:
        raise ConfigError(f"teacher_weight must be from 0 to 1, not {weight}")
    if temperature is not None and not 0 < temperature < math.inf:
        raise ConfigError(f"temperature must be positive and finite, not {temperature}")
