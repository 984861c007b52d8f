"""The state of a fuzzing process, in a file that another process reads while that one runs.

If the process dies, or its code does not return, the input that it was at is in this file.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import astuple, dataclass
from pathlib import Path

#: Bytes of the longest input.
LONGEST = 1 << 18
_HEAD = struct.Struct("<6Q")


@dataclass
class Counts:
    """Numbers of a target.

    Parameters
    ----------
    executions : int
        That have begun.
    accepted, refused : int
        That ended in success, and in one line.
    kinds : int
        Different messages, apart from values in them.
    failures : int
        That ended otherwise.
    """

    executions: int = 0
    accepted: int = 0
    refused: int = 0
    kinds: int = 0
    failures: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


class Status:
    """The file; the first process creates it, the other one reads it."""

    def __init__(self, path: Path) -> None:
        with open(path, "a+b") as file:
            file.truncate(_HEAD.size + LONGEST)
            self._map = mmap.mmap(file.fileno(), 0)

    def write(self, counts: Counts, data: bytes) -> None:
        """Note the counts, and the input that comes next."""
        self._map[_HEAD.size : _HEAD.size + len(data)] = data
        self._map[: _HEAD.size] = _HEAD.pack(*astuple(counts), len(data))

    def counts(self) -> Counts:
        """Return the counts."""
        return Counts(*_HEAD.unpack_from(self._map)[:5])

    def input(self) -> bytes:
        """Return the input."""
        size = _HEAD.unpack_from(self._map)[5]
        return self._map[_HEAD.size : _HEAD.size + size]
