"""Measures of each layer without training, for a model and for an integer network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from spikeloom.sw.datasets import DataLike, is_data, sample
from spikeloom.sw.diagnostics.health import LayerHealth
from spikeloom.sw.diagnostics.monitor import Monitor
from spikeloom.sw.diagnostics.tally import Tally, activity
from spikeloom.sw.errors import DataError
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Network
from spikeloom.sw.quantized.prepared import device_of, task_of
from spikeloom.sw.spiking import SpikingNetwork
from spikeloom.sw.tasks import CLASSES, Task

BATCH_SIZE = 64


def measure(
    model: nn.Module,
    images: Tensor | DataLike,
    labels: Tensor | None = None,
    *,
    start: Mapping[str, float] | None = None,
    batch_size: int = BATCH_SIZE,
) -> list[LayerHealth]:
    """Measure the layers of a model with some images, and the gradients of its task's loss.

    That is the cross-entropy, unless the model was prepared for several labels or values.

    Parameters
    ----------
    model : nn.Module
        A prepared model, or a :class:`~spikeloom.sw.spiking.SpikingNetwork`. Left as it is.
    images : tensor, shape (N, *image_shape), or data
        As the model takes them. Of data, as :func:`~spikeloom.sw.datasets.as_dataset` takes them,
        512 images are taken.
    labels : tensor of int64, shape (N,), optional
        Of other tasks, floats of shape (N, K). Not needed for data, which have their own.
    start : mapping of layer name to float, optional
        λ before the training.
    batch_size : int

    Returns
    -------
    list of LayerHealth
        In the order of the layers, with 0 ``steps``; ``start`` is None unless it is given.
    """
    if is_data(images):
        examples = sample(images)
        source = model.coding.input if isinstance(model, SpikingNetwork) else None
        images = examples.real(examples.pixels(source=source).to(device_of(model)))
        labels = examples.targets().to(images.device)
    if not isinstance(images, Tensor) or labels is None:
        raise DataError("images without labels have no loss to measure: give labels, too")
    prepared = model.prepared if isinstance(model, SpikingNetwork) else model
    task = Task.kinds[task_of(prepared) or CLASSES]()
    monitor = Monitor(model, every=1)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    modes = {part: part.training for part in model.modules()}
    kept = {parameter: parameter.grad for parameter in model.parameters()}
    # Spiking networks have gradients only in training mode, which changes the statistics of
    # batch-norm: they are restored afterwards.
    model.train(any(isinstance(part, SpikingNetwork) for part in model.modules()))
    try:
        for first in range(0, len(images), batch_size):
            batch = slice(first, first + batch_size)
            for parameter in kept:
                parameter.grad = None
            monitor.start_batch()
            loss = task.loss(model(images[batch]), labels[batch], "mean")
            loss.backward()  # type: ignore[no-untyped-call]
            monitor.after_backward()
        layers = monitor.epoch()
    finally:
        model.load_state_dict(state)
        for part, training in modes.items():
            part.training = training
        for parameter, gradient in kept.items():
            parameter.grad = gradient
    given = start or {}
    return [replace(layer, steps=0, start=given.get(layer.name)) for layer in layers]


def measure_network(
    network: Network, images: npt.ArrayLike | DataLike, *, batch_size: int = BATCH_SIZE
) -> list[LayerHealth]:
    """Measure the layers of an integer network with some images.

    Parameters
    ----------
    network : Network
    images : array of integers, shape (N, *network.input.image_shape), or data
        All images of an array; 512 of data as :func:`~spikeloom.sw.datasets.as_dataset` takes them.
    batch_size : int

    Returns
    -------
    list of LayerHealth
        In the order of the layers, without λ and gradients.
    """
    golden = Golden(network)
    if is_data(images):
        images = sample(images).images_for(network.input)
    pixels = np.asarray(images)
    layers = [layer for layer in network.layers if layer.neuron.fires]
    tallies = {layer.name: Tally() for layer in layers}
    sizes = {x.name: (x.neuron.most_quanta, x.neuron.amplitudes) for x in layers}
    for first in range(0, len(pixels), batch_size):
        trace = golden.run(pixels[first : first + batch_size], trace=True).trace
        assert trace is not None
        for layer in layers:
            tallies[layer.name].add(*activity(trace[layer.name].spikes, *sizes[layer.name]))
    return [
        LayerHealth(
            name=layer.name,
            timesteps=layer.timesteps,
            largest=sizes[layer.name][0],
            steps=0,
            start=None,
            threshold=None,
            wanted=None,
            gradient=None,
            weight_gradient=None,
            clipped=None,
            below=None,
            **tallies[layer.name].result()[0],
        )
        for layer in layers
    ]
