from __future__ import annotations

import pytest
from amaranth.lib import data

from spikeloom.hw.link.layouts import HEADER, bodies_of, fields_of, flags_of
from spikeloom.sw.link.messages import AskCounts, Identify, Message, Run, content


def test_the_header() -> None:
    whole = content(Run(0, 0), 0x1234)[:4]
    assert 8 * len(whole) == HEADER.size
    header = HEADER.from_bits(int.from_bytes(whole, "little"))
    assert (header.version, header.kind, header.sequence) == (1, Run.kind, 0x1234)


@pytest.mark.parametrize("message", Message.kinds.values(), ids=lambda cls: cls.__name__)
def test_fields_lie_as_in_the_body(message: type[Message]) -> None:
    body = bytes(range(1, 1 + message.fixed.size))
    layout = fields_of(message)
    assert layout.size == 8 * len(body)
    fields = layout.from_bits(int.from_bytes(body, "little"))
    sent = message.of(body)
    for name in message.sizes():
        value = getattr(sent, name)
        if isinstance(value, bytes):
            value = int.from_bytes(value, "little")
        assert fields[name] == value


def test_bodies_of_several_messages() -> None:
    layout = bodies_of([Identify, Run, AskCounts])
    assert layout.size == 8 * AskCounts.fixed.size
    assert layout["bytes"].shape == data.ArrayLayout(8, AskCounts.fixed.size)
    assert [name for name, _ in layout] == ["bytes", "Run", "AskCounts"]
    body = layout.from_bits(int.from_bytes(Run(1, 0xDEADBEEF).body(), "little"))
    assert (body.Run.bank, body.Run.crc) == (1, 0xDEADBEEF)
    assert [body.bytes[k] for k in range(5)] == list(Run(1, 0xDEADBEEF).body())


def test_flags() -> None:
    assert flags_of(("a", "b")) == data.StructLayout({"a": 1, "b": 1})
