"""Connections: the way of each from its source into its engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.planning.layout import kernel_of, windows_of
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.planning.synapses import convolution
from spikeloom.hw.planning.windows import WindowPlan, last_places
from spikeloom.sw.network import (
    INPUT,
    Connection,
    Layer,
    MaxPool,
    Network,
    Pool,
    Range,
    source_steps,
)
from spikeloom.sw.network.record import IntArray


@dataclass(frozen=True)
class AlignmentPlan:
    """The way from the timesteps that a source sends to those that a connection carries.

    Parameters
    ----------
    source, target : StreamPlan
        The streams that go in and come out; they differ only in their values and timesteps.
    summed : bool
        If true, all timesteps of a transfer are added up, which turns spikes into counts. If false,
        timesteps past the target's last one are left out (``truncate`` transport).
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
        The contract's pool.
    source, target : StreamPlan
        The streams that go in and come out.
    fast : bool
        Whether it takes a transfer in each clock cycle, rather than in every other. Only windows
        that lie side by side can be combined as fast.
    """

    pool: Pool
    source: StreamPlan
    target: StreamPlan
    fast: bool = False

    @property
    def tiled(self) -> bool:
        """Whether windows lie side by side."""
        return not isinstance(self.pool, MaxPool) or self.pool.tiled

    @property
    def cycles(self) -> int:
        """Clock cycles for each transfer, which is taken in the last of them."""
        return 1 if self.fast else 2

    @property
    def signature(self) -> wiring.Signature:
        """Signature of the pool's component: a :class:`~spikeloom.hw.engine.pool.PoolUnit`."""
        return wiring.Signature(
            {"i": In(self.source.signature), "o": Out(self.target.signature), "busy": Out(1)}
        )

    @property
    def ends(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The last row of each row of windows, and the last column of each column of them.

        Of the windows at the bottom and on the right, these may lie behind the source.
        """
        pool, target = self.pool, self.target
        shape = (target.height, target.width)
        return last_places(pool.size, pool.stride, pool.padding, shape)

    @property
    def extent(self) -> tuple[int, int]:
        """Number of rows and columns: those of the source, and those behind it with windows."""
        rows, columns = self.ends
        return (max(self.source.height, rows[-1] + 1), max(self.source.width, columns[-1] + 1))

    @property
    def completed_rows(self) -> tuple[int, ...]:
        """Number of the target's rows that each row of the source completes."""
        found = [0] * self.source.height
        for end in self.ends[0]:
            found[min(end, self.source.height - 1)] += 1
        return tuple(found)


@dataclass(frozen=True)
class ConnectionPlan:
    """One connection's way into its engine.

    Parameters
    ----------
    connection : Connection
        The contract's connection.
    source : StreamPlan
        The stream that the source sends.
    alignment : AlignmentPlan or None
        The alignment of its timesteps; None if it carries them as they are.
    pool : PoolPlan or None
        The pool that follows; None without one.
    windows : WindowPlan
        The buffer that follows, and the windows that are read from it.
    target : StreamPlan
        The stream that the layer sends.
    first : int
        Address of its first weights in each bank.
    feedback : bool
        Whether the source is the layer itself. Each of its timesteps is then stored, and read, as
        an image of its own.
    """

    connection: Connection
    source: StreamPlan
    alignment: AlignmentPlan | None
    pool: PoolPlan | None
    windows: WindowPlan
    target: StreamPlan
    first: int = 0
    feedback: bool = False

    @property
    def steps(self) -> tuple[int, ...]:
        """The timestep to read of the values that it carries, for each window of a place.

        Those are values as the golden model has them: of the layer itself, all timesteps.
        """
        return tuple(range(self.target.steps)) if self.feedback else self.windows.steps

    def carried(self, sent: IntArray) -> IntArray:
        """Return the values that it carries, by timestep, of those that its source sends.

        Parameters
        ----------
        sent : array of int64, shape (steps, ...)
        """
        if not self.feedback:
            return sent
        return np.concatenate([np.zeros_like(sent[:1]), sent[:-1]])

    @cached_property
    def kernel(self) -> IntArray:
        """Weights, in the order in which the values of a position are read.

        They are 0 for channels that only fill up lanes, and for those of other convolution groups
        in the same words. An array of int64, of shape (stored outputs, kernel height, kernel width,
        values).
        """
        kernel = kernel_of(self.connection.synapses, self.windows, self.target)
        kernel.flags.writeable = False
        return kernel

    @property
    def stream(self) -> StreamPlan:
        """The stream that is stored, after alignment and pool."""
        return self.windows.buffer.stream

    @property
    def completed_rows(self) -> tuple[int, ...]:
        """Number of the buffer's rows that each row of the source completes."""
        return self.pool.completed_rows if self.pool else (1,) * self.source.height

    @property
    def weights(self) -> Range:
        """Range of the weights, 0 included."""
        return self.connection.synapses.weights

    @cached_property
    def single(self) -> bool:
        """Whether each value meets the weight of a single output channel, or of none.

        So it is in depthwise convolutions and identities, and in a convolution that stands for the
        shortcut of a residual network into more channels: all other weights are 0.
        """
        conv = convolution(self.connection.synapses, self.stream)
        met = conv.weight.reshape(conv.groups, -1, *conv.weight.shape[1:])
        return bool((np.count_nonzero(met, axis=1) <= 1).all())

    @cached_property
    def used_bits(self) -> IntArray:
        """The bits that some weight of each output channel has set, of those in two's complement.

        They are 0 for channels that only fill up lanes. An array of int64, of shape (stored
        outputs,).
        """
        weight = convolution(self.connection.synapses, self.stream).weight
        used = np.zeros(self.target.stored_channels, np.int64)
        used[: len(weight)] = np.bitwise_or.reduce(weight.reshape(len(weight), -1), axis=1)
        return used

    def depth(self, lanes: int) -> int:
        """Return the number of words that the weights take in each bank, with M lanes."""
        return self.target.stored_channels // lanes * self.windows.kernel[0] * self.windows.span

    def bank(self, index: int, lanes: int) -> IntArray:
        """Return the words of one of the E weight banks: M weights each, shape (words, M)."""
        windows = self.windows
        outs, height, width, values = self.kernel.shape
        rows = self.kernel.reshape(outs // lanes, lanes, height, width * values)
        padded = np.zeros((*rows.shape[:3], windows.span * windows.events), np.int64)
        padded[..., : width * values] = rows
        mine = padded[..., index :: windows.events]
        return mine.transpose(0, 2, 3, 1).reshape(-1, lanes)


def connection_plan(
    network: Network,
    layer: Layer,
    connection: Connection,
    source: StreamPlan,
    target: StreamPlan,
    events: int,
    slots: int,
) -> ConnectionPlan:
    """Return the plan of one connection, with a buffer for the rows that one line needs.

    Parameters
    ----------
    network : Network
    layer : Layer
    connection : Connection
        One of the layer's connections.
    source : StreamPlan
        The stream that its source sends; of the layer itself, ``target``.
    target : StreamPlan
        The stream that the layer sends.
    events : int
        E, the number of weight banks.
    slots : int
        Number of values in a word for each bank, if the source has as many.

    Raises
    ------
    UnsupportedError
        If the hardware has no such synapses.
    ConfigError
        If E does not fit the channels of the source.
    """
    if layer.recurs(connection):
        own = replace(target, steps=1)
        windows = windows_of(connection.synapses, own, target, events, slots)
        # A timestep can be stored as soon as the one before has been read.
        windows = replace(windows, buffer=replace(windows.buffer, rows=2))
        return ConnectionPlan(connection, own, None, None, windows, target, feedback=True)
    alignment = _alignment(network, layer, connection, source)
    arriving = alignment.target if alignment else source
    pool = _pool(connection, arriving)
    stream = pool.target if pool else arriving
    windows = windows_of(connection.synapses, stream, target, events, slots)
    steps = _steps(network, layer, connection)
    windows = replace(windows, steps=steps)
    rows = max(line.need for line in windows.lines)
    windows = replace(windows, buffer=replace(windows.buffer, rows=rows))
    return ConnectionPlan(connection, source, alignment, pool, windows, target)


def spare_rows(plan: ConnectionPlan) -> int:
    """Return how many more rows the source needs to be able to write while a line is read.

    They are as many as a line releases. The last line of an image releases all rows that are left
    at once, and the next image's first line needs several: a layer, which takes long for a row, has
    room to send them before. The input sends a row so fast that this would not pay.
    """
    released = convolution(plan.connection.synapses, plan.stream).spare_rows
    if plan.connection.source == INPUT:
        return released
    return max(released, plan.windows.lines[0].need)


def _steps(network: Network, layer: Layer, connection: Connection) -> tuple[int, ...]:
    """Return the stored timestep to read, for each timestep in which a window is read."""
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
    """Return the plan of a connection's alignment; None if it carries the source's timesteps."""
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
    """Return the plan of a connection's pool; None if it has none."""
    if connection.pool is None:
        return None
    shape = (source.channels, source.height, source.width)
    channels, height, width = connection.pool.shape(shape)
    values = connection.pool.values(source.values)
    target = replace(source, values=values, channels=channels, height=height, width=width)
    return PoolPlan(connection.pool, source, target)


def value_range(readers: tuple[ConnectionPlan, ...]) -> Range:
    """Return the range of the values of all connections."""
    values = readers[0].stream.values
    for reader in readers[1:]:
        values = values | reader.stream.values
    return values
