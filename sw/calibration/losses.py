"""Losses between a spiking network and its teacher: a class for each, found by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from spikeloom.sw.registry import Registered
from spikeloom.sw.tasks.task import divergence, softened_divergence

#: Lower limit of the mean square that differences are relative to, for layers that hardly fire.
_LEAST = 1e-4


class Loss(Registered, ABC):
    """Difference between a spiking network and its teacher; found by its name."""

    kinds: ClassVar[dict[str, type[Loss]]] = {}

    @abstractmethod
    def logits(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the loss of the output layer.

        Parameters
        ----------
        student, teacher : tensor, shape (N, classes)
            Logits; those of the spiking network are a mean over time.

        Returns
        -------
        scalar tensor
        """

    @abstractmethod
    def rates(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the loss of a layer that fires.

        Parameters
        ----------
        student, teacher : tensor, shape (N, *shape)
            Firing rates of the student and activations of the teacher, in units of the layer's λ.

        Returns
        -------
        scalar tensor
        """


class SquaredLoss(Loss, kind="mse"):
    """Half the mean square of the difference, over the mean square of the teacher's values.

    To the gradients of one layer, the divisor is a constant. It makes layers with different ranges
    comparable.

    References
    ----------
    "Quantization-aware conversion ... mixed-timestep spiking neural networks" (QAC), eq. 15.
    """

    def logits(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the loss of the output layer."""
        return (student - teacher).square().mean() / (2 * teacher.square().mean().clamp(_LEAST))

    def rates(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the loss of a layer that fires."""
        return self.logits(student, teacher)


class DivergenceLoss(Loss, kind="kl"):
    """Kullback-Leibler divergence of the teacher's values from the student's, both softened.

    A softmax, over the classes or over all neurons of a layer, turns the values into distributions:
    rates and activations need not add up to one, can be 0, and those of signed neurons negative.

    References
    ----------
    Wang et al., "A fast and accurate ANN-SNN conversion algorithm with negative spikes", IJCAI
    2025, eq. 33.
    """

    def logits(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the loss of the output layer."""
        return softened_divergence(student, teacher)

    def rates(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the loss of a layer that fires."""
        return divergence(student.flatten(1), teacher.flatten(1))
