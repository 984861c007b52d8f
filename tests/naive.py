"""The contract once more, in plain Python loops, written from ``docs/contract.md`` alone.

It shares no code with the golden model, which is compared with it: one image at a time, Python's
unbounded integers, no tensor library.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from spikeloom.sw.network import Network

#: A feature map: a value for each index, (c, y, x) or (i,).
Map = dict[tuple[int, ...], int]


@dataclass
class Activity:
    """One layer's values, by timestep and index."""

    currents: list[Map] = field(default_factory=list)
    spikes: list[Map] = field(default_factory=list)
    potentials: list[Map] = field(default_factory=list)

    def count(self) -> Map:
        return {i: sum(s[i] for s in self.spikes) for i in self.spikes[0]}


def run(network: Network, image: Any) -> dict[str, Activity]:
    """Return what every layer does when the network sees ``image``, a nested list."""
    pixels = {i: _at(image, i) for i in _indices(network.input.shape)}
    done: dict[str, Activity] = {}
    for layer in network.layers:
        activity = Activity()
        potentials: Map = {}
        for t in range(layer.timesteps):
            current: Map = {}
            for connection in layer.connections:
                if connection.source == "input":
                    values = pixels
                elif connection.transport == "count":
                    values = done[connection.source].count()
                else:
                    values = done[connection.source].spikes[t]
                if connection.pool is not None:
                    values = _pool(connection.pool, values)
                for index, total in _synapses(connection.synapses, values).items():
                    current[index] = current.get(index, 0) + total
            spikes = {}
            for index, total in current.items():
                v = potentials.get(index)
                spikes[index], potentials[index] = step(layer.neuron, index[0], t, v, total)
            activity.currents.append(current)
            activity.spikes.append(spikes)
            activity.potentials.append(dict(potentials))
        done[layer.name] = activity
    return done


def label(logits: Map) -> int:
    """Return the position of the largest logit in row-major order; of several, the first."""
    values = [logits[i] for i in sorted(logits)]
    return values.index(max(values))


def step(neuron: Any, c: int, t: int, v: int | None, total: int) -> tuple[int, int]:
    if neuron.kind == "ladder":
        return int(total >= int(neuron.levels[c][t])), total
    if v is None:
        v = int(neuron.initial[c]) if neuron.kind == "if" else 0
    v += total * 2**neuron.fraction_bits + int(neuron.bias[c])
    if neuron.kind == "logits":
        return 0, v
    spike = int(v >= int(neuron.threshold[c]))
    return spike, v - spike * int(neuron.threshold[c])


def _synapses(synapses: Any, values: Map) -> Map:
    weight = synapses.weight.tolist()
    if synapses.kind == "linear":
        flat = [values[i] for i in sorted(values)]
        return {
            (o,): sum(w * x for w, x in zip(row, flat, strict=True)) for o, row in enumerate(weight)
        }
    sizes = _sizes(values)
    (down, right), (top, left) = synapses.stride, synapses.padding
    rows, columns = len(weight[0][0]), len(weight[0][0][0])
    height = (sizes[1] + 2 * top - rows) // down + 1
    width = (sizes[2] + 2 * left - columns) // right + 1
    return {
        (o, y, x): sum(
            weight[o][c][i][j] * values.get((c, y * down - top + i, x * right - left + j), 0)
            for c, i, j in _indices((sizes[0], rows, columns))
        )
        for o, y, x in _indices((len(weight), height, width))
    }


def _pool(pool: Any, values: Map) -> Map:
    channels, height, width = _sizes(values)
    rows, columns = pool.size
    reduce: Any = {"sum": sum, "max": max}[pool.kind]
    return {
        (c, y, x): reduce(
            values[c, y * rows + i, x * columns + j] for i, j in _indices((rows, columns))
        )
        for c, y, x in _indices((channels, height // rows, width // columns))
    }


def _sizes(values: Map) -> tuple[int, ...]:
    return tuple(n + 1 for n in max(values))


def _indices(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    return list(itertools.product(*(range(n) for n in shape)))


def _at(nested: Any, index: tuple[int, ...]) -> int:
    for i in index:
        nested = nested[i]
    return int(nested)
