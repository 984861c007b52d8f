"""Waits: an estimate of the interval between images that sees how engines wait for rows.

The cycles of each line of windows are those of :mod:`~spikeloom.hw.search.load`. Here engines hand
on whole rows, where :mod:`spikeloom.hw.prediction` follows single words: that takes a thousandth of
the time, and is near enough to compare states by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spikeloom.hw.planning import Plan
from spikeloom.hw.planning.windows import Line
from spikeloom.sw.network import INPUT

#: Of a layer, the cycles of each line of windows, by image.
Lines = Sequence[Sequence[float]]


@dataclass(frozen=True)
class _Edge:
    """The buffer of a connection: the rows of its source, and when they come and go."""

    lines: Sequence[Line]
    completes: Sequence[int]
    capacity: int
    arrivals: list[float] = field(default_factory=list)
    releases: list[float] = field(default_factory=list)

    def place(self, row: int) -> int:
        """Return the index of the last row to be released ahead of a row; negative if none is."""
        coming = self.completes[row]
        return len(self.arrivals) + coming - 1 - self.capacity if coming else -1


class _Node:
    """A layer, or the input, which makes a row out of each line of windows."""

    def __init__(self, lines: Lines, inward: Sequence[_Edge]) -> None:
        self._lines, self._inward = lines, inward
        self.outward: list[_Edge] = []
        self._consumed = [0] * len(inward)
        self._row = 0
        self._end = 0.0
        self.ends: list[float] = []

    @property
    def runnable(self) -> bool:
        """Whether everything that the next line depends on is known."""
        row = self._row
        return (
            len(self.ends) < len(self._lines)
            and all(
                len(edge.arrivals) >= consumed + edge.lines[row].need
                for edge, consumed in zip(self._inward, self._consumed, strict=True)
            )
            and all(edge.place(row) < len(edge.releases) for edge in self.outward)
        )

    def run(self) -> None:
        """Make the next row."""
        row, begin = self._row, self._end
        for edge, consumed in zip(self._inward, self._consumed, strict=True):
            begin = max(begin, edge.arrivals[consumed + edge.lines[row].need - 1])
        for edge in self.outward:
            place = edge.place(row)
            if place >= 0:
                begin = max(begin, edge.releases[place])
        cycles = self._lines[len(self.ends)]
        self._end = end = begin + cycles[row]
        for index, edge in enumerate(self._inward):
            released = edge.lines[row].release
            edge.releases.extend([end] * released)
            self._consumed[index] += released
        for edge in self.outward:
            edge.arrivals.extend([end] * edge.completes[row])
        self._row += 1
        if self._row == len(cycles):
            self._row = 0
            self.ends.append(end)


class Waits:
    """The estimate for all plans of a network: lanes do not change which rows wait for which.

    Parameters
    ----------
    smallest : Plan
        Any plan of the network.
    """

    def __init__(self, smallest: Plan) -> None:
        self._plan = smallest
        inputs = smallest.input
        self._row = inputs.transfers / inputs.height
        #: Of each layer, the source and the buffer of each connection.
        self._readers = {
            planned.layer.name: [
                (
                    reader.connection.source,
                    reader.windows.lines,
                    reader.completed_rows,
                    reader.windows.buffer.capacity,
                )
                for reader in planned.readers
                if not reader.feedback
            ]
            for planned in smallest.layers
        }

    def interval(self, lines: Mapping[str, Lines]) -> float:
        """Return the estimated clock cycles from image to image.

        Parameters
        ----------
        lines : mapping of str to sequence of sequence of float
            For each layer, the cycles of each line by image. The first image comes again.
        """
        images = len(next(iter(lines.values())))
        source = _Node([[self._row] * self._plan.input.height] * (images + 1), [])
        nodes = {INPUT: source}
        for name, readers in self._readers.items():
            edges = [_Edge(*reader[1:]) for reader in readers]
            nodes[name] = _Node([*lines[name], lines[name][0]], edges)
            for reader, edge in zip(readers, edges, strict=True):
                nodes[reader[0]].outward.append(edge)
        last = nodes[self._plan.layers[-1].layer.name]
        while len(last.ends) <= images:
            for node in nodes.values():
                while node.runnable:
                    node.run()
        return (last.ends[-1] - last.ends[0]) / images
