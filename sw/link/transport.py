"""What a link runs on: anything that carries bytes both ways, however badly."""

from __future__ import annotations

from threading import Condition
from typing import Protocol


class Transport(Protocol):
    """Carries bytes to a device and back; it may lose, change, repeat or add some."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have come; wait up to ``timeout`` seconds for the first.

        Returns
        -------
        bytes
            Empty if nothing came in time.
        """

    def close(self) -> None:
        """Let go of what it holds."""


class _Pipe:
    """Bytes on their way in one direction."""

    def __init__(self) -> None:
        self.arrived = Condition()
        self.data = bytearray()


class MemoryTransport:
    """One end of a pair in memory; each end may be used by a thread of its own."""

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
        """Do nothing: there is nothing to let go of."""


def pair() -> tuple[MemoryTransport, MemoryTransport]:
    """Return two ends: what is written to one is read from the other."""
    there, back = _Pipe(), _Pipe()
    return MemoryTransport(there, back), MemoryTransport(back, there)
