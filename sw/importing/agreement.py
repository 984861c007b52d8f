"""Agreement: an imported network beside the float simulation of its neurons' own rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from spikeloom.sw.golden import Golden
from spikeloom.sw.golden.model import lowest_argmax
from spikeloom.sw.importing.model import Model
from spikeloom.sw.importing.simulation import Progress, batches, simulate
from spikeloom.sw.network import Network


@dataclass(frozen=True)
class LayerAgreement:
    """Agreement of one layer.

    Parameters
    ----------
    spikes : float
        Share of spikes, of all neurons and timesteps, that differ.
    counts : float
        Share of counts, of all neurons, that differ.
    rate : float
        Mean spikes of a neuron in one timestep, in the float simulation.
    most : int
        Largest number of spikes of one timestep in the float simulation.
    """

    spikes: float
    counts: float
    rate: float
    most: int


@dataclass(frozen=True)
class Agreement:
    """Agreement of a network with its float simulation on some images.

    Parameters
    ----------
    images : int
    labels : float
        Share of images to which both give the same label.
    layers : mapping of str to LayerAgreement
        Of each layer that fires.
    float_accuracy, accuracy : float or None
        Share of right labels of the float simulation and of the network, if labels are known.
    """

    images: int
    labels: float
    layers: Mapping[str, LayerAgreement]
    float_accuracy: float | None
    accuracy: float | None

    def lines(self) -> list[str]:
        """Return the agreement as sentences."""
        found = [f"{self.images} images: {self.labels:.2%} have the label of the float simulation"]
        if self.accuracy is not None:
            found.append(f"accuracy: float {self.float_accuracy:.2%}, network {self.accuracy:.2%}")
        for name, layer in self.layers.items():
            found.append(
                f"{name}: {layer.spikes:.2%} of the spikes and {layer.counts:.2%} of the counts "
                f"differ; {layer.rate:.3f} spikes per timestep"
            )
        return found


def compare(
    network: Network,
    model: Model,
    images: Any,
    timesteps: int,
    labels: npt.NDArray[Any] | None = None,
    progress: Progress | None = None,
) -> Agreement:
    """Return the agreement of a network with its model's float simulation.

    Parameters
    ----------
    network : Network
    model : Model
        That the network was made of.
    images : array of integers, shape (N, *network.input.image_shape)
    timesteps : int
    labels : array of int, shape (N,), optional
    progress : callable, optional
        Called with the number of images that are done, and of all.
    """
    golden = Golden(network)
    names = [layer.name for layer in network.layers if layer.neuron.fires]
    sums = {name: np.zeros(4) for name in names}
    sizes = {name: np.zeros(2) for name in names}
    most = dict.fromkeys(names, 0)
    floats, integers = [], []
    for begin, batch in batches(images):
        activity = simulate(model, network.input.carried(batch), timesteps)
        result = golden.run(batch, trace=True)
        assert result.trace is not None
        floats.append(lowest_argmax(activity.logits))
        integers.append(result.labels)
        for name in names:
            real = activity.spikes[name]
            found = result.trace[name].spikes
            sums[name] += [
                float((real != found).sum()),
                float((real.sum(0) != found.sum(0)).sum()),
                float(real.sum()),
                0,
            ]
            sizes[name] += [real.numel(), real[0].numel()]
            most[name] = max(most[name], int(real.max()))
        if progress is not None:
            progress(begin + len(batch), len(images))
    real_labels, found_labels = torch.cat(floats).numpy(), torch.cat(integers).numpy()
    return Agreement(
        len(images),
        float((real_labels == found_labels).mean()),
        {
            name: LayerAgreement(
                float(sums[name][0] / sizes[name][0]),
                float(sums[name][1] / sizes[name][1]),
                float(sums[name][2] / sizes[name][0]),
                most[name],
            )
            for name in names
        },
        None if labels is None else float((real_labels == labels).mean()),
        None if labels is None else float((found_labels == labels).mean()),
    )
