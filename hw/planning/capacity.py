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

    def lacks(self, line: int) -> bool:
        """Return whether it waits for rows that a line of windows needs."""
        return self.held < self.lines[line].need

    def take(self) -> None:
        """Take the source's next row."""
        self.held += self.completes[self.row]
        self.row = (self.row + 1) % len(self.completes)

    def release(self, line: int) -> None:
        """Release the rows that a line of windows needs no longer."""
        self.held -= self.lines[line].release


@dataclass(eq=False)
class PassingReader:
    """The way into an unrolled layer, which takes a row only while it makes its line of windows.

    So its source goes on only if there is room behind the layer. It has rows of a kernel, but none
    in which a row could wait.

    Parameters
    ----------
    source : str
        Name of the layer that fills it.
    ends : sequence of int
        The last row under each line of windows; those behind the source are padding.
    height : int
        Number of the source's rows.

    Attributes
    ----------
    owner : RowLayer
        The layer that reads it; :func:`grow` sets it.
    held : int
        Number of lines that end behind the source and have not been made.
    row : int
        Index of the source's next row.
    """

    source: str
    ends: Sequence[int]
    height: int
    owner: RowLayer = field(init=False)
    held: int = 0
    row: int = 0

    @property
    def full(self) -> bool:
        """Whether the source's next row has to wait for lines that cannot be made."""
        blocked = self.row in self.ends and any(target.full for target in self.owner.targets)
        return self.held > 0 or blocked

    def lacks(self, line: int) -> bool:
        """Return whether it waits for a row of its source."""
        return not self.full

    def take(self) -> None:
        """Take the source's next row, and make the line that ends there."""
        if self.row in self.ends:
            self.held = 1
            self.owner.run()
        self.row += 1
        if self.row == self.height:
            self.row = 0
            self.held = sum(end >= self.height for end in self.ends)

    def release(self, line: int) -> None:
        """Note that a line of windows has been made."""
        self.held -= 1


#: The way from a layer's rows into another layer.
Reader = RowReader | PassingReader


@dataclass(eq=False)
class RowLayer:
    """A layer, which makes one row out of each line of windows.

    Parameters
    ----------
    name : str
    height : int
        Number of its rows.
    readers : sequence of Reader
        The buffers that it reads; the input has none.
    line : int
        Index of its next row.
    targets : list of Reader
        The buffers that it fills; :func:`grow` sets them.
    """

    name: str
    height: int
    readers: Sequence[Reader] = ()
    line: int = 0
    targets: list[Reader] = field(default_factory=list)

    @property
    def supplied(self) -> bool:
        """Whether all rows that the next line needs are there."""
        return not any(reader.lacks(self.line) for reader in self.readers)

    def run(self) -> None:
        """Make the next row."""
        for reader in self.readers:
            reader.release(self.line)
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
        for reader in layer.readers:
            if isinstance(reader, PassingReader):
                reader.owner = layer
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
    full: list[Reader | None] = []
    layer = layers[-1]
    while layer not in path:
        path.append(layer)
        lacking = [reader for reader in layer.readers if reader.lacks(layer.line)]
        if lacking:
            full.append(None)
            layer = names[lacking[0].source]
        else:
            blocking = next(target for target in layer.targets if target.full)
            full.append(blocking)
            layer = owners[id(blocking)]
    return [reader for reader in full[path.index(layer) :] if isinstance(reader, RowReader)]
