"""Result of a training: its final files, and their accuracy on the test split."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from spikeloom.sw import network as contract
from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.files import write_text
from spikeloom.sw.quantized import settle
from spikeloom.sw.spiking import SpikingNetwork
from spikeloom.sw.tasks import CLASSES, Classes, Task, of_network
from spikeloom.sw.training import checkpoint
from spikeloom.sw.training.measure import evaluate, integer_labels, labels_of
from spikeloom.sw.training.phases import FloatPhase
from spikeloom.sw.training.recipe import Recipe
from spikeloom.sw.training.trained import Trained
from spikeloom.sw.training.trainer import Trainer

TRAINED, NETWORK, RESULT = "trained.safetensors", "network.safetensors", "result.json"


@dataclass(frozen=True)
class Result:
    """Figures of one training, as ``result.json`` holds them.

    Accuracies are shares of the images of the test split whose label is right; of data with
    several labels, shares of all labels, and of real values, R².

    Parameters
    ----------
    model, data : str
    seed : int
    images : int
        Number of images of the test split, all of which are measured.
    float_accuracy : float or None
        Accuracy of the model after its last float phase, or with the weights that it began with;
        None without either.
    quantized_accuracy : float
        Accuracy of the quantized ANN, in float64.
    spiking_accuracy : float or None
        Accuracy of the network that was trained through time or calibrated, if one was.
    integer_accuracy : float
        Accuracy of the integer network, by the golden model.
    differing_labels : int
        Images to which the integer network and the quantized ANN give different labels, or values
        that differ by more than one step of the integer logits.
    differing_spiking_labels : int or None
        Images to which the integer network and the network that was trained through time or
        calibrated give different labels.
    timesteps : mapping of str to int
        T of each layer that fires.
    average_timesteps : float
        Plain mean of these.
    weight_bits : mapping of str to int
    neurons : mapping of str to str
        Kind of each layer that fires.
    network : str
        Digest of the integer network.
    phases : list of dict
        Kind, number of epochs, and the best epoch, counted from 0, of each phase.
    versions : mapping of str to str
        Versions of Spikeloom, torch and Python.
    task : str
        "classes", "labels" or "values".
    weights : dict of str to str
        SHA-256 of each file of weights that the recipe names, by the part that names it.
    report : dict
        Further figures of the integer network: balanced accuracy and confusion matrix, or those of
        another task; see :mod:`spikeloom.sw.tasks.report`.
    """

    model: str
    data: str
    seed: int
    images: int
    float_accuracy: float | None
    quantized_accuracy: float
    spiking_accuracy: float | None
    integer_accuracy: float
    differing_labels: int
    differing_spiking_labels: int | None
    timesteps: dict[str, int]
    average_timesteps: float
    weight_bits: dict[str, int]
    neurons: dict[str, str]
    network: str
    phases: list[dict[str, Any]]
    versions: dict[str, str]
    task: str = CLASSES
    report: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)


def result_of(
    recipe: Recipe, trainer: Trainer, finished: Sequence[nn.Module], test: Dataset
) -> Result:
    """Write the trained model, the network and the result of a training, and return the result.

    Parameters
    ----------
    recipe : Recipe
    trainer : Trainer
    finished : sequence of nn.Module
        The model at the end of each phase.
    test : Dataset
        The test split, used here for the first time.
    """
    folder, targets = trainer.journal.folder, test.targets()

    def right(decided: Tensor) -> float:
        return test.meaning.accuracy(decided, targets)

    floats = [trainer.given] if trainer.given is not None else []
    floats += [m for p, m in zip(recipe.phase, finished, strict=True) if isinstance(p, FloatPhase)]
    float_accuracy = evaluate(floats[-1], test) if floats else None
    quantized, last, options = _last_models(recipe, trainer, finished)
    labels = labels_of(quantized, test)
    spiking_labels = labels_of(last, test) if isinstance(last, SpikingNetwork) else None
    trained = Trained.of(
        last,
        spec=recipe.model.name,
        dataset=test.name,
        input_bits=test.bits,
        input_scale=test.format.scales[0],
        float_accuracy=float_accuracy,
        quantized_accuracy=right(labels),
        start=trainer.start,
    )
    checkpoint.save(trained, folder / TRAINED)
    name = recipe.model.name.rpartition(":")[2]
    network = convert(last, name=name, **options)
    contract.save(network, folder / NETWORK)
    integer_labels = _integer_labels(network, test, trainer)
    task = of_network(network.about) or Classes()
    hidden = [layer for layer in network.layers if layer.neuron.fires]
    steps = {layer.name: layer.timesteps for layer in hidden}
    result = Result(
        model=recipe.model.name,
        data=test.name,
        seed=recipe.seed,
        images=len(test),
        float_accuracy=float_accuracy,
        quantized_accuracy=right(labels),
        spiking_accuracy=None if spiking_labels is None else right(spiking_labels),
        integer_accuracy=right(integer_labels),
        differing_labels=_differing(task, integer_labels, labels),
        differing_spiking_labels=(
            None if spiking_labels is None else _differing(task, integer_labels, spiking_labels)
        ),
        timesteps=steps,
        average_timesteps=sum(steps.values()) / max(1, len(steps)),
        weight_bits=checkpoint.weight_bits(trained.prepared),
        neurons={layer.name: layer.neuron.kind for layer in hidden},
        network=network.digest,
        phases=trainer.journal.state.ended,
        versions={
            "spikeloom": importlib.metadata.version("spikeloom"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        task=task.name,
        report=task.report(integer_labels, targets, test.classes),
        weights=dict(trainer.journal.state.weights or {}),
    )
    write_text(folder / RESULT, json.dumps(asdict(result), indent=1) + "\n")
    return result


def _last_models(
    recipe: Recipe, trainer: Trainer, finished: Sequence[nn.Module]
) -> tuple[fx.GraphModule, fx.GraphModule | SpikingNetwork, dict[str, Any]]:
    """Return the quantized ANN, the model to convert, and the options of its conversion."""
    last = finished[-1]
    if not isinstance(last, SpikingNetwork):
        quantized = settle(trainer.prepared(last))
        return quantized, quantized, dict(recipe.conversion)
    prepared = [model for model in finished if isinstance(model, fx.GraphModule)]
    return settle(prepared[-1]) if prepared else last.prepared, last, {}


def _integer_labels(network: contract.Network, test: Dataset, trainer: Trainer) -> Tensor:
    """Return the golden model's labels, with a bar for their progress."""
    bar = None
    if trainer.progress is not None:
        bar = trainer.progress.add_task("integer network", total=len(test))

    def show(done: int, _: int) -> None:
        if trainer.progress is not None and bar is not None:
            trainer.progress.update(bar, completed=done)

    device = trainer.engine.device if trainer.engine.device.type == "cuda" else "cpu"
    return integer_labels(network, test, device, show)


def _differing(task: Task, labels: Tensor, others: Tensor) -> int:
    return int((~task.same(labels, others)).sum())
