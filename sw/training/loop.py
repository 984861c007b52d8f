"""Training in two phases: a float ReLU model, then the same model as the hardware computes it.

Users with a loop of their own need only :func:`param_groups`; :func:`train` does everything.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.activations import Activation
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.prepare import (
    DEFAULT_TIMESTEPS,
    DEFAULT_WEIGHT_BITS,
    LayerChoice,
    initialise,
    prepare,
)
from spikeloom.sw.trained import Trained

__all__ = ["Epoch", "Trained", "evaluate", "fit", "param_groups", "train"]

#: Learning rate of the thresholds, relative to the weights'.
LAMBDA_LR_FACTOR = 2.0
#: Images that the thresholds are initialised from.
CALIBRATION_IMAGES = 512
#: What logits are divided by before a quantized model is compared with its float teacher.
DISTILLATION_TEMPERATURE = 2.0

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "sgd": lambda groups, **options: torch.optim.SGD(groups, momentum=0.9, **options),
}


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training data gave.

    Parameters
    ----------
    index : int
        From 0.
    loss : float
        Mean cross-entropy over the (augmented) training images.
    accuracy : float
        Share of them that was right at the time, in training mode.
    """

    index: int
    loss: float
    accuracy: float


def param_groups(
    model: nn.Module,
    lr: float,
    *,
    lambda_lr_factor: float = LAMBDA_LR_FACTOR,
    weight_decay: float = 0.0,
) -> list[dict[str, Any]]:
    """Return parameter groups for any torch optimizer.

    The parameters of activations, which are their thresholds λ, get a learning rate of their own
    and no decay, which would pull them towards 1. Biases and batch-norm parameters are not decayed
    either.

    Parameters
    ----------
    model : nn.Module
        Prepared, or not.
    lr : float
        Learning rate of the weights.
    lambda_lr_factor : float
        Learning rate of the thresholds, relative to ``lr``. It is ln λ that is learned.
    weight_decay : float

    Returns
    -------
    list of dict
        With the keys ``name``, ``params``, ``lr`` and ``weight_decay``; empty groups are left out.
    """
    thresholds = [p for m in model.modules() if isinstance(m, Activation) for p in m.parameters()]
    known = {id(p) for p in thresholds}
    others = [p for p in model.parameters() if id(p) not in known and p.requires_grad]
    groups: list[dict[str, Any]] = [
        {
            "name": "weights",
            "params": [p for p in others if p.ndim > 1],
            "lr": lr,
            "weight_decay": weight_decay,
        },
        {
            "name": "biases",
            "params": [p for p in others if p.ndim <= 1],
            "lr": lr,
            "weight_decay": 0.0,
        },
        {
            "name": "thresholds",
            "params": thresholds,
            "lr": lr * lambda_lr_factor,
            "weight_decay": 0.0,
        },
    ]
    return [group for group in groups if group["params"]]


def fit(
    model: nn.Module,
    data: Dataset,
    *,
    epochs: int,
    lr: float = 5e-3,
    optimizer: str = "adamw",
    lambda_lr_factor: float = LAMBDA_LR_FACTOR,
    weight_decay: float = 1e-2,
    batch_size: int = 64,
    shift: int = 1,
    label_smoothing: float = 0.0,
    teacher: nn.Module | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    title: str = "training",
) -> list[Epoch]:
    """Train ``model`` in place: cross-entropy, cosine learning rate, randomly shifted images.

    With one seed and one number of threads, the result is the same each time.

    Parameters
    ----------
    model : nn.Module
        Prepared, or not. Left in eval mode.
    data : Dataset
    epochs : int
        Passes over the data; there is no choice of a best one, so no split is needed for it.
    lr : float
        Initial learning rate.
    optimizer : {"adamw", "sgd"}
    lambda_lr_factor, weight_decay : float
        As in :func:`param_groups`.
    batch_size : int
    shift : int
        Each image is moved by up to this many pixels in each direction; 0 for none.
    label_smoothing : float
    teacher : nn.Module, optional
        A model whose outputs are targets too, with the same weight as the labels: knowledge
        distillation. Run in eval mode, left as it is.
    seed : int
    progress : rich.progress.Progress, optional
        Shows a bar called ``title``.
    title : str

    Returns
    -------
    list of Epoch

    Raises
    ------
    ConfigError
        If an option is out of range.
    DataError
        If there is only one image.
    """
    if optimizer not in OPTIMIZERS:
        raise ConfigError(
            f"no optimizer is called {optimizer!r}; there are {', '.join(OPTIMIZERS)}"
        )
    for what, value, least in (("epochs", epochs, 1), ("batch_size", batch_size, 2)):
        if value < least:
            raise ConfigError(f"{what} must be at least {least}, not {value}")
    if len(data) < 2:
        raise DataError(f"{data.name} has {len(data)} image: training needs at least 2")
    device = _device(model)
    inputs, targets = data.inputs().to(device), data.targets().to(device)
    groups = param_groups(model, lr, lambda_lr_factor=lambda_lr_factor, weight_decay=weight_decay)
    steps = OPTIMIZERS[optimizer](groups, lr=lr)
    # Batch-norm cannot learn from a single image, which an incomplete last batch could be.
    batches = max(1, len(inputs) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(steps, epochs * batches)
    generator = torch.Generator().manual_seed(seed)
    task = progress.add_task(title, total=epochs) if progress else None
    taught = copy.deepcopy(teacher).eval().requires_grad_(False) if teacher else None
    history = []
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):  # for dropout; the caller's stream stays as it is
        torch.manual_seed(seed)
        for index in range(epochs):
            model.train()
            order = torch.randperm(len(inputs), generator=generator).to(device)
            loss_sum, right, seen = 0.0, 0, 0
            for batch in order[: batches * batch_size].split(batch_size):  # type: ignore[no-untyped-call]
                images = _shifted(inputs[batch], shift, generator)
                logits = model(images)
                loss = functional.cross_entropy(
                    logits, targets[batch], label_smoothing=label_smoothing
                )
                if taught is not None:
                    loss = (loss + _divergence(logits, taught(images))) / 2
                steps.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                steps.step()
                schedule.step()
                loss_sum += loss.item() * len(batch)
                right += int((logits.argmax(1) == targets[batch]).sum())
                seen += len(batch)
            history.append(Epoch(index, loss_sum / seen, right / seen))
            if progress and task is not None:
                progress.advance(task)
    model.eval()
    return history


def evaluate(
    model: nn.Module,
    data: Dataset,
    *,
    dtype: torch.dtype = torch.float64,
    batch_size: int = 512,
) -> float:
    """Return the share of images whose label the model gets right.

    Parameters
    ----------
    model : nn.Module
        Prepared, or not; left as it is.
    data : Dataset
    dtype : torch.dtype
        A copy of the model is run in this precision. In float64, rounding does not decide a
        quantized activation, so labels are those of the converted network.
    batch_size : int
    """
    device = _device(model)
    if dtype is not torch.float32:
        model = copy.deepcopy(model).to(dtype)
    training = model.training
    model.eval()
    # Scaled in the target precision: 1/255 in float32 is another number.
    pixels, targets = torch.from_numpy(data.images), data.targets()
    right = 0
    with torch.no_grad():
        for start in range(0, len(data), batch_size):
            images, labels = (x[start : start + batch_size] for x in (pixels, targets))
            logits = model(images.to(device, dtype) * data.scale)
            right += int((logits.argmax(1).cpu() == labels).sum())
    model.train(training)
    return right / len(data)


def train(
    model: nn.Module,
    data: Dataset,
    test: Dataset | None = None,
    *,
    timesteps: LayerChoice = DEFAULT_TIMESTEPS,
    weight_bits: LayerChoice = DEFAULT_WEIGHT_BITS,
    epochs: int = 40,
    tune_epochs: int = 60,
    lr: float = 5e-3,
    tune_lr: float = 4e-3,
    seed: int = 0,
    spec: str = "",
    progress: Progress | None = None,
    **options: Any,
) -> Trained:
    """Train a ReLU model, prepare it, and train on with quantized activations and weights.

    Parameters
    ----------
    model : nn.Module
        Trained in place by the first phase. Its initial weights are the caller's: seed torch
        before building it if the result is to be repeated.
    data : Dataset
        Training split.
    test : Dataset, optional
        Measured twice, after each phase, and used for nothing else.
    timesteps, weight_bits : int or mapping
        As in :func:`~spikeloom.sw.prepare.prepare`.
    epochs, tune_epochs : int
        Passes over the data in the first and in the second phase; 0 skips a phase.
    lr, tune_lr : float
        Initial learning rates of the two phases.
    seed : int
    spec : str
        What the model is called in a checkpoint: zoo name or ``"path/to/module.py:Net"``.
    progress : rich.progress.Progress, optional
    **options
        Handed to :func:`fit` in both phases.

    Returns
    -------
    Trained

    Raises
    ------
    UnsupportedError
        If the model cannot be converted, before any time is spent on training.
    """
    choices: dict[str, Any] = {"timesteps": timesteps, "weight_bits": weight_bits}
    prepare(model, input_shape=data.shape, **choices)
    _require_classes(model, data)
    common: dict[str, Any] = {"progress": progress, "seed": seed, **options}
    if epochs:
        fit(model, data, epochs=epochs, lr=lr, title="float ANN", **common)
    float_accuracy = evaluate(model, test) if test is not None else None
    prepared = prepare(model, input_shape=data.shape, **choices)
    calibration = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    images = data.inputs()[calibration[:CALIBRATION_IMAGES]]
    initialise(prepared, images.to(_device(prepared)))
    if tune_epochs:
        fit(
            prepared,
            data,
            epochs=tune_epochs,
            lr=tune_lr,
            title="quantized ANN",
            **(common | {"teacher": model}),
        )
    prepared.eval()
    quantized_accuracy = evaluate(prepared, test) if test is not None else None
    return Trained.of(
        prepared,
        spec=spec,
        dataset=data.name,
        input_bits=data.bits,
        input_scale=data.scale,
        float_accuracy=float_accuracy,
        quantized_accuracy=quantized_accuracy,
    )


def _require_classes(model: nn.Module, data: Dataset) -> None:
    training = model.training
    model.eval()
    with torch.no_grad():
        logits = model(data.head(1).inputs().to(_device(model)))
    model.train(training)
    if logits.shape[1] < data.classes:
        raise DataError(
            f"the model has {logits.shape[1]} outputs, but {data.name} has {data.classes} classes: "
            f"widen its last layer"
        )


def _shifted(images: Tensor, reach: int, generator: torch.Generator) -> Tensor:
    """Return each image moved by up to ``reach`` pixels, zeros coming in from the edge."""
    if reach == 0:
        return images
    count, _, height, width = images.shape
    padded = functional.pad(images, (reach,) * 4)
    moves = torch.randint(0, 2 * reach + 1, (2, count, 1), generator=generator)
    moves = moves.to(images.device)
    rows = moves[0] + torch.arange(height, device=images.device)
    columns = moves[1] + torch.arange(width, device=images.device)
    picked = torch.arange(count, device=images.device)[:, None, None]
    return padded[picked, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _divergence(logits: Tensor, teacher: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of the softened classes, scaled as in Hinton's paper.

    Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015.
    """
    soft = DISTILLATION_TEMPERATURE
    return functional.kl_div(
        functional.log_softmax(logits / soft, 1),
        functional.log_softmax(teacher / soft, 1),
        reduction="batchmean",
        log_target=True,
    ) * (soft * soft)


def _device(model: nn.Module) -> torch.device:
    return next((p.device for p in model.parameters()), torch.device("cpu"))
