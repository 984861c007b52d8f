from __future__ import annotations

import errno
import os
import re
import socket
import tty
from collections.abc import Iterator
from typing import Any

import pytest
import serial
from support.link.board import ModelBoard
from support.link.network_board import behind_pty

from spikeloom.sw.errors import LinkError
from spikeloom.sw.link import Client
from spikeloom.sw.link.serial import SerialLine, known_ports, ports

BAUD = 3_000_000


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: the descriptor of one end, the path of the other."""
    outer, inner = os.openpty()
    tty.setraw(inner)
    yield outer, os.ttyname(inner)
    os.close(outer)
    os.close(inner)


def taken(line: SerialLine, count: int) -> bytes:
    """Return ``count`` bytes, which may come in pieces."""
    found = b""
    while len(found) < count:
        found += line.read(1)
    return found


class Port:
    def __init__(self, device: str, description: str) -> None:
        self.device, self.description = device, description


def listed(monkeypatch: pytest.MonkeyPatch, *found: Port) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: list(found))


def test_bytes_go_both_ways(terminal: tuple[int, str]) -> None:
    outer, path = terminal
    every = bytes(range(256))
    line = SerialLine(path, BAUD)
    line.write(every)
    assert os.read(outer, 300) == every
    os.write(outer, every)
    assert taken(line, 256) == every
    assert line.read(0) == b""
    assert line.read(0.03) == b""
    line.close()


def test_what_came_before_it_was_opened_is_dropped(terminal: tuple[int, str]) -> None:
    outer, path = terminal
    os.write(outer, b"late")
    line = SerialLine(path, BAUD)
    os.write(outer, b"new")
    assert taken(line, 3) == b"new"
    line.close()


def test_what_waits_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where nothing waits, the port is asked for a byte, which is what waits for one."""
    asked: list[int] = []

    class Waiting:
        in_waiting = 7

        def reset_input_buffer(self) -> None: ...

        def reset_output_buffer(self) -> None: ...

        def read(self, size: int) -> bytes:
            asked.append(size)
            return bytes(size)

    monkeypatch.setattr("serial.serial_for_url", lambda *_, **__: Waiting())
    line = SerialLine("port", BAUD)
    assert line.read(1) == bytes(7)
    Waiting.in_waiting = 0
    assert line.read(1) == bytes(1)
    assert asked == [7, 1]


def test_a_client_talks_through_a_terminal() -> None:
    board = ModelBoard()
    images = [bytes([k] * 7) for k in range(20)]
    with behind_pty(board) as path:
        client = Client(SerialLine(path, 115200), timeout=5)
        results = list(client.infer(images))
        client.line.close()
    assert [list(r.logits(2)) for r in results] == [ModelBoard.logits(x) for x in images]
    assert client.traffic.resent == 0


def test_a_socket_is_a_port_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = SerialLine(f"socket://127.0.0.1:{server.getsockname()[1]}", BAUD)
        peer, _ = server.accept()
        with peer:
            line.write(b"there")
            assert peer.recv(10) == b"there"
            peer.sendall(b"back")
            assert taken(line, 4) == b"back"
        line.close()


def test_a_loop_says_what_it_hears() -> None:
    line = SerialLine("loop://", BAUD)
    line.write(b"echo")
    assert taken(line, 4) == b"echo"
    line.close()


def test_a_missing_port_names_those_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, Port("/dev/ttyUSB1", "second"), Port("/dev/ttyUSB0", "first"))
    assert ports() == [("/dev/ttyUSB0", "first"), ("/dev/ttyUSB1", "second")]
    expected = (
        "cannot open port /dev/nowhere: it does not exist: the ports are /dev/ttyUSB0 (first), "
        "/dev/ttyUSB1 (second)"
    )
    with pytest.raises(LinkError, match=f"^{re.escape(expected)}$"):
        SerialLine("/dev/nowhere", BAUD)
    listed(monkeypatch)
    assert known_ports() == "this computer has no serial port: plug in the board"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (serial.SerialException(errno.EACCES, "denied"), "join the group that owns it .*dialout"),
        (serial.SerialException(errno.EBUSY, "busy"), "another program has it open"),
        (serial.SerialException("something else"), "something else$"),
    ],
)
def test_a_port_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("serial.serial_for_url", refuse)
    with pytest.raises(LinkError, match=f"^cannot open port /dev/ttyUSB0: .*{message}"):
        SerialLine("/dev/ttyUSB0", BAUD)


@pytest.mark.parametrize("port", ["nothing://x", "socket://127.0.0.1:1"])
def test_a_url_that_leads_nowhere(port: str) -> None:
    with pytest.raises(LinkError, match=f"^cannot open port {port}: "):
        SerialLine(port, BAUD)


def test_a_port_has_one_user(terminal: tuple[int, str]) -> None:
    first = SerialLine(terminal[1], BAUD)
    with pytest.raises(LinkError, match=r"another program has it open: close that first$"):
        SerialLine(terminal[1], BAUD)
    first.close()
    SerialLine(terminal[1], BAUD).close()


def test_an_unplugged_cable() -> None:
    outer, inner = os.openpty()
    tty.setraw(inner)
    line = SerialLine(os.ttyname(inner), BAUD)
    os.close(inner)
    os.close(outer)
    expected = r"^port .* is gone \(.*\): is the cable still plugged in\?$"
    with pytest.raises(LinkError, match=expected):
        line.read(1)
    with pytest.raises(LinkError, match=expected):
        line.write(b"x")
    line.close()


def test_nothing_takes_the_bytes(
    terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikeloom.sw.link.serial._STALLED", 0.1)
    line = SerialLine(terminal[1], BAUD)
    with pytest.raises(LinkError, match=r"has taken nothing for 0.1 seconds: is anything behind"):
        line.write(bytes(1 << 20))
    line.close()
