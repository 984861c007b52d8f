"""Training in one call: a float ReLU model, then the same model with the hardware's arithmetic."""

from __future__ import annotations

import copy
import logging
from typing import Any

import torch
from torch import fx, nn

from spikeloom.sw.datasets import DataLike, Dataset, as_dataset
from spikeloom.sw.errors import DataError
from spikeloom.sw.graph import copyable, taking_rows, without_end
from spikeloom.sw.progress import Choice, shown
from spikeloom.sw.quantized import initialise, prepare
from spikeloom.sw.quantized.choices import LayerChoice
from spikeloom.sw.quantized.initialisation import PERCENTILE, Percentile, staged
from spikeloom.sw.quantized.prepare import DEFAULT_TIMESTEPS, DEFAULT_WEIGHT_BITS
from spikeloom.sw.quantized.prepared import META, device_of
from spikeloom.sw.tasks import CLASSES
from spikeloom.sw.training.loop import Epoch, Loop
from spikeloom.sw.training.measure import evaluate, labels_of
from spikeloom.sw.training.options import FitOptions
from spikeloom.sw.training.standard import Standard
from spikeloom.sw.training.trained import Trained

_LOG = logging.getLogger(__name__)
#: Number of images that the thresholds are initialised from.
CALIBRATION_IMAGES = 512


def fit(
    model: nn.Module,
    data: DataLike,
    *,
    epochs: int,
    teacher: nn.Module | None = None,
    seed: int = 0,
    progress: Choice = None,
    title: str = "training",
    **options: Any,
) -> list[Epoch]:
    """Train ``model`` in place, by the loss of the data's task unless ``loss`` is given.

    With one seed and one number of threads, the result is the same each time.

    Parameters
    ----------
    model : nn.Module
        A float model or a prepared one. Left in eval mode.
    data : Dataset, or data as :func:`~spikeloom.sw.datasets.as_dataset` takes them
    epochs : int
        Passes over the data. The last epoch is kept, or the mean of the weights if ``average`` asks
        for it, so no validation split is needed.
    teacher : nn.Module, optional
        A model whose outputs are targets, too, with the same weight as the labels: knowledge
        distillation. It runs in eval mode and is left as it is.
    seed : int
    progress : rich.progress.Progress or bool, optional
        Shows a bar called ``title``: in a display of the caller's, or by default in one of its own
        on stderr; False for none.
    title : str
    **options
        ``lr``, ``optimizer``, ``batch_size``, ``loss``, ``class_weights`` and all other fields of
        :class:`~spikeloom.sw.training.options.FitOptions`. Images are changed at random only if
        ``shift``, ``flip`` or ``cutout`` says so.

    Returns
    -------
    list of Epoch

    Raises
    ------
    ConfigError
        If an option is out of range.
    DataError
        If there are fewer than two images.
    """
    loop = Loop(model, data, FitOptions(epochs=epochs, **options), teacher=teacher, seed=seed)
    history = []
    with shown(progress) as bars:
        task = bars.add_task(title, total=epochs) if bars else None
        for number in range(1, epochs + 1):
            history.append(loop.epoch())
            _LOG.info(
                "%s: epoch %d of %d, loss %.4g, %.2f %% of the training images right",
                *(title, number, epochs, history[-1].loss, 100 * history[-1].accuracy),
            )
            if bars and task is not None:
                bars.advance(task)
    if loop.averaged is not None:
        model.load_state_dict(loop.averaged.state_dict())
    model.eval()
    return history


def train(
    model: nn.Module,
    data: DataLike,
    test: DataLike | None = None,
    *,
    timesteps: LayerChoice = DEFAULT_TIMESTEPS,
    weight_bits: LayerChoice = DEFAULT_WEIGHT_BITS,
    epochs: int = 40,
    tune_epochs: int = 60,
    lr: float = 5e-3,
    tune_lr: float = 4e-3,
    seed: int = 0,
    spec: str = "",
    progress: Choice = None,
    **options: Any,
) -> Trained:
    """Train a ReLU model, prepare it, and continue with quantized activations and weights.

    Parameters
    ----------
    model : nn.Module
        Trained in place by the first phase. Its initial weights are the caller's: seed torch
        before building it to make the result repeatable.
    data : Dataset, or data as :func:`~spikeloom.sw.datasets.as_dataset` takes them
        Training split: also a torch Dataset, a DataLoader, or a pair (images, labels).
    test : Dataset, or other data, optional
        Test split, measured after each of the two phases and used for nothing else.
    timesteps, weight_bits : int or mapping
        As in :func:`~spikeloom.sw.quantized.prepare`.
    epochs, tune_epochs : int
        Passes over the data in the first and in the second phase; 0 skips a phase.
    lr, tune_lr : float
        Initial learning rates of the two phases.
    seed : int
    spec : str
        Location of the model's code, for a checkpoint: zoo name or ``"path/to/module.py:Net"``.
    progress : rich.progress.Progress or bool, optional
        As for :func:`fit`.
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
    data = as_dataset(data)
    test = None if test is None else as_dataset(test)
    if test is not None:
        require_alike(data, test)
    choices: dict[str, Any] = {"timesteps": timesteps, "weight_bits": weight_bits}
    prepare(model, input_shape=data.shape, task=data.task, **choices)
    require_classes(model, data)
    # A softmax or sigmoid at the end is left out, in training, too: losses take logits.
    bare = without_end(model, data.shape, data.task)
    # Real values of any size are learned as values of mean 0 and variance 1.
    standard = Standard.of(bare, data, options.get("loss"))
    seen = data
    if standard is not None:
        seen = standard.applied(data)
        standard.enter(bare, data, pretrained=epochs == 0)
    with shown(progress) as bars:
        common: dict[str, Any] = {"progress": bars or False, "seed": seed, **options}
        if epochs:
            fit(bare, seen, epochs=epochs, lr=lr, title="float ANN", **common)
            _copy_weights(bare, model)
        float_accuracy = None
        if test is not None:
            float_accuracy = evaluate(bare, test if standard is None else standard.applied(test))
        prepared = prepare_for(model, data, seed=seed, **choices)
        if tune_epochs:
            fit(
                prepared,
                seen,
                epochs=tune_epochs,
                lr=tune_lr,
                title="quantized ANN",
                **(common | {"teacher": bare}),
            )
        if standard is not None:
            standard.leave(bare)
            standard.leave(prepared)
            _copy_weights(bare, model)
            prepared.meta[META]["original"] = copyable(model)
        prepared.eval()
        quantized_accuracy = found = None
        if test is not None:
            decided = labels_of(prepared, test)
            task, targets = test.meaning, test.targets()
            quantized_accuracy = task.accuracy(decided, targets)
            found = task.report(decided, targets, test.classes)
    return Trained.of(
        prepared,
        spec=spec,
        dataset=data.name,
        input_bits=data.bits,
        input_scale=data.format.scales[0],
        float_accuracy=float_accuracy,
        quantized_accuracy=quantized_accuracy,
        report=found,
    )


def _copy_weights(bare: nn.Module, model: nn.Module) -> None:
    """Give a model the weights of its copy that returns logits, if it has one."""
    if bare is not model:
        model.load_state_dict(bare.state_dict(), strict=False)
        model.eval()


def prepare_for(
    model: nn.Module,
    data: DataLike,
    *,
    seed: int = 0,
    images: int = CALIBRATION_IMAGES,
    method: str = Percentile.name,
    percentile: float = PERCENTILE,
    warmup: int = 0,
    progress: Choice = False,
    **choices: Any,
) -> fx.GraphModule:
    """Prepare a model for the images of a data set, and initialise its thresholds from them.

    Parameters
    ----------
    model : nn.Module
        Left as it is. A model that is already prepared is merely copied.
    data : Dataset, or data as :func:`~spikeloom.sw.datasets.as_dataset` takes them
        Training split.
    seed : int
        Seed of the choice of images.
    images : int
        Number of images to initialise the thresholds from.
    method, percentile
        As for :func:`~spikeloom.sw.quantized.initialise`.
    warmup : int
        Epochs of :func:`~spikeloom.sw.quantized.initialisation.staged`; 0 to skip it.
    progress : rich.progress.Progress or bool, optional
        Shows the layers of the warm-up.
    **choices
        Handed to :func:`~spikeloom.sw.quantized.prepare`.
    """
    if isinstance(model, fx.GraphModule) and META in model.meta:
        return copy.deepcopy(model)
    data = as_dataset(data)
    given = data.format
    if given.plain:
        choices["input_scale"] = given.scales[0]
    else:
        choices["pixels"] = given
    prepared = prepare(model, input_shape=data.shape, task=data.task, **choices)
    prepared.meta[META]["input_bits"] = data.bits
    if "pixels" in prepared.meta[META]:
        prepared.meta[META]["pixels"] = given.channels(data.shape[0])
    chosen = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:images]
    # Only the chosen images: as real numbers, the whole split would take four times its memory.
    pixels = data.pixels(chosen).to(device_of(prepared))
    seen = data.real(pixels)
    initialise(prepared, seen, method, percentile)
    if warmup:
        staged(prepared, model, seen, epochs=warmup, seed=seed, progress=progress)
    return prepared


def require_alike(data: Dataset, test: Dataset) -> None:
    """Require that two splits have images of one kind, and classes of the same names.

    Raises
    ------
    DataError
        If they differ in shape, scale, task, or class names.
    """
    for what, ours, theirs in (
        ("images of the shape", data.shape, test.shape),
        ("pixels", data.format, test.format),
        ("the task", data.task, test.task),
    ):
        if ours != theirs:
            raise DataError(
                f"the training split {data.name} has {what} {ours}, but the test split "
                f"{test.name} has {theirs}: take both from the same data"
            )
    if data.class_names != test.class_names and None not in (data.class_names, test.class_names):
        raise DataError(
            f"the training split {data.name} has the classes {data.class_names}, but the test "
            f"split {test.name} has {test.class_names}: give both the same list of classes"
        )


def require_classes(model: nn.Module, data: Dataset) -> None:
    """Require that a model accepts the images of ``data``, and has an output for each class.

    A single output is enough for two classes. Of labels and values, there must be an output for
    each, and no others.

    Raises
    ------
    DataError
        If it has too few outputs.
    """
    training = model.training
    model.eval()
    with torch.no_grad():
        logits = taking_rows(model, data.shape)(data.head(1).inputs().to(device_of(model)))
    model.train(training)
    outputs = logits.shape[1]
    if data.task != CLASSES and outputs != data.classes:
        raise DataError(
            f"the model has {outputs} outputs, but {data.name} has {data.classes} {data.task}: "
            f"give its last layer as many"
        )
    if outputs == 1 and data.classes == 2:
        return
    if outputs < data.classes:
        raise DataError(
            f"the model has {outputs} outputs, but {data.name} has {data.classes} classes: "
            f"widen its last layer"
        )
