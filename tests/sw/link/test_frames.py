from __future__ import annotations

import random
import zlib

import hypothesis.strategies as st
import pytest
from hypothesis import given
from support.link.board import damaged

from spikeloom.sw.link import Decoder, encode

#: Mostly bytes that mean something.
CONTENTS = st.lists(st.sampled_from([0, 0x5D, 0x5E, 0x7D, 0x7E, 0xFF, 1]), min_size=4).map(
    bytes
) | st.binary(min_size=4, max_size=300)


def test_worked_example() -> None:
    # The page's: a reset with sequence number 0x7e01.
    assert encode(bytes.fromhex("0108017e")).hex(" ") == "7e 01 08 01 7d 5e 24 38 ff 7f 7e".replace(
        "24 38 ff 7f", zlib.crc32(bytes.fromhex("0108017e")).to_bytes(4, "little").hex(" ")
    )


@given(st.lists(CONTENTS, max_size=5), st.data())
def test_any_contents_come_back(contents: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(map(encode, contents))
    cut = data.draw(st.integers(0, len(wire)))
    decoder = Decoder()
    assert decoder.feed(wire[:cut]) + decoder.feed(wire[cut:]) == contents
    assert decoder.damaged == 0


@given(CONTENTS)
def test_flags_stand_at_the_ends_alone(content: bytes) -> None:
    frame = encode(content)
    assert [k for k, byte in enumerate(frame) if byte == 0x7E] == [0, len(frame) - 1]
    assert len(frame) <= 2 * (len(content) + 4) + 2


@given(CONTENTS, CONTENTS)
def test_one_flag_between_frames_is_enough(first: bytes, second: bytes) -> None:
    assert Decoder().feed(encode(first) + encode(second)[1:]) == [first, second]


@given(st.binary(max_size=50), CONTENTS)
def test_a_frame_after_noise_is_found(noise: bytes, content: bytes) -> None:
    assert Decoder().feed(noise + encode(content))[-1:] == [content]


@given(CONTENTS, CONTENTS, st.randoms(use_true_random=False))
def test_damage_is_never_another_content(
    content: bytes, following: bytes, chance: random.Random
) -> None:
    late: list[bytes] = []
    wire = damaged(encode(content), chance, late)
    found = Decoder().feed(wire + encode(following))
    assert found[-1] == following, "recovery with the next frame"
    assert all(piece == content for piece in found[:-1])


@pytest.mark.parametrize("seed", range(4))
def test_many_damaged_frames(seed: int) -> None:
    chance = random.Random(seed)
    late: list[bytes] = []
    decoder = Decoder()
    sent = set()
    for _ in range(5_000):
        content = chance.randbytes(chance.randrange(4, 40))
        sent.add(content)
        found = decoder.feed(damaged(encode(content), chance, late))
        assert all(piece in sent for piece in found)
    assert decoder.damaged > 1_000
    assert decoder.feed(encode(b"after"))[-1] == b"after"


@given(CONTENTS)
def test_every_bit_counts(content: bytes) -> None:
    frame = encode(content)
    for bit in range(8 * len(frame)):
        changed = bytearray(frame)
        changed[bit // 8] ^= 1 << bit % 8
        assert Decoder().feed(bytes(changed)) == []


@pytest.mark.parametrize(
    ("wire", "damage"),
    [
        (b"\x7e\x7e\x7e", 0),
        (b"\x7eabc\x7e", 1),
        (b"\x7e\x7d\x7e", 1),
        (encode(b"whole")[:-1] + b"\x7d\x7e", 1),
        (encode(b"whole")[:2] + b"\x7d\x41" + encode(b"whole")[3:], 1),
        (encode(b"whole")[1:], 1),
        (encode(b"0123456789"), 1),
    ],
)
def test_what_is_no_frame(wire: bytes, damage: int) -> None:
    decoder = Decoder(longest=9)
    assert decoder.feed(wire) == []
    assert decoder.damaged == damage
    assert decoder.feed(encode(b"whole")) == [b"whole"]
