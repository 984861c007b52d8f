from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.sim.design import Field
from spikeloom.sim.records import read_words, unpack

fields = st.builds(Field, st.integers(1, 48), st.booleans())


def packed(records: list[list[int]], offset: int, layout: list[Field]) -> np.ndarray:
    """Pack values bit by bit into Python integers, and those into words."""
    words = -(-(offset + sum(field.width for field in layout)) // 32)
    rows = []
    for record in records:
        whole, at = 0, offset
        for value, field in zip(record, layout, strict=True):
            whole |= (value & ((1 << field.width) - 1)) << at
            at += field.width
        rows.append([whole >> (32 * word) & 0xFFFFFFFF for word in range(words)])
    return np.array(rows, np.uint32).reshape(len(records), words)


@given(st.data(), st.lists(fields, min_size=1, max_size=5), st.integers(0, 40))
def test_unpack_inverts_packing(data: st.DataObject, layout: list[Field], offset: int) -> None:
    records = data.draw(
        st.lists(
            st.tuples(
                *(
                    st.integers(-(1 << field.width - 1), (1 << field.width - 1) - 1)
                    if field.signed
                    else st.integers(0, (1 << field.width) - 1)
                    for field in layout
                )
            ).map(list),
            max_size=4,
        )
    )
    words = packed(records, offset, layout)
    assert unpack(words, offset, layout).tolist() == records


def test_unpack_ignores_what_is_beside_the_fields() -> None:
    words = np.array([[0xFFFFFFFF, 0xFFFFFFFF]], np.uint32)
    layout = [Field(3, signed=False), Field(40, signed=True)]
    assert unpack(words, 5, layout).tolist() == [[7, -1]]


def test_an_incomplete_record_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    np.arange(5, dtype="<u4").tofile(file)
    assert read_words(file, 33).tolist() == [[0, 1], [2, 3]]


def test_a_file_that_was_never_written_holds_nothing(tmp_path: Path) -> None:
    assert read_words(tmp_path / "x.bin", 65).shape == (0, 3)
