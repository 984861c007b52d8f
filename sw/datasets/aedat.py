"""AEDAT, the format in which event cameras of iniVation and of jAER write: versions 2.0 and 3.1.

Both begin with lines of text, each of which begins with ``#``. Times are in microseconds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from spikeloom.sw.datasets.arrays import Array
from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.files import require_file

#: Events as recordings have them: column, row, polarity (0: darker, 1: brighter), microseconds.
EVENT = np.dtype([("x", np.int64), ("y", np.int64), ("p", np.int64), ("t", np.int64)])
#: Columns and rows of the DVS128.
SIDE = 128
#: Bytes of the lines of text, at most.
_TEXT = 1 << 16
#: Header of a packet of version 3.1: type and source of its events, bytes of an event, place of
#: the time in it, high bits of times, room for events, events, events that are valid.
_PACKET = struct.Struct("<hhiiiiii")
#: Type of a packet of changes of brightness, and bytes of such an event.
_POLARITY, _EVENT_BYTES = 1, 8


def decode_dvs128(content: bytes, where: object) -> Array:
    """Return the events in the content of a file of version 2.0, written by a DVS128.

    An event is a big-endian address of 32 bits and a time of 32 bits. The address has the polarity
    in bit 0 (0 where it became brighter), and two coordinates in bits 1 to 7 and 8 to 14; images
    stand upright, as SpikingJelly has them, if the second, from 127 down, is the column and the
    first, from 127 down, the row. Entries with other bits set are marks, not events.

    Parameters
    ----------
    content : bytes
    where : object
        The file, for messages.

    Returns
    -------
    array of EVENT, shape (events,)

    Raises
    ------
    FileFormatError
        If it is another format, cut short, or holds no events.
    """
    start = _after_text(content, where, b"#!AER-DAT2.0")
    if (len(content) - start) % _EVENT_BYTES:
        raise FileFormatError(
            f"{where} has {len(content) - start} bytes of events, which is no whole number of "
            f"events of {_EVENT_BYTES} bytes: it is cut short"
        )
    raw = np.frombuffer(content, np.dtype([("a", ">u4"), ("t", ">i4")]), offset=start)
    raw = raw[raw["a"] < 1 << 15]
    if not len(raw):
        raise FileFormatError(f"{where} holds no events: get it again")
    address = raw["a"].astype(np.int64)
    events = np.empty(len(raw), EVENT)
    events["x"] = SIDE - 1 - (address >> 8)
    events["y"] = SIDE - 1 - (address >> 1 & 127)
    events["p"] = 1 - (address & 1)
    events["t"] = raw["t"]
    return events


@dataclass(frozen=True)
class _Packet:
    """Place and times of a packet's events."""

    start: int
    count: int
    high: int
    first: int
    last: int


class Packets:
    """A file of version 3.1, of which spans of time are read when they are asked for.

    The file is read through once, at the first request, to learn the times of its packets. Later
    requests read the packets that they need.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._packets: list[_Packet] | None = None

    def between(self, start: int, end: int) -> Array:
        """Return the valid events from the time ``start`` to before ``end``, in microseconds.

        Returns
        -------
        array of EVENT, shape (events,)

        Raises
        ------
        FileFormatError
            If the file is missing, of another format, or damaged.
        """
        require = f"recording {self.path}"
        try:
            require_file(self.path, "recording")
            with open(self.path, "rb") as file:
                if self._packets is None:
                    self._packets = self._listed(file)
                parts = [
                    self._events(file, packet)
                    for packet in self._packets
                    if packet.last >= start and packet.first < end
                ]
        except FileNotFoundError:
            raise FileFormatError(f"{require} does not exist: check the path") from None
        except OSError as error:
            raise FileFormatError(f"{require} cannot be read: {error.strerror or error}") from None
        events = np.concatenate([np.empty(0, EVENT), *parts])
        return events[(events["t"] >= start) & (events["t"] < end)]

    def _listed(self, file: BinaryIO) -> list[_Packet]:
        size = self.path.stat().st_size
        place = _after_text(file.read(_TEXT), self.path, b"#!AER-DAT3.1")
        found = []
        while place < size:
            file.seek(place)
            header = file.read(_PACKET.size)
            place += len(header)
            if len(header) < _PACKET.size:
                raise self._damaged("a packet is cut short")
            kind, _, each, _, high, room, count, _ = _PACKET.unpack(header)
            if each <= 0 or not 0 <= count <= room or room * each > size - place or high < 0:
                raise self._damaged(
                    f"the packet at byte {place - _PACKET.size:,} is said to hold {count} events "
                    f"of {each} bytes, in room for {room}"
                )
            if kind == _POLARITY and count:
                if each != _EVENT_BYTES:
                    raise self._damaged(f"changes of brightness have 8 bytes, not {each}")
                packet = _Packet(place, count, high, 0, 0)
                times = self._events(file, packet)["t"]
                if len(times):
                    span = int(times.min()), int(times.max())
                    found.append(_Packet(place, count, high, *span))
            place += room * each
        return found

    def _events(self, file: BinaryIO, packet: _Packet) -> Array:
        """Return a packet's valid events."""
        file.seek(packet.start)
        content = file.read(packet.count * _EVENT_BYTES)
        if len(content) != packet.count * _EVENT_BYTES:
            raise self._damaged("it has become shorter")
        raw = np.frombuffer(content, np.dtype([("a", "<u4"), ("t", "<u4")]))
        raw = raw[raw["a"] & 1 == 1]
        events = np.empty(len(raw), EVENT)
        events["x"] = raw["a"] >> 17
        events["y"] = raw["a"] >> 2 & 0x7FFF
        events["p"] = raw["a"] >> 1 & 1
        events["t"] = raw["t"].astype(np.int64) + (packet.high << 31)
        return events

    def _damaged(self, reason: str) -> FileFormatError:
        return FileFormatError(f"{self.path} is damaged ({reason}): get it again")


def _after_text(content: bytes, where: object, first: bytes) -> int:
    """Return where the lines of text end, of which the ``first`` names the version.

    Raises
    ------
    FileFormatError
    """
    if not content.startswith(first):
        raise FileFormatError(
            f"{where} is no such recording: it begins with {content[:12]!r}, not {first!r}"
        )
    place = 0
    while content[place : place + 1] == b"#":
        line = content.find(b"\n", place, _TEXT)
        if line < 0:
            raise FileFormatError(f"{where} is damaged: its lines of text do not end")
        ended = content[place:line].rstrip() == b"#!END-HEADER"
        place = line + 1
        if ended:
            break
    return place
