"""Architectures of docs/models.md, and how they agree from the float model to the hardware."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from support.hw.pysim import differing, simulate
from support.models import inputs, other, published, written
from torch import Tensor, nn

from spikeloom.hw.planning import HardwareConfig, Plan
from spikeloom.sw.conversion import Agreement, agreement, convert
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import Network
from spikeloom.sw.quantized import check, initialise, prepare

#: Number of images for the models and golden, and for the simulated hardware.
IMAGES, SIMULATED = 200, 2
#: Timesteps and weight bits that follow the float model, and those of the network.
FINE, NETWORK = (64, 16), (4, 8)
#: Steps in which each float model is trained, with all images.
STEPS, LEARNING_RATE = 40, 1e-2

#: Pixels of images, if an architecture does not name its own.
PIXELS = Pixels()


@dataclass(frozen=True)
class Architecture:
    """A model to convert.

    Parameters
    ----------
    group : str
        Table of the page.
    name : str
    build : callable
        Returns the float model.
    shape : tuple of int
        Of one image.
    pixels : Pixels
    """

    group: str
    name: str
    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    pixels: Pixels = PIXELS


#: Names on the page of the models of :mod:`support.models.written`.
_WRITTEN = {
    "inception": "Inception: pooled branches",
    "maxima": "max-pools that overlap, ceil_mode",
    "dense": "DenseNet block",
    "bottleneck": "linear bottlenecks in a row",
    "repvgg": "RepVGG block",
    "shuffle": "ShuffleNet: nn.ChannelShuffle",
    "shuffle_by_view": "ShuffleNet v2: shuffle by view",
    "ghost": "GhostNet: linear ghost modules, shortcut",
    "signals": "1-D CNN with all pools",
    "causal": "TCN: causal, dilated",
    "clips": "ReLU6, Hardtanh, Threshold, clamp",
    "pads": "padding modules, padding='same', LogSoftmax",
    "shortcuts": "several shortcuts, sliced and padded",
    "heads": "dilation, convolution as head, Sigmoid",
}
ARCHITECTURES = (
    *(Architecture("published", name, *model) for name, model in published.MODELS.items()),
    *(Architecture("written", _WRITTEN[name], *model) for name, model in written.MODELS.items()),
    *(Architecture("inputs", name, *model) for name, model in inputs.MODELS.items()),
    *(Architecture("other", name, *model) for name, model in other.MODELS.items()),
)


@dataclass(frozen=True)
class Measured:
    """The agreement of one architecture on random images.

    Parameters
    ----------
    layers : int
        Layers of the network.
    labels_as_float : int
        Images of which the fine prepared model has the label of the float model.
    error : float
        Largest difference of their logits, as a share of the float model's spread of logits.
    golden : Agreement
        Of network and prepared model.
    values, arrays_differing : int
        Values of the simulated hardware that were compared with golden: all logits, potentials,
        spikes and sent values; and arrays of such values that differ anywhere.
    """

    layers: int
    labels_as_float: int
    error: float
    golden: Agreement
    values: int
    arrays_differing: int


def measure(architecture: Architecture) -> Measured | str:
    """Return the agreement of an architecture; or why it is refused, in short."""
    pixels = architecture.pixels
    integers = random_images(IMAGES, architecture.shape, pixels)
    images = pixels.real(torch.from_numpy(integers))
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Using padding='same' with even kernel")
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.jit")
        model = architecture.build()
        try:
            prepare(model, input_shape=architecture.shape, pixels=pixels)
        except UnsupportedError:
            return refusal(model, architecture.shape)
        trained(model, images)
        fine = prepared(architecture, model, images, FINE, percentile=100)
        coarse = prepared(architecture, model, images, NETWORK)
        network = convert(coarse)
        theirs, ours = (_logits(m, images) for m in (_without_end(model), fine))
        golden = agreement(network, coarse, integers, model)
    planned, values, unlike = simulated(network, integers[:SIMULATED])
    assert len(planned.layers) == len(network.layers)
    same = int((theirs.argmax(1) == ours.argmax(1)).sum())
    spread = float(theirs.max() - theirs.min())
    error = float((theirs - ours).abs().max()) / spread
    return Measured(len(network.layers), same, error, golden, values, len(unlike))


def prepared(
    architecture: Architecture,
    model: nn.Module,
    images: Tensor,
    choices: tuple[int, int],
    **options: float,
) -> nn.Module:
    """Return the prepared model with thresholds from images.

    Parameters
    ----------
    architecture : Architecture
    model : nn.Module
    images : tensor
    choices : pair of int
        Timesteps and weight bits.
    **options
        Of :func:`initialise`.
    """
    timesteps, bits = choices
    made = prepare(
        model,
        input_shape=architecture.shape,
        pixels=architecture.pixels,
        timesteps=timesteps,
        weight_bits=bits,
    )
    initialise(made, images, **options)  # type: ignore[arg-type]
    return made.eval()


def random_images(number: int, shape: tuple[int, ...], pixels: Pixels) -> np.ndarray:
    """Return random pixels: patches of several sizes, which models tell apart, and noise."""
    rng = np.random.default_rng(0)
    ends = pixels.range()
    values = rng.normal(0, 0.1, (number, *shape))
    for parts in (1, 2, 4):
        patches = rng.uniform(-0.5, 0.5, (number, shape[0], *[parts] * (len(shape) - 1)))
        for axis, size in enumerate(shape[1:], 2):
            patches = np.repeat(patches, -(-size // parts), axis).take(range(size), axis)
        values = values + patches
    middle = (ends.low + ends.high) / 2
    images = middle + values * (ends.high - ends.low) / 2
    return images.round().clip(ends.low, ends.high).astype(np.int64)


def trained(model: nn.Module, images: Tensor) -> None:
    """Train a float model for some steps to tell bright images from dark ones.

    Untrained models give most images one label, or labels that hang on a hair.
    """
    brightness = images.flatten(1).mean(1)
    labels = brightness.argsort().argsort() * written.CLASSES // len(images)
    optimizer = torch.optim.Adam(model.train().parameters(), LEARNING_RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images).flatten(1), labels).backward()
        optimizer.step()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = None  # the plain mean of all batches
            module.reset_running_stats()
    with torch.no_grad():
        model(images)
    model.eval()


def simulated(network: Network, images: np.ndarray) -> tuple[Plan, int, list[str]]:
    """Return the plan, the number of values compared with golden, and what differs."""
    images = images.reshape(-1, *network.input.shape)
    planned, seen = simulate(network, images, HardwareConfig(debug=True))
    unlike = differing(network, images, planned, seen)
    values = network.classes
    for layer in planned.layers:
        size = int(np.prod(network.shapes[layer.layer.name]))
        steps = 1 if layer.folded else layer.layer.timesteps
        values += size * (2 * steps + layer.target.steps)
    return planned, values * len(images), unlike


def refusal(model: nn.Module, shape: tuple[int, ...], length: int = 200) -> str:
    """Return the first reason why a model is refused, in one line."""
    report = next(report for report in check(model, shape) if not report.supported)
    # A guard's reasons have a line each, below the sentence that says it cannot be converted.
    lines = [line.strip() for line in report.reason.splitlines()]
    reason = lines[1] if lines[0].endswith(":") and len(lines) > 1 else lines[0]
    kind = report.what.partition(": ")[2].partition("(")[0]
    subject = kind or (report.what if reason.startswith("is ") else "")
    text = f"{subject} {reason}".strip()
    return text if len(text) <= length else text[: length - 4].rsplit(" ", 1)[0] + " ..."


def _without_end(model: nn.Module) -> nn.Module:
    """Return a model without a softmax or sigmoid at its end, which preparation leaves out."""
    ends = (nn.LogSoftmax, nn.Softmax, nn.Sigmoid)
    if isinstance(model, nn.Sequential) and isinstance(model[-1], ends):
        return model[:-1]
    return model


def _logits(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return model.double()(images.double()).flatten(1)
