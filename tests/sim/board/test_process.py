"""Bytes of a terminal as levels of pins and back, without a design in between."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spikeloom.sim.board import BoardProcess, LightChange
from spikeloom.sw.errors import LinkError

pytestmark = pytest.mark.xdist_group("board")

#: Bits and cycles: whole and broken numbers of cycles in a bit.
RATIOS = [(1, 4), (3, 25), (2, 27), (1, 217)]


def received(board: BoardProcess, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = board.read(10)
        assert more, f"{len(found)} bytes of {count}"
        found += more
    return found


def soon(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


@pytest.mark.parametrize("bit", RATIOS)
def test_every_byte_there_and_back(echo: Path, bit: tuple[int, int]) -> None:
    data = bytes(range(256)) + random.Random(0).randbytes(5000)
    with BoardProcess() as board:
        board.start(echo, bit, ["pin", "old"])
        board.write(data)
        assert received(board, len(data)) == data


@pytest.mark.parametrize("bit", RATIOS)
def test_levels_last_as_long_as_the_rate_says(echo: Path, bit: tuple[int, int]) -> None:
    """Edge k of the bits that follow one another comes k bits after the first, rounded up."""
    step, period = bit
    with BoardProcess() as board:
        board.start(echo, bit, ["pin", "old"])
        board.write(b"UUU")
        assert received(board, 3) == b"UUU"
        # Each U is ten levels that alternate.
        assert soon(lambda: sum(change.name == "pin" for change in board.changes) == 31)
    edges = [change for change in board.changes if change.name == "pin"][1:]
    assert [change.on for change in edges] == [k % 2 == 1 for k in range(30)]
    assert [e.cycle - edges[0].cycle for e in edges] == [-(-k * period // step) for k in range(30)]


def test_lights_and_when_they_changed(echo: Path) -> None:
    told: list[LightChange] = []
    with BoardProcess(told.append) as board:
        board.start(echo, (1, 4), ["pin", "old"], ends=["old"])
        # Counted from 0, the ninth edge of the clock is number 8.
        assert board.wait_for("old") == LightChange("old", True, 8)
        assert board.lights == {"pin": True, "old": True}
        with pytest.raises(LinkError, match=r"^the light 'old' did not go off in 0.1 seconds$"):
            board.wait_for("old", False, timeout=0.1)
    assert told == board.changes


def test_what_nobody_reads_waits(echo: Path) -> None:
    data = random.Random(1).randbytes(300_000)
    with BoardProcess() as board:
        board.start(echo, (1, 4), ["pin", "old"])
        writer = threading.Thread(target=board.write, args=(data,))
        writer.start()
        time.sleep(0.5)
        assert writer.is_alive()
        assert received(board, len(data)) == data
        writer.join()


def test_any_program_opens_the_port(echo: Path) -> None:
    with BoardProcess() as board:
        board.start(echo, (1, 4), ["pin", "old"])
        for data in (b"once", b"and again"):
            terminal = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
            os.write(terminal, data)
            found = b""
            while len(found) < len(data):
                found += os.read(terminal, 100)
            os.close(terminal)
            assert found == data


def test_switching_off(echo: Path) -> None:
    board = BoardProcess()
    assert not board.running
    board.close()
    board.start(echo, (1, 4), ["pin", "old"])
    assert board.running
    port = board.port
    board.close()
    assert not board.running
    assert board._process.returncode == 0
    assert not os.path.exists(port)
    board.close()
    for use in (lambda: board.write(b"x"), lambda: board.read(0.1)):
        with pytest.raises(LinkError, match=r"^the simulated board is switched off$"):
            use()


def test_switching_on_twice(echo: Path) -> None:
    with BoardProcess() as board:
        board.start(echo, (1, 4), ["pin", "old"])
        with pytest.raises(
            LinkError, match=rf"^the simulated board is .* already, at {board.port}"
        ):
            board.start(echo, (1, 4), ["pin", "old"])
        board.write(b"still there")
        assert received(board, 11) == b"still there"


def test_a_program_that_fails(echo: Path) -> None:
    with BoardProcess() as board:
        board.start(echo, (1, 4), ["pin", "old"])
        board._process.kill()
        assert soon(lambda: not board.running)
        begun = time.monotonic()
        for use in (
            lambda: board.write(b"x"),
            lambda: board.read(10),
            lambda: board.wait_for("old", False, timeout=60),
        ):
            with pytest.raises(LinkError, match=r"^the simulated board has ended by itself: pleas"):
                use()
        assert time.monotonic() - begun < 10
