"""Accuracy of a model: loss, decisions and their report on a data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from spikeloom.sw.datasets import DataLike, Dataset, as_dataset
from spikeloom.sw.datasets.labelled import Indices
from spikeloom.sw.errors import DataError
from spikeloom.sw.golden import Golden
from spikeloom.sw.graph import copied, taking_rows
from spikeloom.sw.network import Network
from spikeloom.sw.quantized.prepared import device_of
from spikeloom.sw.spiking import SpikingNetwork
from spikeloom.sw.tasks import CLASSES, of_network
from spikeloom.sw.training.engine import Engine

#: Number of images in a batch.
MEASURED_TOGETHER = 512
#: Number of images that are handed to the golden model at a time.
HANDED_TOGETHER = 4096


def measure(
    model: nn.Module, data: Dataset, engine: Engine, channels_last: bool = False
) -> tuple[float, float]:
    """Return the mean cross-entropy and the share of right labels, in float32, in eval mode.

    For other tasks, they are the plain loss of the task and its score.

    All processes share the images. This serves the choice among epochs; for figures in a report,
    use :func:`evaluate`.
    """
    training = model.training
    model.eval()
    taking = taking_rows(model, data.shape)
    targets, task = data.targets(), data.meaning
    mine = torch.arange(engine.rank, len(data), engine.world)
    sums = torch.zeros(2, dtype=torch.float64, device=engine.device)
    with torch.no_grad():
        for batch in mine.split(MEASURED_TOGETHER):  # type: ignore[no-untyped-call]
            images = data.real(pixels_for(model, data, batch).to(engine.device))
            if channels_last and images.ndim == 4:
                images = images.contiguous(memory_format=torch.channels_last)
            logits, labels = taking(images), targets[batch].to(engine.device)
            sums[0] += task.loss(logits, labels)
            sums[1] += task.score(logits, labels)
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
    """Return the labels that a model gives, int64 on the CPU; of other tasks, its decisions.

    Parameters are those of :func:`evaluate`.
    """
    data, device = as_dataset(data), device_of(model)
    if dtype is not torch.float32:
        model = copied(model).to(dtype)
    training = model.training
    model.eval()
    taking = taking_rows(model, data.shape)
    # Images are scaled in the target precision: 1/255 in float32 is another number.
    labels, task = [], data.meaning
    with torch.no_grad():
        for first in range(0, len(data), batch_size):
            batch = pixels_for(model, data, slice(first, first + batch_size))
            labels.append(task.decide(taking(data.real(batch.to(device), dtype))).cpu())
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

    Of several labels, it is the share of all labels that are right; of values, R², a mean over
    them.

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
    return data.meaning.accuracy(labels, data.targets())


def report(
    model: nn.Module,
    data: DataLike,
    *,
    dtype: torch.dtype = torch.float64,
    batch_size: int = MEASURED_TOGETHER,
) -> dict[str, Any]:
    """Return the figures by which a model's decisions are judged.

    For classes, these are the balanced accuracy and the confusion matrix; for labels, accuracy and
    F1 of each; for values, mean absolute error and R² of each. See
    :mod:`spikeloom.sw.tasks.report`. Parameters are those of :func:`evaluate`.
    """
    data = as_dataset(data)
    decided = labels_of(model, data, dtype=dtype, batch_size=batch_size)
    return data.meaning.report(decided, data.targets(), data.classes)


def integer_labels(
    network: Network,
    data: DataLike,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], object] | None = None,
) -> Tensor:
    """Return the labels that an integer network gives, by the golden model; int64 on the CPU.

    For data of another task, these are its decisions: several labels, or values.

    Parameters
    ----------
    network : Network
    data : Dataset, or data as :func:`~spikeloom.sw.datasets.as_dataset` takes them
    device : torch.device
    progress : callable, optional
        Called after each batch with the number of images done and the number of all.
    """
    golden, labels = Golden(network, device), []
    data = as_dataset(data)
    images, task = data.images_for(network.input), of_network(network.about)
    stated = CLASSES if task is None else task.name
    if stated != data.task:
        raise DataError(
            f"the network {network.name!r} was made for {stated}, but {data.name} has {data.task}"
        )
    for first in range(0, len(images), HANDED_TOGETHER):

        def show(done: int, _: int, first: int = first) -> None:
            if progress is not None:
                progress(first + done, len(images))

        some = images[first : first + HANDED_TOGETHER]
        found = golden.run(some, progress=show, counts=())
        labels.append(found.labels if task is None else task.decide(found.logits).cpu())
    return torch.cat(labels)


def pixels_for(model: nn.Module, data: Dataset, indices: Indices | None = None) -> Tensor:
    """Return images, unscaled, as the model takes them: a spiking one with a time axis.

    All images, unless ``indices`` chooses some.
    """
    return data.pixels(indices, model.coding.input if isinstance(model, SpikingNetwork) else None)
