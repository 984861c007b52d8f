"""The contract once more, in plain Python loops, written from ``docs/contract.md`` alone.

The golden model is compared with it, and shares no code with it: it takes one image at a time, uses
Python's unbounded integers, and no tensor library.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from spikeloom.sw.network import Network

#: A feature map: a value for each index (c, y, x) or (i,).
Map = dict[tuple[int, ...], int]
#: A neuron between timesteps: its potential v and its net number of spikes (or quanta) m, or
#: instead of that its current i.
State = tuple[int, int]


@dataclass
class Activity:
    """Values of one layer for one image, by timestep and index."""

    currents: list[Map] = field(default_factory=list)
    spikes: list[Map] = field(default_factory=list)
    potentials: list[Map] = field(default_factory=list)

    def count(self) -> Map:
        return _total(self.spikes)


def run(network: Network, image: Any) -> dict[str, Activity]:
    """Return every layer's values, by name, for an ``image``, which is a nested list."""
    sources = {"input": frames(network, image)}
    done: dict[str, Activity] = {}
    for layer in network.layers:
        activity = Activity()
        states: dict[tuple[int, ...], State] = {}
        for t in range(layer.timesteps):
            current: Map = {}
            for connection in layer.connections:
                values = _carried(layer, connection, sources, activity.spikes, t)
                for index, total in sums(connection.synapses, values).items():
                    current[index] = current.get(index, 0) + total
            spikes, potentials = {}, {}
            for index, total in current.items():
                state = states.get(index)
                spikes[index], states[index] = step(layer.neuron, index[0], t, state, total)
                potentials[index] = states[index][0]
            activity.currents.append(current)
            activity.spikes.append(spikes)
            activity.potentials.append(potentials)
        done[layer.name] = activity
        sources[layer.name] = activity.spikes
    return done


def carried(
    network: Network, image: Any, done: dict[str, Activity], layer: Any, connection: Any, t: int
) -> Map:
    """Return what a connection hands to its synapses at timestep t, once all layers are ``done``.

    ``image`` is the one that they were computed for.
    """
    sources = {name: activity.spikes for name, activity in done.items()}
    sources["input"] = frames(network, image)
    return _carried(layer, connection, sources, sources[layer.name], t)


def sums(synapses: Any, values: Map) -> Map:
    """Return the sums of weight times value."""
    return _SYNAPSES[synapses.kind](synapses, values)


def frames(network: Network, image: Any) -> list[Map]:
    """Return the values of the input by timestep, one map if they are constant over time."""
    indices, zero = _indices(network.input.shape), network.input.zeros
    if network.input.kind == "bernoulli":
        return _bernoulli(network.input, image, indices)
    images = [image] if network.input.kind in ("direct", "count") else image
    return [{i: _at(f, i) - zero[i[0]] for i in indices} for f in images]


def _bernoulli(source: Any, image: Any, indices: list[tuple[int, ...]]) -> list[Map]:
    bits, n = source.bits, next(n for n in range(24, 40) if n % source.bits == 0)
    # The sequence of bits, oldest first.
    hashed = int(hashlib.sha256(str(source.seed).encode()).hexdigest(), 16)
    start = 1 + hashed % (2**n - 1)
    u = [start >> (n - 1 - k) & 1 for k in range(n)]
    spikes: list[Map] = [{} for _ in range(source.timesteps)]
    draw = 0
    for index in sorted(indices, key=lambda i: (*i[1:], i[0])):
        for t in range(source.timesteps):
            while len(u) < 16 * draw + n:
                u.append(sum(u[-lag] for lag in _LAGS[n]) % 2)
            drawn = int("".join(map(str, u[16 * draw : 16 * draw + n])), 2)
            spikes[t][index] = int(drawn * (2**bits - 1) <= _at(image, index) * (2**n - 1))
            draw += 1
    return spikes


_LAGS = {
    24: (24, 23, 22, 17),
    25: (25, 22),
    26: (26, 25, 24, 20),
    27: (27, 26, 25, 22),
    28: (28, 25),
    30: (30, 29, 26, 24),
    32: (32, 30, 26, 25),
    33: (33, 20),
}


def _carried(
    layer: Any, connection: Any, sources: dict[str, list[Map]], own: list[Map], t: int
) -> Map:
    if connection.source == layer.name:
        silent: Map = {(i,): 0 for i in range(len(connection.synapses.weight))}
        values = own[t - 1] if t else silent
    else:
        source = sources[connection.source]
        values = _TRANSPORTS[connection.transport](source, t, layer.timesteps)
    return values if connection.pool is None else _pool(connection.pool, values)


def label(logits: Map) -> int:
    """Return the row-major position of the largest logit, or the first of several such."""
    values = [logits[i] for i in sorted(logits)]
    return values.index(max(values))


# --- transports: the values that a connection carries at timestep t of T --------------------------


def _same_step(source: list[Map], t: int, timesteps: int) -> Map:
    assert len(source) == timesteps
    return source[t]


_TRANSPORTS: dict[str, Callable[[list[Map], int, int], Map]] = {
    "count": lambda source, t, timesteps: _total(source),
    "spikes": _same_step,
    "replicate": lambda source, t, timesteps: source[t * len(source) // timesteps],
    "truncate": lambda source, t, timesteps: source[t],
}


def _total(maps: list[Map]) -> Map:
    return {i: sum(m[i] for m in maps) for i in maps[0]}


# --- neurons: one timestep of one neuron ----------------------------------------------------------


def step(neuron: Any, c: int, t: int, state: State | None, total: int) -> tuple[int, State]:
    """Return the spike and new state of a neuron of channel ``c``, which has no state at t = 0."""
    return _NEURONS[neuron.kind](neuron, c, t, state, total)


def _current(neuron: Any, c: int, total: int) -> int:
    return int(total * 2**neuron.fraction_bits + int(neuron.bias[c]))


def _leaked(v: int, shifts: tuple[int, ...]) -> int:
    return v - sum(v // 2**k if k > 0 else -(v // 2**-k) for k in shifts)


def _fired(neuron: Any, c: int, v: int) -> tuple[int, int]:
    if v < int(neuron.threshold[c]):
        return 0, v
    if neuron.reset_value is not None:
        return 1, int(neuron.reset_value[c])
    amount = neuron.threshold if neuron.reset_amount is None else neuron.reset_amount
    return 1, v - int(amount[c])


def _if(neuron: Any, c: int, t: int, state: State | None, total: int) -> tuple[int, State]:
    v = int(neuron.initial[c]) if state is None else state[0]
    spike, v = _fired(neuron, c, _leaked(v, neuron.leak) + _current(neuron, c, total))
    return spike, (v, 0)


def _cuba(neuron: Any, c: int, t: int, state: State | None, total: int) -> tuple[int, State]:
    v, i = (int(neuron.initial[c]), 0) if state is None else state
    i = _leaked(i, neuron.current_leak) + _current(neuron, c, total)
    spike, v = _fired(neuron, c, _leaked(v, neuron.leak) + i)
    return spike, (v, i)


def _dual(neuron: Any, c: int, t: int, state: State | None, total: int) -> tuple[int, State]:
    v, m = (int(neuron.initial[c]), 0) if state is None else state
    v = _leaked(v, neuron.leak) + _current(neuron, c, total)
    spike = 0
    if v >= int(neuron.threshold[c]):
        spike = 1
    elif v < 0 and m > 0:
        spike = -1
    return spike, (v - spike * int(neuron.threshold[c]), m + spike)


def _signed(neuron: Any, c: int, t: int, state: State | None, total: int) -> tuple[int, State]:
    v, m = (0, 0) if state is None else state
    v += _current(neuron, c, total)
    positive = (int(neuron.threshold[c]), neuron.amplitude)
    negative = (int(neuron.negative_threshold[c]), neuron.negative_amplitude)
    up, gain = positive if m >= 0 else negative
    down, loss = negative if m <= 0 else positive
    if 2 * v >= up:
        return gain, (v - up, m + 1)
    if 2 * v <= -down:
        return -loss, (v + down, m - 1)
    return 0, (v, m)


def _burst(neuron: Any, c: int, t: int, state: State | None, total: int) -> tuple[int, State]:
    v = int(neuron.initial[c]) if state is None else state[0]
    v = _leaked(v, neuron.leak) + _current(neuron, c, total)
    spike = min(max(v // int(neuron.threshold[c]), 0), neuron.largest)
    return spike, (v - spike * int(neuron.threshold[c]), 0)


def _ladder(neuron: Any, c: int, t: int, state: State | None, total: int) -> tuple[int, State]:
    return (1 if total >= int(neuron.levels[c][t]) else 0), (total, 0)


def _logits(neuron: Any, c: int, t: int, state: State | None, total: int) -> tuple[int, State]:
    v = _leaked(0 if state is None else state[0], neuron.leak)
    return 0, (v + _current(neuron, c, total), 0)


_NEURONS: dict[str, Callable[[Any, int, int, State | None, int], tuple[int, State]]] = {
    "if": _if,
    "cuba": _cuba,
    "dual": _dual,
    "signed": _signed,
    "burst": _burst,
    "ladder": _ladder,
    "logits": _logits,
}

# --- pools and synapses ---------------------------------------------------------------------------


def _linear(synapses: Any, values: Map) -> Map:
    flat = [values[i] for i in sorted(values)]
    return {
        (o,): sum(w * x for w, x in zip(row, flat, strict=True))
        for o, row in enumerate(synapses.weight.tolist())
    }


def _conv2d(synapses: Any, values: Map) -> Map:
    weight = synapses.weight.tolist()
    _, high, wide = _sizes(values)
    (down, right), (top, left) = synapses.stride, synapses.padding
    ins, rows, columns = len(weight[0]), len(weight[0][0]), len(weight[0][0][0])
    height = (high + 2 * top - rows) // down + 1
    width = (wide + 2 * left - columns) // right + 1
    # The first source channel of an output channel's group.
    outs = len(weight) // synapses.groups
    return {
        (o, y, x): sum(
            weight[o][c][i][j]
            * values.get((o // outs * ins + c, y * down - top + i, x * right - left + j), 0)
            for c, i, j in _indices((ins, rows, columns))
        )
        for o, y, x in _indices((len(weight), height, width))
    }


def _identity(synapses: Any, values: Map) -> Map:
    return {i: int(synapses.weight[i[0]]) * x for i, x in values.items()}


_SYNAPSES: dict[str, Callable[[Any, Map], Map]] = {
    "linear": _linear,
    "conv2d": _conv2d,
    "identity": _identity,
}


def _pool(pool: Any, values: Map) -> Map:
    if pool.kind == "max":
        return _max_pool(pool, values)
    channels, height, width = _sizes(values)
    rows, columns = pool.size
    return {
        (c, y, x): sum(
            values[c, y * rows + i, x * columns + j] for i, j in _indices((rows, columns))
        )
        for c, y, x in _indices((channels, height // rows, width // columns))
    }


def _max_pool(pool: Any, values: Map) -> Map:
    channels, height, width = _sizes(values)
    (rows, columns), (down, right), (top, left) = pool.size, pool.stride, pool.padding
    high = _windows(height, rows, down, top, pool.ceil)
    wide = _windows(width, columns, right, left, pool.ceil)
    return {
        (c, y, x): max(
            values[c, y * down - top + i, x * right - left + j]
            for i, j in _indices((rows, columns))
            if (c, y * down - top + i, x * right - left + j) in values
        )
        for c, y, x in _indices((channels, high, wide))
    }


def _windows(length: int, size: int, stride: int, padding: int, ceil: bool) -> int:
    """Return the number of windows: as long as they end, or with ``ceil`` begin, early enough."""
    count = 0
    while count * stride + size <= length + 2 * padding:
        count += 1
    left_out = (count - 1) * stride + size < length + 2 * padding
    if ceil and left_out and count * stride < length + padding:
        count += 1
    return count


def _sizes(values: Map) -> tuple[int, ...]:
    return tuple(n + 1 for n in max(values))


def _indices(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    return list(itertools.product(*(range(n) for n in shape)))


def _at(nested: Any, index: tuple[int, ...]) -> int:
    for i in index:
        nested = nested[i]
    return int(nested)
