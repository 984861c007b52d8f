"""Sinks: the cycles in which transfers are taken by buffers, aligners, pools and the output."""

from __future__ import annotations

from typing import Protocol

from spikeloom.hw.engine.alignment import Aligner
from spikeloom.hw.engine.buffer import RowBuffer
from spikeloom.hw.engine.pool import PoolUnit
from spikeloom.hw.planning.connection import AlignmentPlan, ConnectionPlan, PoolPlan
from spikeloom.hw.planning.streams import StreamPlan


class Sink(Protocol):
    """A component that takes transfers."""

    def take(self, offered: int) -> int:
        """Return the clock cycle in which the next transfer is taken.

        Parameters
        ----------
        offered : int
            First clock cycle in which it is offered.
        """


class Target(Protocol):
    """A component that takes the rows of a layer.

    Attributes
    ----------
    inlet : Sink
        The sink that the layer sends to.
    """

    inlet: Sink

    @property
    def known(self) -> bool:
        """Whether it is known when there is a place for what the source's next row completes."""

    def next_row(self) -> None:
        """Note that the source has sent a row."""


class Buffer:
    """A ring of rows; see :class:`~spikeloom.hw.engine.buffer.RowBuffer`.

    Parameters
    ----------
    plan : ConnectionPlan

    Attributes
    ----------
    inlet : Sink
        The sink that the source sends to: the buffer, or the pool or aligner ahead of it.
    arrivals : list of int
        Clock cycle in which the last transfer of each row was taken.
    releases : list of int
        Clock cycle in which each row was released.
    """

    def __init__(self, plan: ConnectionPlan) -> None:
        buffer = plan.windows.buffer
        stream = buffer.stream
        self.capacity = buffer.capacity
        self.arrivals: list[int] = []
        self.releases: list[int] = []
        self._size = stream.width * stream.lane_groups * stream.steps
        self._left = self._size
        self._completes, self._row = plan.completed_rows, 0
        self.inlet: Sink = aligned(plan, _Pool(plan.pool, self) if plan.pool else self)

    @property
    def known(self) -> bool:
        """Whether it is known when there is a place for what the source's next row completes."""
        coming = self._completes[self._row]
        row = len(self.arrivals) + coming - 1 - self.capacity
        return not coming or row < len(self.releases)

    def next_row(self) -> None:
        """Note that the source has sent a row."""
        self._row = (self._row + 1) % len(self._completes)

    def take(self, offered: int) -> int:
        row = len(self.arrivals) - self.capacity
        taken = max(offered, self.releases[row] + RowBuffer.LATENCY) if row >= 0 else offered
        self._left -= 1
        if not self._left:
            self._left = self._size
            self.arrivals.append(taken)
        return taken


class _Pool:
    """Takes one or two cycles for a transfer; see :class:`~spikeloom.hw.engine.pool.PoolUnit`."""

    def __init__(self, plan: PoolPlan, below: Sink) -> None:
        source = plan.source
        self._below = below
        self._cycles = plan.cycles
        self._inner = source.lane_groups * source.steps
        rows, columns = (set(ends) for ends in plan.ends)
        places = [(y, x) for y in range(plan.extent[0]) for x in range(plan.extent[1])]
        #: By position: whether a window ends there, and whether it is one of the source.
        self._emits = [y in rows and x in columns for y, x in places]
        self._given = [y < source.height and x < source.width for y, x in places]
        self._count = 0
        #: First cycle in which the unit looks up the next position's windows.
        self._free = 0
        self._passed = 0

    def take(self, offered: int) -> int:
        taken = self._step(offered)
        # Positions behind the source follow without a transfer.
        while not self._given[self._count // self._inner]:
            self._step(0)
        return taken

    def _step(self, offered: int) -> int:
        """Return the cycle in which the transfer of the next position is combined."""
        taken = max(offered, self._free) + self._cycles - 1
        if self._emits[self._count // self._inner]:
            taken = max(taken, self._passed)
            self._passed = self._below.take(taken + PoolUnit.LATENCY)
        self._count = (self._count + 1) % (self._inner * len(self._emits))
        self._free = taken + 1
        return taken


class _Sum:
    """Adds up timesteps; see :class:`~spikeloom.hw.engine.alignment.Aligner`."""

    def __init__(self, plan: AlignmentPlan, below: Sink) -> None:
        self._steps = plan.source.steps
        self._below = below
        self._step = 0
        self._passed = 0

    def take(self, offered: int) -> int:
        taken = max(offered, self._passed)
        self._step += 1
        if self._step == self._steps:
            self._step = 0
            self._passed = self._below.take(taken + Aligner.SUM_LATENCY)
        return taken


class _Truncation:
    """Passes on the first timesteps; see :class:`~spikeloom.hw.engine.alignment.Aligner`."""

    def __init__(self, plan: AlignmentPlan, below: Sink) -> None:
        self._steps, self._used = plan.source.steps, plan.target.steps
        self._below = below
        self._step = 0

    def take(self, offered: int) -> int:
        used = self._step < self._used
        self._step = (self._step + 1) % self._steps
        return self._below.take(offered) if used else offered


def aligned(plan: ConnectionPlan, below: Sink) -> Sink:
    """Return a connection's aligner, which sends to a sink; that sink itself without one."""
    if plan.alignment is None:
        return below
    return (_Sum if plan.alignment.summed else _Truncation)(plan.alignment, below)


class Output:
    """Sends one lane per clock cycle; see :class:`~spikeloom.hw.accelerator.Serializer`.

    Parameters
    ----------
    plan : StreamPlan
        The stream of logits that it takes.
    """

    def __init__(self, plan: StreamPlan) -> None:
        last = plan.channels - (plan.lane_groups - 1) * plan.lanes
        self._lanes = [plan.lanes] * (plan.lane_groups - 1) + [last]
        self._group = 0

    def take(self, offered: int) -> int:
        lanes = self._lanes[self._group]
        self._group = (self._group + 1) % len(self._lanes)
        return offered + lanes - 1
