"""Accuracy of a model: loss and labels on a data set."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.datasets import DataLike, Dataset, as_dataset
from spikeloom.sw.datasets.dataset import Indices
from spikeloom.sw.golden import Golden
from spikeloom.sw.graph import copied
from spikeloom.sw.network import Network
from spikeloom.sw.quantized.prepare import device_of
from spikeloom.sw.spiking import SpikingNetwork
from spikeloom.sw.training.engine import Engine

#: Number of images in a batch.
MEASURED_TOGETHER = 512
#: Number of images that are handed to the golden model at a time.
HANDED_TOGETHER = 4096


def measure(
    model: nn.Module, data: Dataset, engine: Engine, channels_last: bool = False
) -> tuple[float, float]:
    """Return the mean cross-entropy and the share of right labels, in float32, in eval mode.

    All processes share the images. This serves the choice among epochs; for figures in a report,
    use :func:`evaluate`.
    """
    training = model.training
    model.eval()
    targets = data.targets()
    mine = torch.arange(engine.rank, len(data), engine.world)
    sums = torch.zeros(2, dtype=torch.float64, device=engine.device)
    with torch.no_grad():
        for batch in mine.split(MEASURED_TOGETHER):  # type: ignore[no-untyped-call]
            images = data.real(pixels_for(model, data, batch).to(engine.device))
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
    data: DataLike,
    *,
    dtype: torch.dtype = torch.float64,
    batch_size: int = MEASURED_TOGETHER,
) -> Tensor:
    """Return the labels that a model gives, int64 on the CPU.

    Parameters are those of :func:`evaluate`.
    """
    data, device = as_dataset(data), device_of(model)
    if dtype is not torch.float32:
        model = copied(model).to(dtype)
    training = model.training
    model.eval()
    # Images are scaled in the target precision: 1/255 in float32 is another number.
    labels = []
    with torch.no_grad():
        for first in range(0, len(data), batch_size):
            batch = pixels_for(model, data, slice(first, first + batch_size))
            labels.append(model(data.real(batch.to(device), dtype)).argmax(1).cpu())
    model.train(training)
    return torch.cat(labels)


def evaluate(
    model: nn.Module,
    data: DataLike,
    *,
    dtype: torch.dtype = torch.float64,
    batch_size: int = MEASURED_TOGETHER,
) -> float:
    """Return the share of images whose label the model gets right.

    Parameters
    ----------
    model : nn.Module
        A float model, a prepared one or a spiking network; left as it is.
    data : Dataset, or data as :func:`~spikeloom.sw.datasets.as_dataset` takes them
    dtype : torch.dtype
        Precision in which a copy of the model runs. In float64, rounding does not decide any
        quantized activation, so that the labels are those of the converted network.
    batch_size : int
    """
    data = as_dataset(data)
    labels = labels_of(model, data, dtype=dtype, batch_size=batch_size)
    return int((labels == data.targets()).sum()) / len(data)


def integer_labels(
    network: Network,
    data: DataLike,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], object] | None = None,
) -> Tensor:
    """Return the labels that an integer network gives, by the golden model; int64 on the CPU.

    Parameters
    ----------
    network : Network
    data : Dataset, or data as :func:`~spikeloom.sw.datasets.as_dataset` takes them
    device : torch.device
    progress : callable, optional
        Called after each batch with the number of images done and the number of all.
    """
    golden, labels = Golden(network, device), []
    images = as_dataset(data).images_for(network.input)
    for first in range(0, len(images), HANDED_TOGETHER):

        def show(done: int, _: int, first: int = first) -> None:
            if progress is not None:
                progress(first + done, len(images))

        some = images[first : first + HANDED_TOGETHER]
        labels.append(golden.run(some, progress=show, counts=()).labels)
    return torch.cat(labels)


def pixels_for(model: nn.Module, data: Dataset, indices: Indices | None = None) -> Tensor:
    """Return images, unscaled, as the model takes them: a spiking one with a time axis.

    All images, unless ``indices`` chooses some.
    """
    return data.pixels(indices, model.coding.input if isinstance(model, SpikingNetwork) else None)
