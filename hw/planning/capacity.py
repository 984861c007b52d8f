"""Capacities: how many rows each buffer must hold so that a network with branches never deadlocks.

Where two paths from one layer meet again, as in a residual block, the buffer at the end of the
shorter one must hold all rows until the longer one delivers. How many these are follows from the
windows alone: rows arrive, and lines of windows read and release them, whatever the values are.
This is a Kahn process network: whether it halts does not depend on the speed of its parts, so that
one simulated order of events stands for all.

Every buffer begins with the rows that a single line needs. Whenever the whole network halts, there
is a circle of layers that wait for one another, and the smallest of the full buffers in it gets one
more row (Parks, "Bounded Scheduling of Process Networks", 1995). The simulation ends once its whole
state repeats, since nothing new can happen from there on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from spikeloom.hw.planning.windows import Line


@dataclass(eq=False)
class RowReader:
    """A buffer between two layers, in rows.

    Parameters
    ----------
    source : str
        Name of the layer that fills it.
    lines : sequence of Line
        The rows that each line of its reader's windows needs and releases.
    completes : sequence of int
        Number of rows of the buffer that each row of the source completes: 1 without a pool. Those
        of an overlapping pool are often more at the bottom, where all windows end.
    size : int
        Cost of one row, in bits.
    capacity : int
        Number of rows that fit.

    Attributes
    ----------
    held : int
        Number of rows that it holds.
    row : int
        Index of the source's next row.
    """

    source: str
    lines: Sequence[Line]
    completes: Sequence[int]
    size: int
    capacity: int
    held: int = 0
    row: int = 0

    @property
    def full(self) -> bool:
        """Whether there is no room for the rows that the source's next row completes."""
        coming = self.completes[self.row]
        return coming > 0 and self.held + coming > self.capacity

    def take(self) -> None:
        """Take the source's next row."""
        self.held += self.completes[self.row]
        self.row = (self.row + 1) % len(self.completes)


@dataclass(eq=False)
class RowLayer:
    """A layer, which makes one row out of each line of windows.

    Parameters
    ----------
    name : str
    height : int
        Number of its rows.
    readers : sequence of RowReader
        The buffers that it reads; the input has none.
    line : int
        Index of its next row.
    targets : list of RowReader
        The buffers that it fills; :func:`grow` sets them.
    """

    name: str
    height: int
    readers: Sequence[RowReader] = ()
    line: int = 0
    targets: list[RowReader] = field(default_factory=list)

    @property
    def supplied(self) -> bool:
        """Whether all rows that the next line needs are there."""
        return all(r.held >= r.lines[self.line].need for r in self.readers)

    def run(self) -> None:
        """Make the next row."""
        for reader in self.readers:
            reader.held -= reader.lines[self.line].release
        for target in self.targets:
            target.take()
        self.line = (self.line + 1) % self.height


def grow(layers: Sequence[RowLayer]) -> None:
    """Raise the capacities of the layers' readers until the network never halts.

    Parameters
    ----------
    layers : sequence of RowLayer
        In the order of evaluation: the input first, the output layer last.
    """
    readers = [reader for layer in layers for reader in layer.readers]
    for layer in layers:
        layer.targets = [reader for reader in readers if reader.source == layer.name]
    seen: set[tuple[int, ...]] = set()
    while True:
        ran = False
        for layer in layers:
            if layer.supplied and not any(target.full for target in layer.targets):
                layer.run()
                ran = True
        if not ran:
            min(_circle(layers), key=lambda reader: reader.size).capacity += 1
            seen.clear()
        state = (*(x.line for x in layers), *(n for r in readers for n in (r.held, r.row)))
        if ran and state in seen:
            return
        seen.add(state)


def _circle(layers: Sequence[RowLayer]) -> list[RowReader]:
    """Return the full buffers in a circle of layers, each of which waits for the next."""
    owners = {id(reader): layer for layer in layers for reader in layer.readers}
    names = {layer.name: layer for layer in layers}
    path: list[RowLayer] = []
    full: list[RowReader | None] = []
    layer = layers[-1]
    while layer not in path:
        path.append(layer)
        lacking = [r for r in layer.readers if r.held < r.lines[layer.line].need]
        if lacking:
            full.append(None)
            layer = names[lacking[0].source]
        else:
            blocking = next(target for target in layer.targets if target.full)
            full.append(blocking)
            layer = owners[id(blocking)]
    return [reader for reader in full[path.index(layer) :] if reader is not None]
