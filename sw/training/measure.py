"""Accuracy of a model: loss and labels on a data set."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.quantized.prepare import device_of
from spikeloom.sw.spiking import SpikingNetwork
from spikeloom.sw.training.engine import Engine

#: Number of images in a batch.
MEASURED_TOGETHER = 512


def measure(
    model: nn.Module, data: Dataset, engine: Engine, channels_last: bool = False
) -> tuple[float, float]:
    """Return the mean cross-entropy and the share of right labels, in float32, in eval mode.

    All processes share the images. This serves the choice among epochs; for figures in a report,
    use :func:`evaluate`.
    """
    training = model.training
    model.eval()
    pixels, targets = pixels_for(model, data), data.targets()
    mine = torch.arange(engine.rank, len(data), engine.world)
    sums = torch.zeros(2, dtype=torch.float64, device=engine.device)
    with torch.no_grad():
        for batch in mine.split(MEASURED_TOGETHER):  # type: ignore[no-untyped-call]
            images = pixels[batch].to(engine.device).float() * data.scale
            if channels_last and images.ndim == 4:
                images = images.contiguous(memory_format=torch.channels_last)
            logits, labels = model(images), targets[batch].to(engine.device)
            sums[0] += functional.cross_entropy(logits, labels, reduction="sum")
            sums[1] += (logits.argmax(1) == labels).sum()
    model.train(training)
    loss, right = engine.sum(sums).tolist()
    return loss / len(data), right / len(data)


def labels_of(
    model: nn.Module,
    data: Dataset,
    *,
    dtype: torch.dtype = torch.float64,
    batch_size: int = MEASURED_TOGETHER,
) -> Tensor:
    """Return the labels that a model gives, int64 on the CPU.

    Parameters are those of :func:`evaluate`.
    """
    device = device_of(model)
    if dtype is not torch.float32:
        model = copy.deepcopy(model).to(dtype)
    training = model.training
    model.eval()
    # Images are scaled in the target precision: 1/255 in float32 is another number.
    pixels = pixels_for(model, data)
    labels = []
    with torch.no_grad():
        for batch in pixels.split(batch_size):  # type: ignore[no-untyped-call]
            labels.append(model(batch.to(device, dtype) * data.scale).argmax(1).cpu())
    model.train(training)
    return torch.cat(labels)


def evaluate(
    model: nn.Module,
    data: Dataset,
    *,
    dtype: torch.dtype = torch.float64,
    batch_size: int = MEASURED_TOGETHER,
) -> float:
    """Return the share of images whose label the model gets right.

    Parameters
    ----------
    model : nn.Module
        A float model, a prepared one or a spiking network; left as it is.
    data : Dataset
    dtype : torch.dtype
        Precision in which a copy of the model runs. In float64, rounding does not decide any
        quantized activation, so that the labels are those of the converted network.
    batch_size : int
    """
    labels = labels_of(model, data, dtype=dtype, batch_size=batch_size)
    return int((labels == data.targets()).sum()) / len(data)


def pixels_for(model: nn.Module, data: Dataset) -> Tensor:
    """Return the images, unscaled, as the model takes them: a spiking one with a time axis."""
    if isinstance(model, SpikingNetwork):
        return torch.from_numpy(data.images_for(model.coding.input))
    return torch.from_numpy(data.images)
