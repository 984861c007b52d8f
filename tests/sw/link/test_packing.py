from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from spikeloom.sw.errors import DataError
from spikeloom.sw.link import pack, packed_bits, packed_bytes, unpack_words


@given(st.sampled_from([1, 2, 4, 8, 16]), st.data())
def test_pack_is_one_little_endian_number(bits: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=40))
    packed = pack(values, bits)
    assert len(packed) == packed_bytes(len(values), bits)
    number = sum(value << bits * k for k, value in enumerate(values))
    assert int.from_bytes(packed, "little") == number


@given(st.sampled_from([1, 2, 4, 8, 16]), st.data())
def test_signed_values_are_packed_as_two_s_complement(bits: int, data: st.DataObject) -> None:
    ends = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    values = data.draw(st.lists(ends, min_size=1, max_size=40))
    assert pack(values, bits, signed=True) == pack([v % 2**bits for v in values], bits)


def test_widths() -> None:
    widths = [packed_bits(bits) for bits in range(1, 17)]
    assert widths == [1, 2] + [4] * 2 + [8] * 4 + [16] * 8


@pytest.mark.parametrize("value", [-1, 16])
def test_values_that_do_not_fit(value: int) -> None:
    expected = f"^an image holds {value}, but its values have 4 bits, unsigned$"
    with pytest.raises(DataError, match=expected):
        pack([0, value], 4)


@pytest.mark.parametrize("value", [-9, 8])
def test_signed_values_that_do_not_fit(value: int) -> None:
    expected = f"^an image holds {value}, but its values have 4 bits, signed$"
    with pytest.raises(DataError, match=expected):
        pack([0, value], 4, signed=True)


@given(st.integers(1, 4), st.integers(1, 48), st.booleans(), st.data())
def test_unpack_words(lanes: int, width: int, signed: bool, data: st.DataObject) -> None:
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    words = data.draw(
        st.lists(
            st.lists(st.integers(low, high), min_size=lanes, max_size=lanes),
            min_size=1,
            max_size=4,
        )
    )
    size = -(-lanes * width // 8)
    mask = (1 << width) - 1
    raw = b"".join(
        sum((v & mask) << width * k for k, v in enumerate(word)).to_bytes(size, "little")
        for word in words
    )
    found = unpack_words(raw, size, lanes, width, signed)
    assert found.tolist() == words
    assert found.dtype == np.int64
