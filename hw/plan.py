"""From a network and a user's choices to every parameter of the hardware.

Widths come from the contract's proven ranges and nowhere else; schedules are tables computed here.
A plan holds no hardware: the components of this package take their part of it as parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spikeloom.hw.config import HardwareConfig
from spikeloom.hw.digits import DigitPlan
from spikeloom.hw.neuron import NeuronUnit
from spikeloom.hw.streams import StreamPlan
from spikeloom.hw.windows import BufferPlan, WindowPlan
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.network import (
    INPUT,
    Connection,
    Conv2d,
    Layer,
    Linear,
    Network,
    Pool,
    Range,
    Ranges,
    Shape,
)
from spikeloom.sw.network.record import IntArray

#: Values per bank that a word should hold, so that reading ahead keeps every bank busy when only
#: one value in eight is not zero.
_SLOTS = 8
#: Source values under a window for each cycle that its neurons may take: most values are zero, and
#: some windows have fewer non-zeros than others.
_VALUES_PER_STEP = 20
#: Sums that wait where windows can be faster than neurons: as many as small memories hold anyway.
_SUMS_WAITING = 16
#: Most values per word: selecting among more costs more logic than it saves cycles.
_MOST_WORD_VALUES = 64


@dataclass(frozen=True)
class PoolPlan:
    """A pool between two layers.

    Parameters
    ----------
    pool : Pool
    source, target : StreamPlan
        What goes in and what comes out.
    """

    pool: Pool
    source: StreamPlan
    target: StreamPlan


@dataclass(frozen=True)
class LayerPlan:
    """One layer's engine.

    Parameters
    ----------
    layer : Layer
        The contract's layer.
    ranges : Ranges
        Its proven value ranges.
    pool : PoolPlan or None
        What its source passes through first.
    windows : WindowPlan
        Its walk over the source.
    digits : DigitPlan
        Digits of the source's values.
    kernel : array of int64, shape (stored outputs, kernel height, kernel width, stored channels)
        Weights in the order of the source's rows, 0 for channels that only fill up lanes.
    target : StreamPlan
        What it sends.
    sends : {"count", "spikes", "logits"}
        What the values of the target are.
    steps_per_cycle : int
        Timesteps that a neuron takes in one cycle; it divides T.
    """

    layer: Layer
    ranges: Ranges
    pool: PoolPlan | None
    windows: WindowPlan
    digits: DigitPlan
    kernel: IntArray
    target: StreamPlan
    sends: str
    steps_per_cycle: int

    @property
    def lanes(self) -> int:
        """M, output channels computed at once."""
        return self.target.lanes

    @property
    def events(self) -> int:
        """E, events added to every lane in one cycle."""
        return self.windows.events

    @property
    def source(self) -> StreamPlan:
        """What arrives, after the pool."""
        return self.windows.buffer.stream

    @property
    def queue(self) -> int:
        """Sums that may wait for the neurons: some where small windows are faster than these."""
        cycles = self.layer.timesteps // self.steps_per_cycle
        constant = self.layer.connections[0].transport == "count"
        return _SUMS_WAITING if constant and cycles > _patience(self.kernel, self.events) else 0

    @property
    def weights(self) -> Range:
        """Range of the weights, 0 included."""
        return Range(min(int(self.kernel.min()), 0), max(int(self.kernel.max()), 0))

    def bank(self, event: int) -> list[list[int]]:
        """Return the weight words of one bank: M weights each, in the order of their address."""
        windows, lanes = self.windows, self.lanes
        outs, height, width, channels = self.kernel.shape
        rows = self.kernel.reshape(outs // lanes, lanes, height, width * channels)
        padded = np.zeros((*rows.shape[:3], windows.span * windows.events), np.int64)
        padded[..., : width * channels] = rows
        mine = padded[..., event :: windows.events]
        words: list[list[int]] = mine.transpose(0, 2, 3, 1).reshape(-1, lanes).tolist()
        return words


@dataclass(frozen=True)
class Plan:
    """An accelerator: a chain of engines.

    Parameters
    ----------
    network : Network
    config : HardwareConfig
    input : StreamPlan
        Pixels, one per transfer.
    layers : tuple of LayerPlan
    """

    network: Network
    config: HardwareConfig
    input: StreamPlan
    layers: tuple[LayerPlan, ...]

    def __getitem__(self, name: str) -> LayerPlan:
        """Return the plan of the layer called ``name``."""
        return next(p for p in self.layers if p.layer.name == name)


def plan(network: Network, config: HardwareConfig | None = None) -> Plan:
    """Derive every parameter of an accelerator for ``network``.

    Parameters
    ----------
    network : Network
    config : HardwareConfig, optional
        Choices; what it leaves open is chosen here.

    Returns
    -------
    Plan

    Raises
    ------
    UnsupportedError
        If the network has a structure that the hardware cannot run.
    ConfigError
        If lanes or events do not fit a layer.
    """
    config = config or HardwareConfig()
    _require_chain(network)
    lanes = config.chosen("lanes", network)
    events = config.chosen("events", network)
    _balance(network, lanes, events, config.budget)
    channels, height, width = _spatial(network.input.shape)
    source = StreamPlan(1, network.input.values(), channels, height, width, 1)
    inputs, layers = source, []
    for position, layer in enumerate(network.layers):
        following = network.layers[position + 1 :]
        sends = following[0].connections[0].transport if following else "logits"
        try:
            layers.append(
                _layer(network, layer, source, sends, lanes[layer.name], events.get(layer.name))
            )
        except (ConfigError, UnsupportedError) as error:
            raise type(error)(f"layer {layer.name!r}: {error}") from None
        source = layers[-1].target
    return Plan(network, config, inputs, tuple(layers))


def _layer(
    network: Network, layer: Layer, source: StreamPlan, sends: str, lanes: int, events: int | None
) -> LayerPlan:
    (connection,) = layer.connections
    shape = network.shapes[layer.name]
    ranges = network.ranges[layer.name]
    channels, height, width = _spatial(shape)
    if lanes > channels:
        raise ConfigError(f"lanes = {lanes} must not exceed its {channels} output channels")
    pool = _pool(connection, source)
    arriving = pool.target if pool else source
    values = {"count": ranges.count, "spikes": ranges.spike, "logits": ranges.potential}[sends]
    steps = layer.timesteps if sends == "spikes" else 1
    target = StreamPlan(lanes, values, channels, height, width, steps)
    return LayerPlan(
        layer=layer,
        ranges=ranges,
        pool=pool,
        windows=_windows(connection, arriving, (height, width), events),
        digits=DigitPlan.of(arriving.values),
        kernel=_kernel(connection, arriving, target),
        target=target,
        sends=sends,
        steps_per_cycle=_steps_per_cycle(layer, connection, events or 1),
    )


def _patience(weight: IntArray, events: int) -> float:
    """Return for how many cycles the neurons may be busy with a window of average work."""
    return weight[0].size / events / _VALUES_PER_STEP


def _steps_per_cycle(layer: Layer, connection: Connection, events: int) -> int:
    """Return how many timesteps at once keep the neurons from being slower than small windows."""
    unit = NeuronUnit.of_kind(layer.neuron.kind)
    for steps in range(1, layer.timesteps + 1):
        if layer.timesteps % steps == 0 and steps <= unit.most_steps:
            chosen = steps
            if layer.timesteps / steps <= _patience(connection.synapses.weight, events):
                break
    return chosen


def _pool(connection: Connection, source: StreamPlan) -> PoolPlan | None:
    if connection.pool is None:
        return None
    shape = (source.channels, source.height, source.width)
    channels, height, width = connection.pool.shape(shape)
    values = connection.pool.values(source.values)
    target = StreamPlan(source.lanes, values, channels, height, width, source.steps)
    return PoolPlan(connection.pool, source, target)


def _windows(
    connection: Connection, source: StreamPlan, shape: tuple[int, int], events: int | None
) -> WindowPlan:
    synapses = connection.synapses
    if isinstance(synapses, Conv2d):
        kernel, stride, padding = synapses.kernel, synapses.stride, synapses.padding
        spare = stride[0]
    elif isinstance(synapses, Linear):
        kernel, stride, padding = (source.height, source.width), (1, 1), (0, 0)
        spare = source.height
    else:
        raise UnsupportedError(f"synapses of kind {synapses.kind!r} cannot be generated")
    wanted = events or 1
    buffer = BufferPlan(source, _chunks(source, wanted), capacity=1)
    windows = WindowPlan(buffer, kernel, stride, padding, shape, wanted)
    # Spare rows let the source write the next lines' (or the next image's) while these are read.
    capacity = max(line.need for line in windows.lines) + spare
    return replace(windows, buffer=replace(buffer, capacity=capacity))


def _chunks(source: StreamPlan, events: int) -> int:
    """Return how many transfers to put into a word.

    Enough that each bank finds something in most words, a multiple of E, and, where that leaves a
    choice, so that a position's channels fill whole words and nothing has to be masked.
    """
    goal = min(_SLOTS * events, _MOST_WORD_VALUES, source.row_values)
    most = max(_MOST_WORD_VALUES, source.lanes * events)
    sizes = [n for n in range(source.lanes, most + 1, source.lanes) if n % events == 0]
    aligned = [n for n in sizes if source.stored_channels % n == 0 and 2 * n >= goal]
    size = (
        min((n for n in aligned if n >= goal), default=0)
        or max(aligned, default=0)
        or min((n for n in sizes if n >= goal), default=sizes[-1])
    )
    return size // source.lanes


def _kernel(connection: Connection, source: StreamPlan, target: StreamPlan) -> IntArray:
    """Return the weights as (stored outputs, kernel rows, kernel columns, stored channels)."""
    weight = connection.synapses.weight
    if weight.ndim == 2:
        weight = weight.reshape(len(weight), source.channels, source.height, source.width)
    stored = np.zeros((target.stored_channels, *weight.shape[2:], source.stored_channels), np.int64)
    stored[: len(weight), ..., : source.channels] = weight.transpose(0, 2, 3, 1)
    stored.flags.writeable = False
    return stored


def _require_chain(network: Network) -> None:
    """Refuse what is no chain of layers, each with one connection."""
    previous = INPUT
    for layer in network.layers:
        if len(layer.connections) != 1 or layer.connections[0].source != previous:
            sources = ", ".join(repr(c.source) for c in layer.connections)
            raise UnsupportedError(
                f"layer {layer.name!r} is fed by {sources}; the hardware runs chains of layers, "
                f"where it would be fed by {previous!r} alone"
            )
        previous = layer.name


def _balance(network: Network, lanes: dict[str, int], events: dict[str, int], budget: int) -> None:
    """Choose lanes that were left open: double the slowest layer's while the budget lasts."""
    work, most = {}, {}
    for layer in network.layers:
        channels, height, width = _spatial(network.shapes[layer.name])
        fan_in = layer.connections[0].synapses.weight[0].size
        steps = layer.timesteps if layer.connections[0].transport == "spikes" else 1
        work[layer.name] = channels * height * width * fan_in * steps
        most[layer.name] = channels
    free = [name for name in work if name not in lanes]
    lanes.update(dict.fromkeys(free, 1))

    def cost(name: str) -> int:
        return lanes[name] * events.get(name, 1)

    while True:
        slowest = max(work, key=lambda name: work[name] / cost(name))
        grown = min(2 * lanes[slowest], most[slowest])
        extra = (grown - lanes[slowest]) * events.get(slowest, 1)
        if slowest not in free or extra == 0 or sum(map(cost, work)) + extra > budget:
            return
        lanes[slowest] = grown


def _spatial(shape: Shape) -> tuple[int, int, int]:
    """Return (channels, height, width), 1 by 1 for a fully connected layer."""
    if len(shape) == 1:
        return (shape[0], 1, 1)
    channels, height, width = shape
    return (channels, height, width)
