"""Hypothesis strategies: random valid networks, and images that fit them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spikeloom.sw.network import (
    INPUT,
    TEMPORAL,
    TRANSPORTS,
    BernoulliInput,
    Connection,
    Conv2d,
    CountInput,
    DirectInput,
    Identity,
    Input,
    Layer,
    Linear,
    Logits,
    MaxPool,
    Network,
    Neuron,
    Pool,
    SpikeInput,
    SumPool,
    Synapses,
)
from support.networks.random_neurons import Lively, Wide

Array = np.ndarray[Any, Any]

#: All kinds of neurons that fire, and all kinds of inputs.
NEURONS = ("if", "ladder", "dual", "signed", "burst", "cuba")
INPUTS = ("direct", "count", "spikes", "bernoulli")

_SEEDS = st.integers(0, (1 << 32) - 1)


def networks(
    *,
    min_layers: int = 2,
    max_layers: int = 4,
    max_channels: int = 4,
    max_features: int = 6,
    max_side: int = 6,
    max_kernel: int = 3,
    max_timesteps: int = 6,
    max_fraction_bits: int = 4,
    max_weight_bits: int = 8,
    max_input_bits: int = 5,
    inputs: Sequence[str] = INPUTS,
    neurons: Sequence[str] = NEURONS,
    transports: Sequence[str] = TRANSPORTS,
    convolutions: bool = True,
    groups: bool = True,
    identities: bool = True,
    pools: bool = True,
    branches: bool = True,
    recurrence: bool = True,
    extremes: bool = True,
) -> st.SearchStrategy[Network]:
    """Return a strategy of small valid networks.

    Parameters
    ----------
    min_layers, max_layers : int
        Number of layers, including the output layer.
    max_channels : int
        Most channels of a feature map.
    max_features : int
        Most features of a fully connected layer.
    max_side : int
        Largest height and width of the input.
    max_kernel : int
        Largest height and width of a convolution's kernel.
    max_timesteps, max_fraction_bits, max_weight_bits, max_input_bits : int
        Largest T, F, and widths of signed weights and of the input's values.
    inputs : sequence of str
        Kinds of the input.
    neurons : sequence of str
        Kinds of neurons of all layers but the last.
    transports : sequence of str
        Transports. ``"count"`` is drawn as well, where none of the given ones is possible.
    convolutions, groups, identities, pools : bool
        Whether these may occur.
    branches : bool
        Whether layers may have several connections, and read other layers than the one before.
        Layers that no other layer reads then occur, but rarely.
    recurrence : bool
        Whether layers may read their own spikes.
    extremes : bool
        Whether thresholds and levels may lie at the limits of the contract's 48 bits.
    """
    settings = {k: v for k, v in locals().items() if k not in ("min_layers", "max_layers")}
    return _networks(min_layers, max_layers, settings)


def images_for(
    network: Network, count: int | st.SearchStrategy[int] = 4
) -> st.SearchStrategy[Array]:
    """Return a strategy of images, shape (count, *image_shape), of the narrowest type."""
    pixels = network.input.pixels()
    dtype = np.result_type(*map(np.min_scalar_type, (pixels.low, pixels.high)))
    counts = st.just(count) if isinstance(count, int) else count
    limits = (pixels.low, pixels.high)
    return counts.flatmap(lambda n: _arrays(dtype, (n, *network.input.image_shape), *limits))


def _arrays(
    dtype: np.dtype[Any], shape: tuple[int, ...], low: int, high: int
) -> st.SearchStrategy[Array]:
    """Return a strategy of arrays: some that shrink well, most with random elements.

    Hypothesis' own arrays hold one value in most places, and networks with equal weights would
    reveal few errors. The others are random numbers of a seed, some of them replaced by 0.
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
    # `st.integers` would prefer small numbers.
    number = draw(st.sampled_from(range(min_layers, max_layers + 1)), label="layers")
    drawn = _Drawing(draw, settings)
    for index in range(number):
        drawn.add_layer(index, last=index == number - 1)
    return Network(drawn.input, tuple(drawn.layers))


class _Drawing:
    """A network while it is drawn, layer by layer."""

    def __init__(self, draw: st.DrawFn, settings: dict[str, Any]) -> None:
        self.draw = draw
        self.settings = settings
        self.layers: list[Layer] = []
        # Some networks have only counts or only spikes, as mixed ones rarely have two layers of the
        # same kind in a row.
        self.neurons, self.transports = tuple(settings["neurons"]), tuple(settings["transports"])
        temporal = tuple(t for t in self.transports if t in TEMPORAL)
        timed = tuple(k for k in self.neurons if temporal and temporal[0] in _KINDS[k].outgoing)
        style = self.one_of("mixed", "count", "temporal", "temporal")
        if style == "temporal" and timed:
            self.neurons, self.transports = timed, temporal
        elif style == "count":
            self.transports = ("count",)
        side = st.sampled_from(range(1, settings["max_side"] + 1))
        shape: tuple[int, ...]
        if settings["convolutions"]:
            shape = (self.integer(1, min(3, settings["max_channels"])), draw(side), draw(side))
        else:
            shape = (self.integer(1, settings["max_features"]),)
        self.input = self.draw_input(shape)
        self.shapes: dict[str, tuple[int, ...]] = {INPUT: shape}

    def integer(self, low: int, high: int) -> int:
        """Draw a number, uniformly if there are few values: `st.integers` prefers small ones."""
        few = high - low < 64
        return self.draw(st.sampled_from(range(low, high + 1)) if few else st.integers(low, high))

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def seed(self) -> int:
        return self.draw(_SEEDS)

    def array(self, low: int, high: int, *shape: int) -> Array:
        drawn: Array = self.draw(_arrays(np.dtype(np.int64), shape, low, high))
        return drawn

    def draw_input(self, shape: tuple[int, ...]) -> Input:
        bits = self.integer(1, self.settings["max_input_bits"])
        kind = self.one_of(*self.settings["inputs"])
        if kind == "direct":
            return self.draw_pixels(shape, bits)
        if kind == "bernoulli":
            timesteps = self.integer(1, self.settings["max_timesteps"])
            return BernoulliInput(shape, bits, timesteps, self.integer(0, (1 << 32) - 1))
        highest = self.one_of(1, (1 << bits) - 1, self.integer(1, (1 << bits) - 1))
        if kind == "count":
            return CountInput(shape, highest)
        return SpikeInput(shape, self.integer(1, self.settings["max_timesteps"]), highest)

    def draw_pixels(self, shape: tuple[int, ...], bits: int) -> DirectInput:
        """Draw pixels, some of them signed or with a zero point, for all channels or for each."""
        signed, zeros = self.one_of(False, False, True), self.one_of("none", "none", "one", "each")
        if zeros == "none":
            return DirectInput(shape, bits, signed)
        most = (1 << bits) - 1
        if zeros == "one":
            return DirectInput(shape, bits, signed, self.integer(-most, most))
        return DirectInput(shape, bits, signed, self.array(-most, most, shape[0]))

    # --- structure --------------------------------------------------------------------------------

    def add_layer(self, index: int, last: bool) -> None:
        kind = "logits" if last else self.one_of(*self.neurons)
        branches = self.settings["branches"]
        names = list(self.shapes)
        first = self.one_of(*names) if branches and self.integer(0, 3) == 3 else names[-1]
        transport = self.one_of(*self.possible(first, kind))
        timesteps = self.timesteps(first, transport)
        shape = self.shapes[first]
        pool = self.pool(shape, transport)
        pooled = pool.shape(shape) if pool else shape
        connections = [Connection(first, transport, self.synapses(pooled), pool)]
        out = connections[0].synapses.shape(pooled)
        if branches:
            more = [self.one_of(*names) for _ in range(self.one_of(0, 0, 1, 1, 2))]
            read = {c.source for layer in self.layers for c in layer.connections} | {first}
            if last and self.integer(0, 7):
                more += [name for name in names if name not in read | {INPUT}]
            for source in more:
                connections += self.another(source, kind, timesteps, out)
        neuron = self.neuron(kind, timesteps, tuple(connections))
        name = "out" if last else f"hidden{index}"
        if not last and len(out) == 1 and self.recurs(kind):
            # Its neurons are drawn for the other connections.
            own = Linear(self.weight(out[0], out[0]))
            connections.insert(self.integer(0, len(connections)), Connection(name, "spikes", own))
        self.layers.append(Layer(name, timesteps, neuron, tuple(connections)))
        self.shapes[name] = out

    def recurs(self, kind: str) -> bool:
        """Draw whether a layer of a kind reads its own spikes, if it can."""
        able = self.settings["recurrence"] and "spikes" in self.transports
        return able and "spikes" in _KINDS[kind].incoming and self.integer(0, 2) == 2

    def steps(self, source: str) -> int | None:
        if source == INPUT:
            return self.input.steps
        return next(layer.timesteps for layer in self.layers if layer.name == source)

    def possible(self, source: str, kind: str, timesteps: int | None = None) -> list[str]:
        """Return the transports from ``source`` to a layer of neurons of a kind, at least counts.

        ``timesteps`` are the layer's; None means that they can still be chosen.
        """
        allowed = _KINDS[kind].incoming
        if source != INPUT:
            allowed &= next(x.neuron.outgoing for x in self.layers if x.name == source)
        steps = self.steps(source)
        fits = {"count": True} | dict.fromkeys(TEMPORAL, steps is not None)
        if steps is not None and timesteps is not None:
            fits["spikes"] = steps == timesteps
            fits["replicate"] = steps <= timesteps
            fits["truncate"] = steps >= timesteps
        return [t for t in self.transports if t in allowed and fits[t]] or ["count"]

    def timesteps(self, source: str, transport: str) -> int:
        """Draw the timesteps of a layer that reads ``source`` by ``transport``."""
        most, steps = self.settings["max_timesteps"], self.steps(source)
        low = steps if steps and transport in ("spikes", "replicate") else 1
        high = steps if steps and transport in ("spikes", "truncate") else most
        return self.integer(low, high)

    def another(
        self, source: str, kind: str, timesteps: int, out: tuple[int, ...]
    ) -> list[Connection]:
        """Return one more connection to a layer of shape ``out``, or none if none is possible."""
        transport = self.one_of(*self.possible(source, kind, timesteps))
        shape = self.shapes[source]
        for pool in (self.pool(shape, transport), None):
            synapses = self.synapses_into(pool.shape(shape) if pool else shape, out)
            if synapses is not None:
                return [Connection(source, transport, synapses, pool)]
        return []

    def pool(self, shape: tuple[int, ...], transport: str) -> Pool | None:
        if len(shape) == 1 or not self.settings["pools"] or not self.draw(st.booleans()):
            return None
        kinds = ["sum", "max", "sliding"] if transport == "count" else ["sum"]
        kind = self.one_of(*kinds)
        if kind == "sliding":
            return self.sliding_pool(shape)
        size = (self.integer(1, min(3, shape[1])), self.integer(1, min(3, shape[2])))
        return MaxPool(size) if kind == "max" else SumPool(size)

    def sliding_pool(self, shape: tuple[int, ...]) -> MaxPool:
        """Draw a max-pool whose windows may overlap, leave gaps, or reach beyond the source."""
        windows = []
        for side in shape[1:]:
            size = self.integer(1, 4)
            padding = self.integer(min(max(0, (size - side + 1) // 2), size - 1), size - 1)
            windows.append((size, self.integer(1, 3), padding))
        (high, down, top), (wide, right, left) = windows
        return MaxPool((high, wide), (down, right), (top, left), self.draw(st.booleans()))

    def synapses(self, shape: tuple[int, ...]) -> Synapses:
        if self.settings["identities"] and self.integer(0, 7) == 7:
            return Identity(self.weight(shape[0]))
        flat = len(shape) == 1 or not self.settings["convolutions"]
        if flat or self.integer(0, 3) == 3:
            outs = self.integer(1, self.settings["max_features"])
            return Linear(self.weight(outs, int(np.prod(shape))))
        windows = []
        for side in shape[1:]:
            size = self.integer(1, self.settings["max_kernel"])
            padding = self.integer(max(0, (size - side + 1) // 2), size - 1)
            windows.append((size, self.integer(1, 3), padding))
        # Each group gets at least one channel, also if the source has more than ``max_channels``.
        groups = self.groups(shape[0])
        outs = groups * self.integer(1, max(1, self.settings["max_channels"] // groups))
        return self.convolution(shape[0], outs, groups, windows)

    def synapses_into(self, shape: tuple[int, ...], out: tuple[int, ...]) -> Synapses | None:
        """Return synapses from a shape to the shape ``out``, or None if there are none."""
        choices: list[Callable[[], Synapses]] = []
        if shape == out and self.settings["identities"]:
            # Twice as likely as the others, since residual networks have many of them.
            choices += [lambda: Identity(self.weight(shape[0]))] * 2
        if len(out) == 1:
            choices.append(lambda: Linear(self.weight(out[0], int(np.prod(shape)))))
        elif len(shape) == 3 and self.settings["convolutions"]:
            fitting = [
                [w for w in self.all_windows() if _convolved(side, *w) == target]
                for side, target in zip(shape[1:], out[1:], strict=True)
            ]
            if all(fitting):
                groups = self.groups(shape[0], out[0])
                windows = [self.one_of(*windows) for windows in fitting]
                choices.append(lambda: self.convolution(shape[0], out[0], groups, windows))
        return self.one_of(*choices)() if choices else None

    def all_windows(self) -> list[tuple[int, int, int]]:
        """Return every kernel size, stride and padding that is drawn along one axis."""
        sizes = range(1, self.settings["max_kernel"] + 1)
        return [
            (size, stride, pad) for size in sizes for stride in (1, 2, 3) for pad in range(size)
        ]

    def groups(self, *channels: int) -> int:
        """Draw a number of groups that divides all ``channels``, often 1."""
        if not self.settings["groups"] or self.draw(st.booleans()):
            return 1
        most = int(np.gcd.reduce(channels))
        drawn: int = self.one_of(most, *[g for g in range(2, most) if most % g == 0])
        return drawn

    def convolution(
        self, ins: int, outs: int, groups: int, windows: list[tuple[int, int, int]]
    ) -> Conv2d:
        """Return a convolution, with (size, stride, padding) given for both axes."""
        (high, down, top), (wide, right, left) = windows
        weight = self.weight(outs, ins // groups, high, wide)
        if self.integer(0, 5) == 5:
            # As in the shortcuts of residual networks, each value meets one output channel.
            met = self.array(0, outs - 1, *weight.shape[1:])
            weight = np.where(np.arange(outs).reshape(-1, 1, 1, 1) == met, weight, 0)
        return Conv2d(weight, (down, right), (top, left), groups)

    def weight(self, *shape: int) -> Array:
        bits = self.integer(2, self.settings["max_weight_bits"])
        low, high = -(1 << bits - 1), (1 << bits - 1) - 1
        extreme = self.one_of(*[None] * 12, -high, high, low)
        return self.array(low, high, *shape) if extreme is None else np.full(shape, extreme)

    # --- neurons ----------------------------------------------------------------------------------

    def neuron(self, kind: str, timesteps: int, connections: tuple[Connection, ...]) -> Neuron:
        channels = connections[0].synapses.channels
        silent = Logits(np.zeros(channels, np.int64), fraction_bits=0)
        probe = Layer("probe", timesteps, silent, connections)
        network = Network(self.input, (*self.layers, probe))
        choices = Lively(self, network) if self.integer(0, 4) else Wide(self, network)
        drawn: Neuron = getattr(choices, f"{kind}_neuron")()
        return drawn


_KINDS: dict[str, type[Neuron]] = Neuron.kinds


def _convolved(side: int, size: int, stride: int, padding: int) -> int:
    return (side + 2 * padding - size) // stride + 1
