"""Hypothesis strategies: random valid networks, and images that fit them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spikeloom.sw.golden import Golden
from spikeloom.sw.network import (
    INPUT,
    Connection,
    Conv2d,
    DirectInput,
    If,
    Ladder,
    Layer,
    Linear,
    Logits,
    MaxPool,
    Network,
    Neuron,
    Pool,
    SumPool,
    Synapses,
)

Array = np.ndarray[Any, Any]

_SEEDS = st.integers(0, (1 << 32) - 1)

#: Largest value of a signed register of the contract's 48 bits.
_HIGHEST = (1 << 47) - 1


def networks(
    *,
    min_layers: int = 2,
    max_layers: int = 3,
    max_channels: int = 4,
    max_features: int = 6,
    max_side: int = 6,
    max_kernel: int = 3,
    max_timesteps: int = 6,
    max_fraction_bits: int = 4,
    max_weight_bits: int = 8,
    max_input_bits: int = 5,
    neurons: Sequence[str] = ("if", "ladder"),
    transports: Sequence[str] = ("count", "spikes"),
    convolutions: bool = True,
    pools: bool = True,
    branches: bool = False,
    extremes: bool = True,
) -> st.SearchStrategy[Network]:
    """Return a strategy of small networks that keep the contract.

    Parameters
    ----------
    min_layers, max_layers : int
        Number of layers, the output layer included.
    max_channels : int
        Most channels of a feature map; ``max_features`` the same for a fully connected layer.
    max_side : int
        Largest height and width of the input.
    max_kernel : int
        Largest height and width of a convolution's kernel.
    max_timesteps, max_fraction_bits, max_weight_bits, max_input_bits : int
        Largest T, F, and widths of signed weights and unsigned pixels.
    neurons : sequence of str
        Kinds for the firing layers, among ``"if"`` and ``"ladder"``.
    transports : sequence of str
        ``"count"`` has to be among them, since the input knows nothing else.
    convolutions, pools : bool
        Whether to draw any.
    branches : bool
        Whether layers may have two connections, and read other layers than the one before.
    extremes : bool
        Whether thresholds and levels may lie at the limits of the contract's 48 bits.
    """
    settings = {k: v for k, v in locals().items() if k not in ("min_layers", "max_layers")}
    return _networks(min_layers, max_layers, settings)


def images_for(
    network: Network, count: int | st.SearchStrategy[int] = 4
) -> st.SearchStrategy[Array]:
    """Return a strategy of (count, *shape) images, of the narrowest unsigned type."""
    high = network.input.values().high
    dtype = np.min_scalar_type(high)
    counts = st.just(count) if isinstance(count, int) else count
    return counts.flatmap(lambda n: _arrays(dtype, (n, *network.input.shape), 0, high))


def _arrays(
    dtype: np.dtype[Any], shape: tuple[int, ...], low: int, high: int
) -> st.SearchStrategy[Array]:
    """Return a strategy of arrays that shrink well, or else differ in every element.

    Hypothesis fills most of an array with one value, and a network of equal weights shows little.
    """

    def seeded(seed: int) -> Array:
        rng = np.random.default_rng(seed)
        values: Array = rng.integers(low, high, shape, dtype=dtype, endpoint=True)
        values[rng.random(shape) >= rng.choice([0.3, 0.8, 1])] = 0
        return values

    plain = hnp.arrays(dtype, shape, elements=st.integers(low, high))
    if not low <= 0 <= high:
        return plain
    return st.sampled_from((0, 1, 1, 1)).flatmap(lambda k: _SEEDS.map(seeded) if k else plain)


@st.composite
def _networks(
    draw: st.DrawFn, min_layers: int, max_layers: int, settings: dict[str, Any]
) -> Network:
    number = draw(st.integers(min_layers, max_layers), label="layers")
    drawn = _Drawing(draw, settings)
    for index in range(number):
        drawn.add_layer(index, last=index == number - 1)
    return Network(drawn.input, tuple(drawn.layers))


class _Drawing:
    """A network that grows layer by layer, and what the next layer must know about it."""

    def __init__(self, draw: st.DrawFn, settings: dict[str, Any]) -> None:
        self.draw = draw
        self.settings = settings
        self.layers: list[Layer] = []
        # Some networks are of one transport throughout; mixed ones seldom have two in a row.
        self.neurons, self.transports = tuple(settings["neurons"]), tuple(settings["transports"])
        style = self.one_of(None, *self.transports)
        if style == "spikes" and "if" in self.neurons:
            self.neurons, self.transports = ("if",), ("spikes",)
        elif style == "count":
            self.transports = ("count",)
        side = st.sampled_from(range(1, settings["max_side"] + 1))
        shape: tuple[int, ...]
        if settings["convolutions"]:
            shape = (self.integer(1, min(3, settings["max_channels"])), draw(side), draw(side))
        else:
            shape = (self.integer(1, settings["max_features"]),)
        self.input = DirectInput(shape, self.integer(1, settings["max_input_bits"]))
        self.shapes: dict[str, tuple[int, ...]] = {INPUT: shape}

    def integer(self, low: int, high: int) -> int:
        """Draw uniformly where there are few values: `st.integers` prefers the least."""
        few = high - low < 64
        return self.draw(st.sampled_from(range(low, high + 1)) if few else st.integers(low, high))

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def array(self, low: int, high: int, *shape: int) -> Array:
        drawn: Array = self.draw(_arrays(np.dtype(np.int64), shape, low, high))
        return drawn

    def add_layer(self, index: int, last: bool) -> None:
        kind = "logits" if last else self.one_of(*self.neurons)
        names = list(self.shapes)
        skips = self.settings["branches"] and self.integer(0, 3) == 3
        first = self.one_of(*names) if skips else names[-1]
        transport = self.transport(first, kind)
        if transport == "spikes":
            timesteps = self.layer(first).timesteps
        else:
            timesteps = self.integer(1, self.settings["max_timesteps"])
        connections = [self.connection(first, transport)]
        if self.settings["branches"] and self.draw(st.booleans()):
            connections += self.second(connections[0], kind, timesteps)
        neuron = self.neuron(kind, timesteps, tuple(connections))
        name = "out" if last else f"hidden{index}"
        self.layers.append(Layer(name, timesteps, neuron, tuple(connections)))
        source = connections[0].pooled_shape(self.shapes[first])
        self.shapes[name] = connections[0].synapses.shape(source)

    def layer(self, name: str) -> Layer:
        return next(layer for layer in self.layers if layer.name == name)

    def transport(self, source: str, kind: str) -> str:
        only_counts = kind == "ladder" or source == INPUT
        if only_counts or self.layer(source).neuron.kind == "ladder":
            return "count"
        chosen: str = self.one_of(*self.transports)
        return chosen

    def connection(self, source: str, transport: str) -> Connection:
        shape = self.shapes[source]
        pool = self.pool(shape, transport) if len(shape) == 3 else None
        return Connection(
            source, transport, self.synapses(pool.shape(shape) if pool else shape), pool
        )

    def second(self, first: Connection, kind: str, timesteps: int) -> list[Connection]:
        """Return a connection like ``first`` from some source of the same shape, if it can be."""
        alike = [n for n, shape in self.shapes.items() if shape == self.shapes[first.source]]
        source = self.one_of(*alike)
        transport = self.transport(source, kind)
        if transport == "spikes" and self.layer(source).timesteps != timesteps:
            transport = "count"
        if first.pool is not None and transport not in first.pool.transports:
            return []
        weight = self.weight(*first.synapses.weight.shape)
        synapses = dataclasses.replace(first.synapses, weight=weight)  # type: ignore[type-var]
        return [Connection(source, transport, synapses, first.pool)]

    def pool(self, shape: tuple[int, ...], transport: str) -> Pool | None:
        kinds: list[type[Pool]] = [SumPool, MaxPool] if transport == "count" else [SumPool]
        if not self.settings["pools"] or not self.draw(st.booleans()):
            return None
        size = (self.integer(1, min(3, shape[1])), self.integer(1, min(3, shape[2])))
        pool: Pool = self.one_of(*kinds)(size)
        return pool

    def synapses(self, shape: tuple[int, ...]) -> Synapses:
        flat = len(shape) == 1 or not self.settings["convolutions"]
        if flat or self.integer(0, 3) == 3:
            outs = self.integer(1, self.settings["max_features"])
            return Linear(self.weight(outs, int(np.prod(shape))))
        kernel, stride, padding = [], [], []
        for side in shape[1:]:
            size = self.integer(1, self.settings["max_kernel"])
            padding.append(self.integer(max(0, (size - side + 1) // 2), size - 1))
            kernel.append(size)
            stride.append(self.integer(1, 3))
        outs = self.integer(1, self.settings["max_channels"])
        weight = self.weight(outs, shape[0], *kernel)
        return Conv2d(weight, (stride[0], stride[1]), (padding[0], padding[1]))

    def weight(self, *shape: int) -> Array:
        bits = self.integer(2, self.settings["max_weight_bits"])
        low, high = -(1 << bits - 1), (1 << bits - 1) - 1
        extreme = self.one_of(*[None] * 12, -high, high, low)
        return self.array(low, high, *shape) if extreme is None else np.full(shape, extreme)

    def neuron(self, kind: str, timesteps: int, connections: tuple[Connection, ...]) -> Neuron:
        channels = connections[0].synapses.channels
        silent = Logits(np.zeros(channels, np.int64), fraction_bits=0)
        probe = Layer("probe", timesteps, silent, connections)
        network = Network(self.input, (*self.layers, probe))
        if self.integer(0, 4):
            return self.lively(kind, network)
        drawn: Neuron = getattr(self, f"draw_{kind}")(channels, timesteps, network)
        return drawn

    def lively(self, kind: str, network: Network) -> Neuron:
        """Draw parameters among which the accumulators of some random images lie.

        The proven range is far wider than what images reach: most parameters drawn from all of it
        make neurons that fire always or never.
        """
        rng = np.random.default_rng(self.draw(_SEEDS))
        high = network.input.values().high
        images = rng.integers(0, high, (16, *network.input.shape), endpoint=True)
        trace = Golden(network).run(images, trace=True).trace
        assert trace is not None
        timesteps = network.output.timesteps
        # By channel, then by timestep, image and position.
        seen = trace["probe"].currents.numpy()
        seen = np.moveaxis(seen, 2, 0).reshape(seen.shape[2], -1)
        channels, bits = len(seen), self.integer(0, self.settings["max_fraction_bits"])
        if kind == "ladder":
            levels = rng.choice(seen.ravel(), (channels, timesteps)) + rng.integers(0, 2)
            return Ladder(np.sort(levels, axis=1))
        size = (np.abs(seen).mean(1) * 2**bits + 1).astype(np.int64)
        bias = rng.integers(-size // 2, size // 2, endpoint=True)
        if kind == "logits":
            # Alike means, so that the label depends on the image.
            bias -= (seen.mean(1) * 2**bits).astype(np.int64)
            return Logits(bias, fraction_bits=bits)
        threshold = rng.integers(np.maximum(size // 2, 1), 3 * size, endpoint=True)
        initial = np.where(rng.random(channels) < 0.5, threshold >> 1, rng.integers(threshold))
        return If(threshold, initial, bias, fraction_bits=bits)

    def draw_if(self, channels: int, timesteps: int, network: Network) -> If:
        bits = self.integer(0, self.settings["max_fraction_bits"])
        reach = network.ranges["probe"].accumulator
        top = max(1, (reach.high - reach.low) << bits)
        thresholds, initials = [], []
        for _ in range(channels):
            if self.settings["extremes"] and self.integer(0, 7) == 7:
                threshold = _HIGHEST
            else:
                threshold = self.one_of(1, self.integer(1, top))
            thresholds.append(threshold)
            last = min(threshold - 1, top)
            initials.append(self.one_of(min(threshold >> 1, last), 0, last, self.integer(0, last)))
        bias = self.array(-top, top, channels)
        return If(np.array(thresholds), np.array(initials), bias, fraction_bits=bits)

    def draw_ladder(self, channels: int, timesteps: int, network: Network) -> Ladder:
        reach = network.ranges["probe"].accumulator
        levels = self.array(reach.low - 1, reach.high + 1, channels, timesteps)
        if self.settings["extremes"] and self.integer(0, 7) == 7:
            levels[0, 0] = -_HIGHEST - 1
            levels[-1, -1] = _HIGHEST
        return Ladder(np.sort(levels, axis=1))

    def draw_logits(self, channels: int, timesteps: int, network: Network) -> Logits:
        bits = self.integer(0, self.settings["max_fraction_bits"])
        reach = network.ranges["probe"].accumulator
        top = max(1, (reach.high - reach.low) << bits)
        return Logits(self.array(-top, top, channels), fraction_bits=bits)
