"""When what a layer sends is taken: buffers, what lies ahead of them, and the output."""

from __future__ import annotations

from typing import Protocol

from spikeloom.hw.planning.connection import AlignmentPlan, ConnectionPlan, PoolPlan
from spikeloom.hw.planning.streams import StreamPlan


class Sink(Protocol):
    """Takes transfers."""

    def take(self, offered: int) -> int:
        """Return the clock cycle in which the next transfer is taken, offered from one on."""


class Buffer:
    """A ring of rows, see :class:`~spikeloom.hw.engine.buffer.RowBuffer`.

    Parameters
    ----------
    plan : ConnectionPlan

    Attributes
    ----------
    arrivals : list of int
        Clock cycle in which each row's last transfer was taken.
    releases : list of int
        Clock cycle in which each row was given back.
    """

    def __init__(self, plan: ConnectionPlan) -> None:
        buffer = plan.windows.buffer
        stream = buffer.stream
        self.capacity = buffer.capacity
        self.arrivals: list[int] = []
        self.releases: list[int] = []
        self._size = stream.width * stream.groups * stream.steps
        self._left = self._size
        source = plan.alignment.target if plan.alignment else plan.source
        # Rows of the source that complete one of the buffer.
        pool = plan.pool.pool.size[0] if plan.pool else 1
        self._height, self._pool, self._row = source.height, pool, 0
        self.inlet: Sink = self
        if plan.pool:
            self.inlet = _Pool(plan.pool, self.inlet)
        if plan.alignment:
            summed = plan.alignment.summed
            self.inlet = (_Sum if summed else _Truncation)(plan.alignment, self.inlet)

    @property
    def known(self) -> bool:
        """Whether it is known when the source's next row finds its place."""
        completes = self._row % self._pool == self._pool - 1
        inside = self._row // self._pool < self._height // self._pool
        row = len(self.arrivals) - self.capacity
        return not (completes and inside) or row < len(self.releases)

    def next_row(self) -> None:
        """Say that the source has sent a row."""
        self._row = (self._row + 1) % self._height

    def take(self, offered: int) -> int:
        row = len(self.arrivals) - self.capacity
        taken = max(offered, self.releases[row] + 1) if row >= 0 else offered
        self._left -= 1
        if not self._left:
            self._left = self._size
            self.arrivals.append(taken)
        return taken


class _Pool:
    """Takes a transfer every other cycle; see :class:`~spikeloom.hw.engine.pool.PoolUnit`."""

    def __init__(self, plan: PoolPlan, below: Sink) -> None:
        source, target = plan.source, plan.target
        self._below = below
        rows, columns = plan.pool.size
        emits = [
            y % rows == rows - 1
            and x % columns == columns - 1
            and y // rows < target.height
            and x // columns < target.width
            for y in range(source.height)
            for x in range(source.width)
        ]
        self._emits = emits
        self._inner = source.groups * source.steps
        self._count = 0
        self._passed = 0

    def take(self, offered: int) -> int:
        taken = offered + 1
        if self._emits[self._count // self._inner]:
            taken = max(taken, self._passed)
            self._passed = self._below.take(taken + 1)
        self._count = (self._count + 1) % (self._inner * len(self._emits))
        return taken


class _Sum:
    """Sums timesteps; see :class:`~spikeloom.hw.engine.alignment.Aligner`."""

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
            self._passed = self._below.take(taken + 1)
        return taken


class _Truncation:
    """Lets the first timesteps through; see :class:`~spikeloom.hw.engine.alignment.Aligner`."""

    def __init__(self, plan: AlignmentPlan, below: Sink) -> None:
        self._steps, self._used = plan.source.steps, plan.target.steps
        self._below = below
        self._step = 0

    def take(self, offered: int) -> int:
        used = self._step < self._used
        self._step = (self._step + 1) % self._steps
        return self._below.take(offered) if used else offered


class Output:
    """Sends a lane in each cycle; see :class:`~spikeloom.hw.accelerator.Serializer`.

    Parameters
    ----------
    plan : StreamPlan
        What is sent.
    """

    def __init__(self, plan: StreamPlan) -> None:
        last = plan.channels - (plan.groups - 1) * plan.lanes
        self._lanes = [plan.lanes] * (plan.groups - 1) + [last]
        self._group = 0

    def take(self, offered: int) -> int:
        lanes = self._lanes[self._group]
        self._group = (self._group + 1) % len(self._lanes)
        return offered + lanes - 1
