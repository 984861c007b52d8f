"""AEDAT 2.0 and 3.1: files in the true formats, written here, and damaged ones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.recordings import NEW, OLD, new_event, new_packet, old_file

from spikeloom.sw.datasets.aedat import Packets, decode_dvs128
from spikeloom.sw.errors import FileFormatError

coordinates = st.integers(0, 127)
events = st.lists(
    st.tuples(coordinates, coordinates, st.integers(0, 1), st.integers(0, 2**31 - 1)), min_size=1
)


@given(events)
def test_the_dvs128_writes_bits(wanted: list[tuple[int, int, int, int]]) -> None:
    assert decode_dvs128(old_file(wanted), "a").tolist() == wanted


def test_an_address_by_hand() -> None:
    # Bits 8 to 14 are 5, bits 1 to 7 are 9, and it became brighter.
    content = OLD + struct.pack(">II", 5 << 8 | 9 << 1 | 0, 77)
    assert decode_dvs128(content, "a").tolist() == [(122, 118, 1, 77)]


def test_marks_are_no_events() -> None:
    marks = b"".join(struct.pack(">II", 1 << bit, 0) for bit in range(15, 32))
    (event,) = old_event = decode_dvs128(old_file([(1, 2, 0, 3)]) + marks, "a").tolist()
    assert old_event == [(1, 2, 0, 3)]
    assert len(event) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a is no such recording: it begins with b'', not b'#!AER-DAT2.0'"),
        (NEW, "is no such recording"),
        (b"#!AER-DAT2.0", "its lines of text do not end"),
        (b"#!AER-DAT2.0\r\n#" + b"x" * 70_000, "its lines of text do not end"),
        (OLD, "holds no events"),
        (OLD + bytes(7), "has 7 bytes of events, which is no whole number"),
    ],
)
def test_old_files_that_cannot_be_read(content: bytes, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        decode_dvs128(content, "a")


def write(path: Path, *packets: bytes) -> Packets:
    path.write_bytes(NEW + b"".join(packets))
    return Packets(path)


def test_spans_of_time_are_taken_from_packets(tmp_path: Path) -> None:
    first = [(1, 2, 0, 100), (3, 4, 1, 150), (5, 6, 0, 149)]
    second, third = [(7, 8, 1, 200)], [(9, 10, 1, 250), (2**15 - 1, 2**15 - 1, 0, 260)]
    found = write(
        tmp_path / "a",
        new_packet([new_event(*e) for e in first]),
        new_packet([bytes(8)] * 3, kind=0),  # marks
        new_packet([]),
        new_packet([new_event(*second[0]), new_event(0, 0, 0, 201, valid=0)], room=4),
        new_packet([new_event(*e) for e in third]),
    )
    everything = [*first, *second, *third]
    assert found.between(0, 1000).tolist() == everything
    for start, end in [(100, 150), (150, 250), (149, 151), (201, 250), (260, 261), (300, 400)]:
        wanted = [event for event in everything if start <= event[3] < end]
        assert found.between(start, end).tolist() == wanted


def test_times_beyond_31_bits(tmp_path: Path) -> None:
    found = write(tmp_path / "a", new_packet([new_event(1, 2, 1, 5)], high=3))
    assert found.between(3 << 31, (3 << 31) + 6).tolist() == [(1, 2, 1, (3 << 31) + 5)]


def test_a_text_without_an_end_line(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"#!AER-DAT3.1\r\n#x\r\n" + new_packet([new_event(1, 2, 1, 5)]))
    assert len(Packets(path).between(0, 9)) == 1
    # Behind its end, a sign that begins a line of text is data.
    path.write_bytes(NEW + new_packet([new_event(1, 2, 1, 0x23)]))
    assert len(Packets(path).between(0x23, 0x24)) == 1


GOOD = new_packet([new_event(1, 2, 1, 5), new_event(3, 4, 0, 6)])


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (GOOD[:20], "a packet is cut short"),
        (GOOD[:-1], "is said to hold 2 events of 8 bytes, in room for 2"),
        (GOOD + b"\0", "a packet is cut short"),
        (struct.pack("<hhiiiiii", 1, 0, 8, 4, 0, 1, 2, 2) + bytes(16), "hold 2 events of 8 bytes"),
        (struct.pack("<hhiiiiii", 1, 0, 8, 4, 0, -1, -1, 0), "hold -1 events"),
        (struct.pack("<hhiiiiii", 1, 0, 0, 4, 0, 2, 2, 0), "2 events of 0 bytes"),
        (struct.pack("<hhiiiiii", 1, 0, 8, 4, -1, 1, 1, 0) + bytes(8), "hold 1 events"),
        (struct.pack("<hhiiiiii", 1, 0, 16, 4, 0, 1, 1, 1) + bytes(16), "8 bytes, not 16"),
        (struct.pack("<hhiiiiii", 1, 0, 2**31 - 1, 4, 0, *[2**31 - 1] * 3), "is said to hold"),
    ],
)
def test_damaged_packets(tmp_path: Path, packet: bytes, message: str) -> None:
    with pytest.raises(FileFormatError, match=f"a is damaged .*{message}.*: get it again"):
        write(tmp_path / "a", packet).between(0, 9)


def test_files_that_go_away(tmp_path: Path) -> None:
    found = write(tmp_path / "a", GOOD)
    found.between(0, 9)
    write(tmp_path / "a", GOOD[:-8])
    with pytest.raises(FileFormatError, match="it has become shorter"):
        found.between(0, 9)
    (tmp_path / "a").unlink()
    with pytest.raises(FileFormatError, match="does not exist: check the path"):
        found.between(0, 9)
    with pytest.raises(FileFormatError, match="cannot be read: Is a directory"):
        Packets(tmp_path).between(0, 9)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "a"
    path.write_bytes(NEW + content)
    try:
        found = Packets(path).between(-(2**62), 2**62)
    except FileFormatError:
        return
    assert len(found) * 8 <= len(content)
    assert np.isin(found["p"], (0, 1)).all()
