"""Values of a network on some images, by the golden model: spikes of layers, traces of neurons."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Network
from spikeloom.sw.report.run import Json

if TYPE_CHECKING:
    from spikeloom.sw.tasks import Task

#: Images whose values are held at a time.
_TOGETHER = 4
#: Neurons of a layer that are shown unless others are chosen.
SHOWN_NEURONS = 6


def activity(
    network: Network,
    images: npt.NDArray[Any],
    labels: npt.NDArray[Any] | None,
    task: Task | None,
    source: str,
) -> Json:
    """Return how much each layer spikes on some images.

    Parameters
    ----------
    network : Network
    images : array of integers, shape (N, *network.input.image_shape)
    labels : array, optional
        The right labels.
    task : Task, optional
        The network's; None for classes.
    source : str
        What the images are.

    Returns
    -------
    dict
        ``source``; ``images``, their number; ``accuracy``, or None without labels;
        ``accuracy_by_timestep``, after each timestep of the output, or None where it has only one
        or its current is constant; and ``layers``, of each layer that fires its ``name``,
        ``timesteps`` T, ``neurons``, mean ``spikes`` per image, and the ``rate``, the share of
        neurons and timesteps that have a spike.
    """
    import torch

    from spikeloom.sw.golden import Golden
    from spikeloom.sw.tasks import Classes

    golden = Golden(network)
    firing = [layer for layer in network.layers if layer.neuron.fires]
    spikes = dict.fromkeys((layer.name for layer in firing), 0)
    output = network.output
    logits = []
    for first in range(0, len(images), _TOGETHER):
        found = golden.run(images[first : first + _TOGETHER], trace=True)
        assert found.trace is not None
        for name in spikes:
            spikes[name] += int((found.trace[name].spikes != 0).sum())
        logits.append(found.trace[output.name].potentials.flatten(2))
    by_step = torch.cat(logits, 1)
    scores = None
    if labels is not None:
        meaning = task or Classes()
        targets = meaning.targets(labels, meaning.decide(by_step[-1]))
        scores = [meaning.accuracy(meaning.decide(step), targets) for step in by_step]
    in_time = output.timesteps > 1 and not output.constant
    layers = []
    for layer in firing:
        neurons = math.prod(network.shapes[layer.name])
        places = len(images) * neurons * layer.timesteps
        layers.append(
            {
                "name": layer.name,
                "timesteps": layer.timesteps,
                "neurons": neurons,
                "spikes": spikes[layer.name] / len(images),
                "rate": spikes[layer.name] / places,
            }
        )
    return {
        "source": source,
        "images": len(images),
        "accuracy": None if scores is None else scores[-1],
        "accuracy_by_timestep": scores if in_time else None,
        "layers": layers,
    }


def trace(
    network: Network,
    image: npt.NDArray[Any],
    chosen: Mapping[str, Sequence[int]],
) -> Json:
    """Return spikes and potentials of some neurons on one image.

    Parameters
    ----------
    network : Network
    image : array of integers, shape network.input.image_shape
    chosen : mapping of str to sequence of int
        Neurons by layer, as places in its flattened feature map. Of other layers, these are
        :data:`SHOWN_NEURONS`, from the one with most spikes to the one with fewest that has any.

    Returns
    -------
    dict
        ``label``, the index of the largest logit; ``logits``; and ``layers``, of each layer its
        ``name`` and ``neurons``: of each its ``index``, its ``place`` in the feature map, and by
        timestep ``spikes`` and ``potentials``.

    Raises
    ------
    ConfigError
        If a layer or neuron that was chosen does not exist.
    """
    from spikeloom.sw.golden import Golden

    found = Golden(network).run(image[None], trace=True)
    assert found.trace is not None
    for name, numbers in chosen.items():
        if name not in found.trace:
            raise ConfigError(f"--neuron {name}: the layers are {', '.join(found.trace)}")
        size = math.prod(network.shapes[name])
        if not all(0 <= number < size for number in numbers):
            raise ConfigError(f"--neuron {name}: its neurons are 0 to {size - 1}")
    layers = []
    for layer in network.layers:
        traced = found.trace[layer.name]
        spikes, potentials = traced.spikes.flatten(1), traced.potentials.flatten(1)
        numbers = chosen.get(layer.name) or _spread((spikes != 0).sum(0).numpy())
        shape = network.shapes[layer.name]
        layers.append(
            {
                "name": layer.name,
                "neurons": [
                    {
                        "index": number,
                        "place": [int(x) for x in np.unravel_index(number, shape)],
                        "spikes": spikes[:, number].tolist(),
                        "potentials": potentials[:, number].tolist(),
                    }
                    for number in numbers
                ],
            }
        )
    return {"label": int(found.labels[0]), "logits": found.logits[0].tolist(), "layers": layers}


def _spread(busy: npt.NDArray[Any]) -> list[int]:
    """Return some neurons of all shades of activity, busiest first; silent ones if they must be."""
    order = np.argsort(-busy, kind="stable")
    spiking = int((busy > 0).sum())
    if spiking <= SHOWN_NEURONS:
        return [int(x) for x in order[:SHOWN_NEURONS]]
    return [int(order[k]) for k in np.linspace(0, spiking - 1, SHOWN_NEURONS).round().astype(int)]


def picture(network: Network, image: npt.NDArray[Any]) -> str:
    """Return an image as a data URL of a PNG.

    Three channels are red, green and blue, and others are added up, as are timesteps. The highest
    pixel that the network takes is white; where something was added up, the highest sum.

    Parameters
    ----------
    network : Network
    image : array of integers, shape network.input.image_shape
    """
    from PIL import Image

    pixels = network.input.pixels()
    shown = image.astype(np.float64) - pixels.low
    top = float(pixels.high - pixels.low)
    if network.input.image_steps is not None:
        shown = shown.sum(0)
        top = float(shown.max())
    if shown.ndim == 1:
        shown = shown[None, None]
    if len(shown) not in (1, 3):
        shown = shown.sum(0, keepdims=True)
        top = float(shown.max())
    levels = np.clip(np.rint(shown * 255 / max(top, 1.0)), 0, 255).astype(np.uint8)
    colours = levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1)
    written = io.BytesIO()
    Image.fromarray(colours).save(written, "PNG")
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"
