from __future__ import annotations

import dataclasses
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from spikeloom.sw.errors import LinkError
from spikeloom.sw.link import Identity, Message, Record, Result
from spikeloom.sw.link.messages import (
    AskCounts,
    Counters,
    Reason,
    Refusal,
    Run,
    Write,
    content,
    parse,
)

NUMBERS = {"B": 8, "H": 16, "I": 32}


@st.composite
def messages(draw: st.DrawFn) -> Message:
    kind = draw(st.sampled_from(sorted(Message.kinds)))
    cls = Message.kinds[kind]
    body = draw(st.binary(min_size=cls.fixed.size, max_size=cls.fixed.size))
    return cls.of(body + (draw(st.binary(max_size=40)) if cls.tail else b""))


@given(messages(), st.integers(0, 65535))
def test_round_trip(message: Message, sequence: int) -> None:
    assert parse(content(message, sequence)) == (message, sequence)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Write(1, 0x1234, b"\xaa\xbb"), "01 03 ff 7f 01 34 12 00 00 aa bb"),
        (Run(0, 0xDEADBEEF), "01 04 ff 7f 00 ef be ad de"),
        (AskCounts(2, 3, 258), "01 07 ff 7f 02 03 00 00 00 02 01"),
        (Refusal(Reason.BUSY, 3), "01 ff ff 7f 05 03"),
    ],
)
def test_bytes(message: Message, text: str) -> None:
    assert content(message, 0x7FFF).hex(" ") == text


def test_replies_answer_requests() -> None:
    requests = [kind for kind in Message.kinds if kind < 0x80]
    assert requests == list(range(1, 9))
    assert Run(0, 0).reply == 0x84
    assert {kind | 0x80 for kind in requests} | {0xFF} | set(requests) == set(Message.kinds)


def test_all_fields_are_laid_out() -> None:
    for cls in Message.kinds.values():
        names = dataclasses.fields(cls)
        values = cls.fixed.unpack(bytes(cls.fixed.size))
        assert len(names) == len(values) + cls.tail, cls
        assert list(cls.sizes()) == [field.name for field in names][: len(values)], cls
        assert sum(cls.sizes().values()) == cls.fixed.size, cls


def test_sizes() -> None:
    assert AskCounts.sizes() == {"record": 1, "first": 4, "words": 2}
    assert Identity.sizes()["digest"] == 32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a content of 0 bytes has no header"),
        ("02 01 00 00", "the board speaks version 2 of the protocol, this host version 1: use"),
        ("01 70 00 00", "there is no message of kind 0x70"),
        ("01 04 00 00 01", "a body of 1 bytes, but Run has 5"),
        ("01 08 00 00 01", "a body of 1 bytes, but Reset has 0"),
        ("01 85 00 00 01", "a body of 1 bytes, but Result has at least 11"),
    ],
)
def test_what_is_no_message(text: str, message: str) -> None:
    with pytest.raises(LinkError, match=f"^{message}"):
        parse(bytes.fromhex(text))


def test_views() -> None:
    assert Counters(b"\1\0\0\0\0\0\0\x80").values == (1, 1 << 31)
    assert Result(2, 0, 0, 0, b"\1\0\0\xff\xff\xff").logits(3) == (1, -1)
    table = Identity.table_of((Record(2, 70_000), Record(65535, 1)))
    assert table.hex() == "0200" + "70110100" + "ffff" + "01000000"
    identity = Identity(bytes(32), 1, 1, 1, 1, 1, 1, 2, 1, 10, 0, table + b"x")
    assert identity.records == (Record(2, 70_000), Record(65535, 1))


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("logit_bytes", 0, "logits of 0 bytes"),
        ("logit_bytes", 1, ""),
        ("logit_bytes", 8, ""),
        ("logit_bytes", 9, "logits of 9 bytes"),
        ("value_bits", 3, "values of 3 bits"),
        ("image_bytes", 1, "images of 1 bytes, but 3 values of 4 bits"),
        ("image_bytes", 3, "images of 3 bytes, but 3 values of 4 bits"),
        ("table", Identity.table_of((Record(1, 0),)), ""),
        ("table", Identity.table_of((Record(1, 5), Record(0, 5))), "words of no bytes"),
        *((name, 0, f"{name} is 0") for name in ("clock", "transfers", "classes", "banks")),
        *((name, 0, f"{name} is 0") for name in ("chunk", "receive")),
    ],
)
def test_an_identity_whose_numbers_cannot_be(field: str, value: Any, fault: str) -> None:
    sound = Identity(bytes(32), 12, 2, 3, 4, 5, 2, 2, 8, 64, 0)
    assert sound.fault() == ""
    found = dataclasses.replace(sound, **{field: value}).fault()
    assert found.endswith(fault)
    assert bool(found) == bool(fault)
