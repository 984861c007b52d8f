"""Lines: anything that carries bytes between a host and a device, reliably or not."""

from __future__ import annotations

from threading import Condition
from typing import Protocol


class Line(Protocol):
    """A line to a device. It carries bytes both ways, and may lose, change, repeat or add some."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have arrived; wait up to ``timeout`` seconds for the first.

        Returns
        -------
        bytes
            Empty if none arrived in time.
        """

    def close(self) -> None:
        """Release the port or file behind the line."""


class _Pipe:
    """Bytes on their way in one direction."""

    def __init__(self) -> None:
        self.arrived = Condition()
        self.data = bytearray()


class MemoryLine:
    """One end of a line in memory. Each end may be used by a thread of its own."""

    def __init__(self, outward: _Pipe, inward: _Pipe) -> None:
        self._outward, self._inward = outward, inward

    def write(self, data: bytes) -> None:
        with self._outward.arrived:
            self._outward.data += data
            self._outward.arrived.notify()

    def read(self, timeout: float) -> bytes:
        with self._inward.arrived:
            self._inward.arrived.wait_for(lambda: bool(self._inward.data), timeout)
            data = bytes(self._inward.data)
            self._inward.data.clear()
            return data

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def pair() -> tuple[MemoryLine, MemoryLine]:
    """Return the two ends of a line in memory: bytes written to one are read from the other."""
    there, back = _Pipe(), _Pipe()
    return MemoryLine(there, back), MemoryLine(back, there)
