"""Cycles of a network for given images: its activity by the golden model, and measures by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from torch import Tensor

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import plan
from spikeloom.hw.prediction.prediction import Prediction, predict
from spikeloom.sw.golden import Golden, Meter
from spikeloom.sw.network import INPUT, Network
from spikeloom.sw.network.record import IntArray


def activity(
    network: Network, images: npt.ArrayLike | Tensor, meter: Meter | None = None
) -> dict[str, IntArray]:
    """Return the values that the input and every firing layer send, for :func:`predict`.

    Parameters
    ----------
    network : Network
    images : array or tensor of integers, shape (N, *network.input.image_shape)
    meter : Meter, optional
        Counts the network's work.

    Returns
    -------
    dict of str to array of int64, shape (steps, N, *shape)
        Spikes, or counts as a single step if no connection carries spikes.

    Raises
    ------
    DataError
        If the images do not fit.
    """
    constant = all(c.constant for layer in network.layers for c in layer.connections)
    result = Golden(network).run(images, trace=not constant, meter=meter)
    pixels = network.input.carried(np.asarray(images, dtype=np.int64))
    sent = {INPUT: pixels[None] if network.input.steps is None else pixels.swapaxes(0, 1)}
    if result.trace is None:
        return sent | {name: counts[None].numpy() for name, counts in result.counts.items()}
    return sent | {name: result.trace[name].spikes.numpy() for name in result.counts}


def slowest(
    network: Network, images: npt.ArrayLike | Tensor, config: HardwareConfig | None = None
) -> float:
    """Return the mean cycles per image of the slowest layer.

    A stream of images takes this many clock cycles for each.

    Parameters
    ----------
    network : Network
    images : array or tensor of integers, shape (N, *network.input.image_shape)
    config : HardwareConfig, optional
        Choices for the hardware; the planner chooses lanes that it leaves open.

    Raises
    ------
    DataError
        If the images do not fit.
    """
    return float(_predicted(network, images, config).slowest.cycles.mean())


def total(
    network: Network, images: npt.ArrayLike | Tensor, config: HardwareConfig | None = None
) -> float:
    """Return the mean cycles per image of all layers together, each of which takes energy.

    Parameters and errors are those of :func:`slowest`.
    """
    layers = _predicted(network, images, config).layers
    return float(sum(layer.cycles.mean() for layer in layers))


#: The measures of a network's cycles per image that a recipe can name.
MEASURES: Mapping[str, Callable[[Network, IntArray], float]] = {"slowest": slowest, "sum": total}


def _predicted(
    network: Network, images: npt.ArrayLike | Tensor, config: HardwareConfig | None
) -> Prediction:
    return predict(plan(network, config), activity(network, images))
