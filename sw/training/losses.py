"""Losses between a model's outputs and its targets: a class for each, found by its name."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from spikeloom.sw import python_file
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.registry import Registered
from spikeloom.sw.tasks import CLASSES, LABELS, VALUES
from spikeloom.sw.tasks.task import two_sided

#: A loss of the user's own: from outputs (N, K) and targets to a scalar.
LossFunction = Callable[[Tensor, Tensor], Tensor]
#: The loss that each task has by default.
DEFAULTS = {CLASSES: "cross_entropy", LABELS: "bce", VALUES: "mse"}
#: Class weights that are derived from the data.
BALANCED = "balanced"
#: Exponent of the focal loss, if none is given.
FOCAL_GAMMA = 2.0


class TargetLoss(Registered, ABC):
    """A loss; a subclass is found by its ``name``.

    Parameters
    ----------
    weights : tensor, shape (K,), optional
        Weight of each class; of several labels, the weight of the images that have each of them.
    smoothing : float
        Share of the target that is spread over all classes.
    gamma : float
        Exponent of the focal loss.
    """

    kinds: ClassVar[dict[str, type[TargetLoss]]] = {}
    name_attribute = "name"
    name: ClassVar[str]
    #: Tasks that the loss is for.
    tasks: ClassVar[tuple[str, ...]]

    def __init__(
        self, weights: Tensor | None = None, smoothing: float = 0.0, gamma: float = FOCAL_GAMMA
    ) -> None:
        self.weights, self.smoothing, self.gamma = weights, smoothing, gamma

    @abstractmethod
    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of a batch, a scalar.

        Parameters
        ----------
        outputs : tensor, shape (N, K)
        targets : tensor
            As :meth:`Dataset.targets <spikeloom.sw.datasets.Dataset.targets>` returns them.
        """

    def _weights_at(self, outputs: Tensor) -> Tensor | None:
        """Return the weights with the type and on the device of the outputs."""
        return None if self.weights is None else self.weights.to(outputs)


class CrossEntropy(TargetLoss, name="cross_entropy"):
    """Cross-entropy of one class of several; of a single logit, between its two classes."""

    tasks = (CLASSES,)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        logits = two_sided(outputs)
        return functional.cross_entropy(
            logits, targets, weight=self._weights_at(logits), label_smoothing=self.smoothing
        )


class Focal(TargetLoss, name="focal"):
    """Focal loss: images that the model gets right already count little.

    The cross-entropy of each image, or of each of its labels, is multiplied by (1 - p)^gamma, where
    p is the probability of the right class. With gamma = 0 it is the cross-entropy.

    References
    ----------
    Lin et al., "Focal loss for dense object detection", ICCV 2017, eq. 4 and 5.
    """

    tasks = (CLASSES, LABELS)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if targets.ndim == 2:
            loss = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
            weights = self._weights_at(outputs)
            scale = torch.ones_like(loss)
            if weights is not None:
                scale = torch.where(targets > 0, weights, scale)
            return (scale * self._focused(loss) * loss).mean()
        logits = two_sided(outputs)
        loss = functional.cross_entropy(logits, targets, reduction="none")
        focused = self._focused(loss) * loss
        weights = self._weights_at(logits)
        if weights is None:
            return focused.mean()
        chosen = weights[targets]
        return (chosen * focused).sum() / chosen.sum()

    def _focused(self, loss: Tensor) -> Tensor:
        # The loss is -ln p. At p = 1 a fractional power would have no gradient.
        return (1 - (-loss).exp()).clamp(min=1e-7) ** self.gamma


class BinaryCrossEntropy(TargetLoss, name="bce"):
    """Binary cross-entropy of several labels, or of the two classes of a single logit.

    Of one class of several, each output learns to tell its class from all others.
    """

    tasks = (LABELS, CLASSES)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        weights = self._weights_at(outputs)
        if targets.ndim == 2:
            return functional.binary_cross_entropy_with_logits(outputs, targets, pos_weight=weights)
        if outputs.shape[1] == 1:
            wanted = targets[:, None].to(outputs.dtype)
        else:
            wanted = functional.one_hot(targets, outputs.shape[1]).to(outputs.dtype)
        chosen = None if weights is None else weights[targets][:, None]
        return functional.binary_cross_entropy_with_logits(outputs, wanted, weight=chosen)


class SquaredError(TargetLoss, name="mse"):
    """Mean squared error of real values."""

    tasks = (VALUES,)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(outputs, targets)


def loss_for(
    data: Dataset,
    loss: str | LossFunction | None = None,
    *,
    class_weights: str | Sequence[float] | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float | None = None,
    beside: Path | None = None,
) -> LossFunction:
    """Return a loss for a data set.

    Parameters
    ----------
    data : Dataset
        Training split.
    loss : str or callable, optional
        A name of :attr:`TargetLoss.kinds`; ``FILE.py:FUNCTION``; or a function of outputs and
        targets. By default, the loss of the data's task.
    class_weights : "balanced", or sequence of float, optional
        As for :func:`weights_for`.
    label_smoothing : float
        Share of the target that is spread over all classes; of cross-entropy only.
    focal_gamma : float, optional
        Exponent of the focal loss.
    beside : path, optional
        Another folder to look for the file in.

    Raises
    ------
    ConfigError
        If there is no such loss, it is not for the data's task, or has no such option.
    UnsupportedError
        If the file raises an error.
    """
    named = DEFAULTS[data.task] if loss is None else loss
    if callable(named) or ".py:" in named:
        given = {
            "class_weights": class_weights is not None,
            "label_smoothing": label_smoothing != 0,
            "focal_gamma": focal_gamma is not None,
        }
        for option, wrong in given.items():
            if wrong:
                raise ConfigError(f"{option} is no option of a loss of your own: put it inside")
        return named if callable(named) else _of_file(named, beside)
    kind = TargetLoss.member(named, ConfigError, f"no loss is called {named!r}; there are")
    if data.task not in kind.tasks:
        fit = [name for name, other in TargetLoss.kinds.items() if data.task in other.tasks]
        raise ConfigError(
            f"the loss {named!r} is for {' or '.join(kind.tasks)}, but {data.name} has "
            f"{data.task}: take {' or '.join(fit)}"
        )
    if label_smoothing and kind is not CrossEntropy:
        raise ConfigError(f"label_smoothing is an option of cross_entropy, not of {named!r}")
    if focal_gamma is not None and kind is not Focal:
        raise ConfigError(f"focal_gamma is an option of the loss 'focal', not of {named!r}")
    weights = weights_for(data, class_weights)
    return kind(weights, label_smoothing, FOCAL_GAMMA if focal_gamma is None else focal_gamma)


def weights_for(data: Dataset, weights: str | Sequence[float] | None) -> Tensor | None:
    """Return the weight of each class of a data set, or of each of its labels.

    Parameters
    ----------
    data : Dataset
    weights : "balanced", or sequence of float, optional
        With "balanced", all classes weigh the same together, however many images they have: a
        class of n images of N gets N / (n · classes). A label that n images have, and m have not,
        gets m / n.

    Returns
    -------
    tensor of float32, shape (classes,), or None

    Raises
    ------
    ConfigError
        If there is not one positive number for each class, or the data have real values.
    """
    if weights is None:
        return None
    if data.task == VALUES:
        raise ConfigError(f"class_weights are for classes and labels, but {data.name} has values")
    if isinstance(weights, str):
        require_balanced(weights)
        targets = data.targets()
        if data.task == LABELS:
            having = targets.sum(0)
            found = (len(targets) - having) / having
        else:
            having = torch.bincount(targets, minlength=data.classes)
            found = len(targets) / (having * data.classes)
        usable = (having > 0) & (found > 0)
        return torch.where(usable, found, torch.ones_like(found)).float()
    given = torch.tensor([float(weight) for weight in weights])
    if len(given) != data.classes or not ((given > 0) & given.isfinite()).all():
        raise ConfigError(
            f"class_weights must be {data.classes} positive numbers, one for each of the "
            f"{data.task} of {data.name}, or 'balanced', not {list(weights)}"
        )
    return given


def require_balanced(text: str) -> None:
    """Refuse a text as class weights, unless it is "balanced".

    Raises
    ------
    ConfigError
    """
    if text != BALANCED:
        raise ConfigError(f"class_weights must be numbers, or 'balanced', not {text!r}")


def require_loss(loss: object, gamma: float | None, weights: object) -> None:
    """Refuse options of a loss that no data could fit.

    Raises
    ------
    ConfigError
    """
    if isinstance(loss, str) and ".py:" not in loss:
        TargetLoss.member(loss, ConfigError, f"no loss is called {loss!r}; there are")
    if isinstance(weights, str):
        require_balanced(weights)
    if gamma is not None and not 0 <= gamma < math.inf:
        raise ConfigError(f"focal_gamma must be at least 0, not {gamma}")


def _of_file(spec: str, beside: Path | None) -> LossFunction:
    place, _, name = spec.rpartition(":")
    candidates = [Path(place), *([beside / place] if beside else [])]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise ConfigError(f"the loss's file {place} does not exist: check the path")
    found = getattr(python_file.run(path, "spikeloom_loss"), name, None)
    if not callable(found):
        raise ConfigError(f"{path} has no function {name!r}: name one of outputs and targets")
    # A class, such as one of nn.Module, is built first.
    built: LossFunction = found() if isinstance(found, type) else found
    return built
