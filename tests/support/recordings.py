"""Recordings of events in the formats of cameras, written byte by byte from the formats' texts."""

from __future__ import annotations

import struct
from collections.abc import Iterable

#: (column, row, polarity, microseconds).
Event = tuple[int, int, int, int]

#: Lines of text ahead of the events of AEDAT 2.0 and 3.1.
OLD = b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n"
NEW = b"#!AER-DAT3.1\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"


def old_file(events: Iterable[Event]) -> bytes:
    """Return a file of AEDAT 2.0 as jAER writes it for the DVS128: big-endian address and time."""
    content = OLD
    for x, y, p, t in events:
        content += struct.pack(">II", (127 - x) << 8 | (127 - y) << 1 | (1 - p), t)
    return content


def new_event(x: int, y: int, p: int, t: int, valid: int = 1) -> bytes:
    """Return a change of brightness of AEDAT 3.1."""
    return struct.pack("<II", x << 17 | y << 2 | p << 1 | valid, t)


def new_packet(events: list[bytes], kind: int = 1, high: int = 0, room: int | None = None) -> bytes:
    """Return a packet of AEDAT 3.1: its header of 28 bytes, and events."""
    room = len(events) if room is None else room
    counts = room, len(events), len(events)
    return struct.pack("<hhiiiiii", kind, 1, 8, 4, high, *counts) + b"".join(events).ljust(
        8 * room, b"\0"
    )
