"""Options of one phase of training: optimizer, schedule, augmentation, and the epoch to keep."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.spiking.surrogates import Surrogate, surrogate_named
from spikeloom.sw.training.autoaugment import POLICIES
from spikeloom.sw.training.distillation import require_teaching
from spikeloom.sw.training.groups import LAMBDA_LR_FACTOR, TIMESTEP_LR_FACTOR
from spikeloom.sw.training.losses import require_loss

#: Keys of the options that choose a surrogate.
SURROGATE = ("surrogate", "alpha", "beta", "kappa", "kappa_epochs")
OPTIMIZERS = ("adamw", "sgd")
SCHEDULES = ("cosine", "constant")
KEPT = ("best", "last")


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Options for fitting a model to labelled data, in a call or in a phase of a recipe.

    Parameters
    ----------
    epochs : int
        Passes over the training data.
    lr : float
        Highest learning rate of the weights.
    optimizer : {"adamw", "sgd"}
    momentum : float
        Momentum of SGD, 0 to below 1.
    nesterov : bool
        Whether SGD uses Nesterov's momentum.
    weight_decay : float
        Decay of weights; biases, norms and thresholds have none.
    batch_size : int
        Number of images in a step, over all devices.
    schedule : {"cosine", "constant"}
        Course of the learning rate after the warm-up: it falls to 0 along half a cosine, or stays
        the same.
    warmup : float
        Epochs in which the learning rate rises linearly.
    lambda_lr_factor, timestep_lr_factor : float
        Learning rates of thresholds λ and of learned timesteps, relative to ``lr``.
    loss : str or callable, optional
        "cross_entropy", "focal", "bce", "mse" or another name of
        :attr:`~spikeloom.sw.training.losses.TargetLoss.kinds`; ``FILE.py:FUNCTION``; or, but in a
        recipe, a function of outputs and targets. By default that of the data's task:
        cross-entropy for classes, "bce" for several labels, "mse" for values.
    class_weights : "balanced", or sequence of float, optional
        Weight of each class, or of each label where it applies; with "balanced", rare ones weigh
        more. See :func:`~spikeloom.sw.training.losses.weights_for`.
    focal_gamma : float, optional
        Exponent of the focal loss, at least 0; by default 2.
    label_smoothing : float
        Share of the target that is spread over all classes, 0 to below 1.
    teacher_weight : float, optional
        Share of the loss that compares the outputs with those of the teacher, 0 to 1, where there
        is a teacher; the labels make the rest. By default 0.5.
    temperature : float, optional
        Divisor of the logits of model and teacher before they are compared, above 0; of classes and
        labels only. By default 2.
    shift : int, or (int, int)
        Largest movement of an image in each direction, or along its height and its width, in
        pixels; zeros come in. An axis of length 1, or of less than twice the shift, is never moved
        along.
    flip : bool
        Whether half of the images are mirrored, left and right exchanged.
    cutout : int
        Side of a square, anywhere in the image, that is set to the pixel that stands for 0, as
        behind a normalisation; 0 for none.
    autoaugment : str, optional
        "cifar10", the policy of :mod:`spikeloom.sw.training.autoaugment`, for images of 8 bits. By
        default none.
    erase : float, optional
        Probability that a rectangle of an image is set to the pixel that stands for 0: random
        erasing by torchvision's definition, above 0 to 1. By default none.
    clip_gradient : float
        Largest norm of the gradient of all parameters together; 0 for no limit.
    average : float
        Decay of a running mean of the weights, for instance 0.999. The model with the mean is then
        the one that is measured and kept; 0 for no mean.
    patience : int
        Number of epochs without a better one after which the phase ends; 0 to never end early.
    surrogate : str, optional
        Derivative that stands in for that of a spike, in a phase through time: a key of
        :attr:`~spikeloom.sw.spiking.surrogates.Surrogate.kinds`. By default "relsg-et".
    alpha, beta : float, optional
        Half the width of its core, and the decay of its tails; by default 0.25 and 3.
    kappa, kappa_epochs : sequence of float and of int, optional
        Steepness of the surrogate "sigmoid", and the epochs from which on each value holds; by
        default 6.7, 10 and 15 from epoch 0, 10 and 20 on.
    keep : {"best", "last"}
        The epoch whose model is kept: the one with the best accuracy on the validation split (the
        last of several), or the last one. Without a validation split, always the last.
    average_timesteps : float
        Largest mean T of an epoch that may be the best, for phases that learn T; 0 for no limit.
        If no epoch stays within the limit, the one with the least mean T is kept.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    epochs: int
    lr: float = 5e-3
    optimizer: str = "adamw"
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-2
    batch_size: int = 64
    schedule: str = "cosine"
    warmup: float = 0.0
    lambda_lr_factor: float = LAMBDA_LR_FACTOR
    timestep_lr_factor: float = TIMESTEP_LR_FACTOR
    loss: str | Callable[[Tensor, Tensor], Tensor] | None = None
    class_weights: str | tuple[float, ...] | None = None
    focal_gamma: float | None = None
    label_smoothing: float = 0.0
    teacher_weight: float | None = None
    temperature: float | None = None
    shift: int | tuple[int, ...] = 0
    flip: bool = False
    cutout: int = 0
    clip_gradient: float = 0.0
    average: float = 0.0
    patience: int = 0
    keep: str = "best"
    average_timesteps: float = 0.0
    surrogate: str | None = None
    alpha: float | None = None
    beta: float | None = None
    kappa: tuple[float, ...] | None = None
    kappa_epochs: tuple[int, ...] | None = None
    autoaugment: str | None = None
    erase: float | None = None

    def __post_init__(self) -> None:
        for name, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            value = getattr(self, name)
            if value not in known:
                raise ConfigError(f"no {name} is called {value!r}; there are {', '.join(known)}")
        require_loss(self.loss, self.focal_gamma, self.class_weights)
        if isinstance(self.class_weights, list):
            object.__setattr__(self, "class_weights", tuple(self.class_weights))
        if self.keep not in KEPT:
            raise ConfigError(f"keep must be {' or '.join(KEPT)}, not {self.keep!r}")
        if isinstance(self.shift, tuple | list):
            if len(self.shift) != 2 or min(self.shift) < 0:
                raise ConfigError(
                    f"shift must be one number, or two for the height and the width, each at "
                    f"least 0, not {list(self.shift)}"
                )
            object.__setattr__(self, "shift", tuple(self.shift))
        elif self.shift < 0:
            raise ConfigError(f"shift must be at least 0, not {self.shift}")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not least <= value < math.inf:
                raise ConfigError(f"{name} must be at least {least}, not {value}")
        for name in ("momentum", "label_smoothing", "average"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ConfigError(f"{name} must be from 0 to below 1, not {value}")
        if not 0 < self.lr < math.inf:
            raise ConfigError(f"lr must be positive and finite, not {self.lr}")
        require_teaching(self.teacher_weight, self.temperature)
        surrogate_of(self)
        if self.autoaugment is not None and self.autoaugment not in POLICIES:
            raise ConfigError(
                f"no autoaugment is called {self.autoaugment!r}; there are {', '.join(POLICIES)}"
            )
        if self.erase is not None and not 0 < self.erase <= 1:
            raise ConfigError(f"erase must be above 0 and up to 1, not {self.erase}")
        if self.warmup > self.epochs:
            raise ConfigError(
                f"warmup must be at most the phase's {self.epochs} epochs, not {self.warmup}"
            )
        if self.nesterov and self.momentum == 0:
            raise ConfigError("nesterov needs a momentum above 0")


def surrogate_of(options: Any) -> Surrogate:
    """Return the surrogate that options choose, by the keys of :data:`SURROGATE`.

    Raises
    ------
    ConfigError
        As :func:`~spikeloom.sw.spiking.surrogates.surrogate_named` does.
    """
    name, *parameters = (getattr(options, key) for key in SURROGATE)
    return surrogate_named(name, **dict(zip(SURROGATE[1:], parameters, strict=True)))


_LEAST = {
    "epochs": 1,
    "batch_size": 2,
    "weight_decay": 0,
    "warmup": 0,
    "lambda_lr_factor": 0,
    "timestep_lr_factor": 0,
    "cutout": 0,
    "clip_gradient": 0,
    "patience": 0,
    "average_timesteps": 0,
}
