from __future__ import annotations

from typing import Any

import pytest
from support.link.board import Answers, Fire, ModelBoard, client_of

from spikeloom.sw.errors import LinkError
from spikeloom.sw.link import Client, RefusedError, Result, encode, pair
from spikeloom.sw.link.messages import AskCounts, AskResult, Identify, Run, Write


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Write(2, 0, b"x"), "there is no such bank, byte or record"),
        (Write(0, 7, b"x"), "there is no such bank, byte or record"),
        (Write(0, 0, b""), "the request's length is wrong"),
        (AskCounts(0, 0, 9), "there is no such bank, byte or record"),
    ],
)
def test_refusals(request_: Any, reason: str) -> None:
    client = client_of(ModelBoard())
    expected = rf"^the board refuses {type(request_).__name__}: {reason}$"
    with pytest.raises(RefusedError, match=expected):
        client.exchange([request_])


def test_a_reason_of_a_later_version() -> None:
    board = Answers(lambda reply: reply[:1] + b"\xff" + reply[2:4] + b"\x63\x01")
    with pytest.raises(RefusedError, match="reason 99, which this host knows not"):
        _ = client_of(board).identity


def test_no_answer() -> None:
    here, _ = pair()
    client = Client(here, timeout=0.001, attempts=3)
    expected = r"^no answer to Identify, which was sent 3 times .0 damaged frames came.: is the"
    with pytest.raises(LinkError, match=expected):
        _ = client.identity
    assert client.traffic.resent == 2


def test_endless_noise_is_no_answer() -> None:
    board = ModelBoard()
    fire = Fire(board, 1, 0)

    def read(timeout: float) -> bytes:
        board.now += 1e-4
        return fire.noise()

    board.read = read  # type: ignore[method-assign]
    with pytest.raises(LinkError, match=r"^no answer to Identify"):
        _ = client_of(board).identity


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r[:2] + bytes([r[2] ^ 1]) + r[3:],
        lambda r: r[:1] + b"\x82" + r[2:],
        lambda r: r[:1] + b"\x70" + r[2:],
        lambda r: r[:1] + b"\x01" + r[2:],
        lambda r: r[:20],
        lambda r: r[:1] + b"\xff" + r[2:4] + b"\x05\x03",
        lambda r: b"\x02" + r[1:2] + bytes([r[2] ^ 1]) + r[3:],
    ],
)
def test_replies_to_nothing_that_was_asked(change: Any) -> None:
    client = client_of(Answers(change), attempts=3)
    with pytest.raises(LinkError, match=r"^no answer to Identify"):
        _ = client.identity
    assert client.traffic.stray == 3


def test_another_version() -> None:
    board = Answers(lambda reply: b"\x02" + reply[1:])
    with pytest.raises(LinkError, match=r"^the board speaks version 2 of the protocol, this"):
        _ = client_of(board).identity


def test_as_many_under_way_as_fit() -> None:
    board = ModelBoard()
    client = client_of(board)
    _ = client.identity
    sent: list[int] = []
    write = board.write

    def watched(data: bytes) -> None:
        sent.append(len(board.outgoing))
        write(data)

    board.write = watched  # type: ignore[method-assign]
    client.exchange([AskResult(k % 2) for k in range(40)])
    # 5 bytes each, 64 of room.
    assert max(sent) == 11


def test_replies_are_typed() -> None:
    client = client_of(ModelBoard())
    (result,) = client.exchange([AskResult(1)])
    assert isinstance(result, Result)
    assert encode(b"\1\1\0\0") != encode(b"\1\1\1\0")
    client.exchange([Identify(), Run(0, 1)])
