"""One connection of a layer: what of its source is kept, in which order it is read, its weights.

A dense connection reads whole positions, so that the part of a row under a kernel is contiguous. A
grouped convolution (a depthwise one, or a residual identity, which is a depthwise one of a single
weight) reads for each group of M output channels only the words that hold their source channels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spikeloom.hw.planning.config import MOST_WORD_VALUES
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.planning.synapses import convolution
from spikeloom.hw.planning.windows import BufferPlan, Share, WindowPlan
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import (
    Connection,
    Layer,
    Network,
    Pool,
    Range,
    Synapses,
    source_steps,
)
from spikeloom.sw.network.record import IntArray


@dataclass(frozen=True)
class AlignmentPlan:
    """What a connection carries of a source that sends its spikes.

    Parameters
    ----------
    source, target : StreamPlan
        What goes in and what comes out; they differ in their values and timesteps alone.
    summed : bool
        Whether a transfer's timesteps are summed, which makes counts of spikes, rather than those
        past the target's left out, which truncates.
    """

    source: StreamPlan
    target: StreamPlan
    summed: bool


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
class ConnectionPlan:
    """One connection's way into its engine.

    Parameters
    ----------
    connection : Connection
    source : StreamPlan
        What the source sends.
    alignment : AlignmentPlan or None
        What becomes of its timesteps.
    pool : PoolPlan or None
        What it passes through then.
    windows : WindowPlan
        The walk over what is kept.
    kernel : array of int64, shape (stored outputs, kernel height, kernel width, values)
        Weights in the order in which a position's values are read, 0 for channels that only fill
        up lanes or that other groups' words bring along.
    first : int
        Address of its first weight in each bank.
    """

    connection: Connection
    source: StreamPlan
    alignment: AlignmentPlan | None
    pool: PoolPlan | None
    windows: WindowPlan
    kernel: IntArray
    first: int = 0

    @property
    def stream(self) -> StreamPlan:
        """What is kept, after alignment and pool."""
        return self.windows.buffer.stream

    def bank(self, event: int, lanes: int) -> list[list[int]]:
        """Return the weight words of one bank: M weights each, in the order of their address."""
        windows = self.windows
        outs, height, width, values = self.kernel.shape
        rows = self.kernel.reshape(outs // lanes, lanes, height, width * values)
        padded = np.zeros((*rows.shape[:3], windows.span * windows.events), np.int64)
        padded[..., : width * values] = rows
        mine = padded[..., event :: windows.events]
        words: list[list[int]] = mine.transpose(0, 2, 3, 1).reshape(-1, lanes).tolist()
        return words


def connection_plan(
    network: Network,
    layer: Layer,
    connection: Connection,
    source: StreamPlan,
    target: StreamPlan,
    events: int,
    slots: int,
) -> ConnectionPlan:
    """Return the plan of one connection, with a buffer of the rows that one line needs.

    Parameters
    ----------
    network : Network
    layer : Layer
    connection : Connection
        Of that layer.
    source : StreamPlan
        What its source sends.
    target : StreamPlan
        What the layer sends.
    events : int
        E.
    slots : int
        Values of a word for each of the E banks, if there are as many.

    Raises
    ------
    UnsupportedError
        If the hardware has no such synapses.
    ConfigError
        If E does not fit them.
    """
    alignment = _alignment(network, layer, connection, source)
    arriving = alignment.target if alignment else source
    pool = _pool(connection, arriving)
    stream = pool.target if pool else arriving
    windows, kernel = _windows(connection.synapses, stream, target, events, slots)
    steps = _steps(network, layer, connection)
    windows = replace(windows, steps=steps)
    capacity = max(line.need for line in windows.lines)
    windows = replace(windows, buffer=replace(windows.buffer, capacity=capacity))
    kernel.flags.writeable = False
    return ConnectionPlan(connection, source, alignment, pool, windows, kernel)


def spare_rows(plan: ConnectionPlan) -> int:
    """Return how many rows more let the source write while a line's are read."""
    return convolution(plan.connection.synapses, plan.stream).spare_rows


def _steps(network: Network, layer: Layer, connection: Connection) -> tuple[int, ...]:
    """Return the timestep of what is kept that is read at each step of a window."""
    if layer.constant:
        return (0,)
    if connection.constant:
        return (0,) * layer.timesteps
    steps = network.steps_of(connection.source)
    assert steps is not None, "the contract allows a constant input counts only"
    return source_steps(connection.transport, steps, layer.timesteps)


def _alignment(
    network: Network, layer: Layer, connection: Connection, source: StreamPlan
) -> AlignmentPlan | None:
    steps = network.steps_of(connection.source)
    if connection.constant:
        total = network.total_of(connection.source)
        if source.steps == 1 and source.values == total:
            return None
        return AlignmentPlan(source, replace(source, steps=1, values=total), summed=True)
    if steps is None or steps <= layer.timesteps:
        return None
    return AlignmentPlan(source, replace(source, steps=layer.timesteps), summed=False)


def _pool(connection: Connection, source: StreamPlan) -> PoolPlan | None:
    if connection.pool is None:
        return None
    shape = (source.channels, source.height, source.width)
    channels, height, width = connection.pool.shape(shape)
    values = connection.pool.values(source.values)
    target = replace(source, values=values, channels=channels, height=height, width=width)
    return PoolPlan(connection.pool, source, target)


def _windows(
    synapses: Synapses, source: StreamPlan, target: StreamPlan, events: int, slots: int
) -> tuple[WindowPlan, IntArray]:
    """Return the windows of a connection, and its weights in the order of their walk."""
    shape = (target.height, target.width)
    conv = convolution(synapses, source)
    weight, groups = conv.weight, conv.groups
    kernel, stride, padding = conv.kernel, conv.stride, conv.padding
    dense = np.zeros((target.stored_channels, source.stored_channels, *kernel), np.int64)
    outs, ins = len(weight) // groups, weight.shape[1]
    for group in range(groups):
        # A group's output channels and source channels lie together.
        rows = slice(group * outs, (group + 1) * outs)
        dense[rows, group * ins : (group + 1) * ins] = weight[rows]
    if groups == 1:
        buffer = BufferPlan(source, _chunks(source, events, slots), capacity=1)
        windows = WindowPlan(buffer, kernel, stride, padding, shape, events)
        return windows, np.ascontiguousarray(dense.transpose(0, 2, 3, 1))
    buffer = BufferPlan(source, _grouped_chunks(source, ins, events), capacity=1)
    share = _share(buffer, target, outs, ins)
    windows = WindowPlan(buffer, kernel, stride, padding, shape, events, share=share)
    size = buffer.word_values
    stored = np.zeros((target.stored_channels, *kernel, share.words * size), np.int64)
    for group, first in enumerate(share.firsts):
        rows = slice(group * target.lanes, (group + 1) * target.lanes)
        kept = dense[rows, first * size : (first + share.words) * size]
        stored[rows] = kept.transpose(0, 2, 3, 1)
    return windows, stored


def _chunks(source: StreamPlan, events: int, slots: int) -> int:
    """Return how many transfers to put into a word.

    Enough that each bank gets its slots, a multiple of E, and, where that leaves a
    choice, so that a position's channels fill whole words and nothing has to be masked.
    """
    goal = min(slots * events, MOST_WORD_VALUES, source.row_values)
    most = max(MOST_WORD_VALUES, source.lanes * events)
    sizes = [n for n in range(source.lanes, most + 1, source.lanes) if n % events == 0]
    aligned = [n for n in sizes if source.stored_channels % n == 0 and 2 * n >= goal]
    size = (
        min((n for n in aligned if n >= goal), default=0)
        or max(aligned, default=0)
        or min((n for n in sizes if n >= goal), default=sizes[-1])
    )
    return size // source.lanes


def _grouped_chunks(source: StreamPlan, channels: int, events: int) -> int:
    """Return how many transfers to put into a word that lies within one position.

    As few values as a group of the convolution has, or as E needs: what a word holds besides is
    read for nothing.
    """
    sizes = [
        n
        for n in range(source.lanes, source.stored_channels + 1, source.lanes)
        if source.stored_channels % n == 0 and n % events == 0
    ]
    if not sizes:
        raise ConfigError(
            f"events = {events} must divide the {source.stored_channels} stored channels of its "
            f"source (the channels, filled up to a multiple of the source's lanes): choose 1 or "
            f"another divisor, or give events by layer"
        )
    goal = min(channels, MOST_WORD_VALUES)
    return min((n for n in sizes if n >= goal), default=sizes[-1]) // source.lanes


def _share(buffer: BufferPlan, target: StreamPlan, outs: int, ins: int) -> Share:
    """Return which words of a position each group of M output channels reads."""
    size = buffer.word_values
    position = buffer.stream.stored_channels // size
    spans = []
    for group in range(target.groups):
        channels = range(group * target.lanes, min((group + 1) * target.lanes, target.channels))
        low, high = channels[0] // outs * ins, (channels[-1] // outs + 1) * ins
        spans.append((low // size, (high - 1) // size))
    words = max(last - first + 1 for first, last in spans)
    firsts = tuple(min(first, position - words) for first, _ in spans)
    return Share(words, position, firsts)


def value_range(readers: tuple[ConnectionPlan, ...]) -> Range:
    """Return the range of the values of all connections."""
    values = readers[0].stream.values
    for reader in readers[1:]:
        values = values | reader.stream.values
    return values
