"""The float simulation: a model's populations through time, each by its toolkit's own rule.

What an imported network is compared with. It follows the rules literally (a reset that comes one
timestep late does so here), in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from spikeloom.sw.importing.graph import Reals
from spikeloom.sw.importing.model import Model, Population, Way
from spikeloom.sw.importing.rules import Rule
from spikeloom.sw.network import INPUT

#: Images at once.
BATCH = 256


@dataclass(frozen=True, eq=False)
class Activity:
    """What a model computed for some images.

    Parameters
    ----------
    spikes : mapping of str to Tensor of float64, shape (T, N, *shape)
        Of each population by its layer's name; several per timestep where the rule has that.
    logits : Tensor of float64, shape (N, outputs)
    """

    spikes: Mapping[str, Tensor]
    logits: Tensor


def simulate(model: Model, images: npt.NDArray[Any], timesteps: int) -> Activity:
    """Return what a model computes for images.

    Parameters
    ----------
    model : Model
    images : array of integers, shape (N, *shape) or (N, T, *shape)
        With the zero point subtracted. Without a time axis, they are constant over time.
    timesteps : int
    """
    values = torch.from_numpy(np.ascontiguousarray(images)).double()
    timed = values.dim() == len(model.shape) + 2
    done = {INPUT: values.transpose(0, 1) if timed else values[None]}
    with torch.inference_mode():
        for population in model.populations[:-1]:
            done[population.name] = _run(population, done, timesteps)
        readout = model.populations[-1]
        total = currents(readout, done, timesteps).sum(0)
    del done[INPUT]
    return Activity(done, total.flatten(1))


def currents(population: Population, done: Mapping[str, Tensor], timesteps: int) -> Tensor:
    """Return the currents into a population, without those of its own spikes: (T, N, *shape)."""
    total = _per_channel(population.bias, population.shape)
    for way in population.ways:
        if not way.recurrent:
            total = total + along(way, done[way.source])
    return total.expand(timesteps, *total.shape[1:])


def along(way: Way, values: Tensor, weight: Reals | None = None) -> Tensor:
    """Return values behind a way: (T, N, *shape), from (T, N, *shape of its source).

    Parameters
    ----------
    way : Way
    values : Tensor of float64
    weight : array of float64, optional
        Instead of its own.
    """
    weights = torch.from_numpy(np.ascontiguousarray(way.weights if weight is None else weight))
    steps, batch = values.shape[:2]
    flat = pooled(way, values.flatten(0, 1))
    if way.weight is None:
        found = flat * weights.reshape(-1, *[1] * (flat.dim() - 2))
    elif way.weight.ndim == 2:
        found = flat.flatten(1) @ weights.T
    else:
        found = functional.conv2d(
            flat, weights, stride=way.stride, padding=way.padding, groups=way.groups
        )
    return found.reshape(steps, batch, *found.shape[1:])


def pooled(way: Way, values: Tensor) -> Tensor:
    """Return (N, *shape) values behind a way's sum-pool."""
    if way.pool is None:
        return values
    area = way.pool[0] * way.pool[1]
    return functional.avg_pool2d(values, way.pool) * area


def _run(population: Population, done: Mapping[str, Tensor], timesteps: int) -> Tensor:
    rule = population.rule
    assert rule is not None, "only the readout has none, and it is last"
    given = currents(population, done, timesteps)
    own = [way for way in population.ways if way.recurrent]
    neuron = Neurons(rule, population.shape)
    spikes = torch.zeros_like(given[0])
    sent = []
    for current in given:
        for way in own:
            current = current + along(way, spikes[None])[0]
        spikes = neuron.step(current)
        sent.append(spikes)
    return torch.stack(sent)


class Neurons:
    """Neurons of one population between timesteps.

    Parameters
    ----------
    rule : Rule
    shape : tuple of int
    """

    def __init__(self, rule: Rule, shape: tuple[int, ...]) -> None:
        self.rule = rule
        parts = (rule.gain, rule.threshold, rule.offset, rule.start)
        self.gain, self.threshold, self.offset, start = (
            _per_channel(part, shape)[0] for part in parts
        )
        self.potential = start
        self.current: Tensor | None = None
        self.late: Tensor | None = None

    def step(self, current: Tensor) -> Tensor:
        """Return the spikes of the next timestep, under a current of shape (N, *shape)."""
        rule = self.rule
        if rule.current_decay is not None:
            if self.current is not None:
                current = self.current * rule.current_decay + current
            self.current = current
        potential = rule.decay * self.potential + self.gain * current + self.offset
        if self.late is not None:
            potential = potential - self.late * self.threshold
        if rule.several:
            spikes = (potential / self.threshold).floor().clamp(min=0)
        elif rule.strict:
            spikes = (potential > self.threshold).double()
        else:
            spikes = (potential >= self.threshold).double()
        if rule.delayed:
            self.late = spikes
        elif rule.value is not None:
            potential = torch.where(spikes > 0, rule.value, potential)
        else:
            potential = potential - spikes * self.threshold
        self.potential = potential
        return spikes


def batches(images: Any, size: int = BATCH) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Return the beginnings of batches of images, and the batches."""
    for begin in range(0, len(images), size):
        yield begin, np.asarray(images[begin : begin + size])


def _per_channel(values: Reals, shape: tuple[int, ...]) -> Tensor:
    """Return values that broadcast against (T, N, *shape)."""
    broad = np.broadcast_to(values, (shape[0],)).copy()
    return torch.from_numpy(broad).reshape(1, 1, -1, *[1] * (len(shape) - 1))


#: Anything that counts images: (done, all).
Progress = Callable[[int, int], None]
