"""How many rows each buffer must hold so that a network with branches never comes to a halt.

Where two ways from one layer meet again, as in a residual block, the shorter one must hold what the
longer one still needs. How much that is follows from the windows alone: rows arrive, lines of
windows use and give them back, whatever the values are. That is a Kahn process network, so whether
it halts does not depend on the speed of its parts, and one simulated order of events stands for
all. Buffers begin with what a single line needs; whenever everything halts, the smallest of the
full buffers in a circle of layers that wait for one another gets one more row (Parks, "Bounded
Scheduling of Process Networks", 1995). It is done once the whole state repeats, since from there on
nothing new can happen.
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
        Who fills it.
    lines : sequence of Line
        What each line of its reader's windows needs and gives back.
    height : int
        Rows of the source.
    pool : int
        Rows of the source that make one row of the buffer; those left over are dropped.
    size : int
        What one row costs.
    capacity : int
        Rows that fit.
    """

    source: str
    lines: Sequence[Line]
    height: int
    pool: int
    size: int
    capacity: int
    held: int = 0
    row: int = 0

    @property
    def completes(self) -> bool:
        """Whether the source's next row completes one of the buffer."""
        return self.row % self.pool == self.pool - 1 and self.row // self.pool < (
            self.height // self.pool
        )

    @property
    def full(self) -> bool:
        """Whether the source's next row finds no place."""
        return self.completes and self.held == self.capacity

    def take(self) -> None:
        """Take the source's next row."""
        self.held += self.completes
        self.row = (self.row + 1) % self.height


@dataclass(eq=False)
class RowLayer:
    """A layer, which makes one row of each line of windows; the input has no readers."""

    name: str
    height: int
    readers: Sequence[RowReader] = ()
    line: int = 0
    targets: list[RowReader] = field(default_factory=list)

    @property
    def supplied(self) -> bool:
        """Whether all that the next line needs is there."""
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
        The input first, then in order of evaluation, the output layer last.
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
    """Return the full buffers in a circle of layers each of which waits for the next."""
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
