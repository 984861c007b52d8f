"""Serial ports: a line through one, and a list of those on this computer."""

from __future__ import annotations

import errno
import time
from typing import Any

import serial
from serial.tools import list_ports

from spikeloom.sw.errors import LinkError

#: Longest single wait for bytes to arrive, and longest time for bytes to leave, in seconds.
_STEP, _STALLED = 0.01, 10.0

_DENIED = (
    "you may not use it: join the group that owns it (on most systems dialout: "
    "sudo usermod -aG dialout $USER, then log in again)"
)
_TAKEN = "another program has it open: close that first"


class SerialLine:
    """A line through a serial port.

    Parameters
    ----------
    port : str
        Name of the port (``/dev/ttyUSB0``, ``COM3``) or of a pseudo-terminal, or a URL of pyserial
        such as ``socket://host:port``.
    baud : int
        Rate of the board's UART, Hz.

    Raises
    ------
    LinkError
        If there is no such port, or it cannot be used.
    """

    def __init__(self, port: str, baud: int) -> None:
        self.port, self.baud = port, baud
        try:
            self._serial: Any = serial.serial_for_url(
                port, baud, timeout=_STEP, write_timeout=_STALLED, exclusive=True
            )
        except (serial.SerialException, ValueError, OSError) as error:
            raise LinkError(f"cannot open port {port}: {_reason(error)}") from None
        try:
            # Bytes from an earlier program's conversation would not be replies to this one.
            self._serial.reset_input_buffer()
            self._serial.reset_output_buffer()
        except (serial.SerialException, OSError) as error:
            self._serial.close()
            raise LinkError(f"cannot use port {port}: {_reason(error)}") from None

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except serial.SerialTimeoutException:
            raise LinkError(
                f"port {self.port} has taken nothing for {_STALLED:g} seconds: is anything behind "
                f"it?"
            ) from None
        except (serial.SerialException, OSError) as error:
            raise self._lost(error) from None

    def read(self, timeout: float) -> bytes:
        end = time.monotonic() + timeout
        try:
            while True:
                data = bytes(self._serial.read(max(1, self._serial.in_waiting)))
                if data or time.monotonic() >= end:
                    return data
        except (serial.SerialException, OSError) as error:
            raise self._lost(error) from None

    def close(self) -> None:
        self._serial.close()

    def _lost(self, error: Exception) -> LinkError:
        return LinkError(f"port {self.port} is gone ({error}): is the cable still plugged in?")


def ports() -> list[tuple[str, str]]:
    """Return the name and the system's description of each serial port of this computer."""
    return sorted((port.device, port.description) for port in list_ports.comports())


def known_ports() -> str:
    """Return a list of this computer's ports, in words, for an error message."""
    found = ports()
    if not found:
        return "this computer has no serial port: plug in the board"
    return "the ports are " + ", ".join(f"{name} ({about})" for name, about in found)


def _reason(error: Exception) -> str:
    """Return the reason why a port could not be opened, and the remedy, in words."""
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return f"it does not exist: {known_ports()}"
    if number in (errno.EACCES, errno.EPERM):
        return _DENIED
    # pyserial reports a port that is locked by its message alone.
    if number == errno.EBUSY or "exclusively lock" in str(error):
        return _TAKEN
    return str(error)
