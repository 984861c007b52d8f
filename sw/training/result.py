"""What a training came to: its files, and what they reach on the test split."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

from spikeloom.sw import network as contract
from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.files import write_text
from spikeloom.sw.golden import Golden
from spikeloom.sw.quantized import settle
from spikeloom.sw.spiking import SpikingNetwork
from spikeloom.sw.training import checkpoint
from spikeloom.sw.training.measure import labels_of
from spikeloom.sw.training.phases import FloatPhase
from spikeloom.sw.training.trained import Trained

if TYPE_CHECKING:
    from spikeloom.sw.training.run import Run

TRAINED, NETWORK, RESULT = "trained.safetensors", "network.safetensors", "result.json"


@dataclass(frozen=True)
class Result:
    """Figures of one training, as ``result.json`` holds them.

    Parameters
    ----------
    model, data : str
    seed : int
    images : int
        Of the test split, all of it.
    float_accuracy : float or None
        Share of them that the model was right about after its last float phase; None without one.
    quantized_accuracy : float
        The same of the quantized ANN, in float64.
    spiking_accuracy : float or None
        The same of the network that was trained through time or calibrated, if one was.
    integer_accuracy : float
        The same of the integer network, by the golden model.
    differing_labels : int
        Images whose label by the integer network is not that of the quantized ANN.
    differing_spiking_labels : int or None
        The same beside the network that was trained through time or calibrated.
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
        Kind, number of epochs, and the best of them, counted from 0.
    versions : mapping of str to str
        Of what it was computed with.
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


def result_of(run: Run, finished: list[nn.Module], test: Dataset) -> Result:
    """Write the trained model, the network and the result of a training, and return the latter.

    Parameters
    ----------
    run : Run
    finished : list of nn.Module
        The model at the end of each phase.
    test : Dataset
        Used here for the first time.
    """
    recipe = run.recipe
    floats = [m for p, m in zip(recipe.phase, finished, strict=True) if isinstance(p, FloatPhase)]
    prepared = [m for m in finished if isinstance(m, fx.GraphModule)]
    last = finished[-1]
    network_of: nn.Module
    if isinstance(last, SpikingNetwork):
        quantized = settle(prepared[-1]) if prepared else last.prepared
        network_of, options = last, {}
    else:
        quantized = settle(run.prepared(last))
        network_of, options = quantized, dict(recipe.conversion)
    float_accuracy = _share(labels_of(floats[-1], test), test) if floats else None
    labels = labels_of(quantized, test)
    timed = labels_of(network_of, test) if isinstance(network_of, SpikingNetwork) else None
    trained = Trained.of(
        network_of,
        spec=recipe.model.name,
        dataset=recipe.data.name,
        input_bits=test.bits,
        input_scale=test.scale,
        float_accuracy=float_accuracy,
        quantized_accuracy=_share(labels, test),
        start=run.start,
    )
    checkpoint.save(trained, run.folder / TRAINED)
    name = recipe.model.name.rpartition(":")[2]
    network = convert(network_of, name=name, **options)
    contract.save(network, run.folder / NETWORK)
    integer = _integer_labels(network, test, run)
    hidden = [layer for layer in network.layers if layer.neuron.fires]
    steps = {layer.name: layer.timesteps for layer in hidden}
    made = Result(
        model=recipe.model.name,
        data=recipe.data.name,
        seed=recipe.seed,
        images=len(test),
        float_accuracy=float_accuracy,
        quantized_accuracy=_share(labels, test),
        spiking_accuracy=None if timed is None else _share(timed, test),
        integer_accuracy=_share(integer, test),
        differing_labels=int((integer != labels).sum()),
        differing_spiking_labels=None if timed is None else int((integer != timed).sum()),
        timesteps=steps,
        average_timesteps=sum(steps.values()) / max(1, len(steps)),
        weight_bits=checkpoint.weight_bits(trained.prepared),
        neurons={layer.name: layer.neuron.kind for layer in hidden},
        network=network.digest,
        phases=run.state.ended,
        versions={
            "spikeloom": importlib.metadata.version("spikeloom"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    )
    write_text(run.folder / RESULT, json.dumps(asdict(made), indent=1) + "\n")
    return made


def _integer_labels(network: contract.Network, test: Dataset, run: Run) -> Tensor:
    """Return the golden model's labels, with a bar for their progress."""
    bar = None
    if run.progress is not None:
        bar = run.progress.add_task("integer network", total=len(test))

    def show(done: int, _: int) -> None:
        if run.progress is not None and bar is not None:
            run.progress.update(bar, completed=done)

    device = run.engine.device if run.engine.device.type == "cuda" else "cpu"
    images = test.images_for(network.input)
    return Golden(network, device).run(images, progress=show, counts=()).labels


def _share(labels: Tensor, test: Dataset) -> float:
    return int((labels == test.targets()).sum()) / len(test)
