from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.sim.design import EngineInfo, Field, Taps
from spikeloom.sim.job import LOGITS
from spikeloom.sim.records import LayerRecords, OutputRecords, RecordFile, pack, unpack

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
    if records:
        columns = np.array(records, np.int64).T
        assert pack(columns, layout).tolist() == packed(records, 0, layout).tolist()


def test_unpack_ignores_what_is_beside_the_fields() -> None:
    words = np.array([[0xFFFFFFFF, 0xFFFFFFFF]], np.uint32)
    layout = [Field(3, signed=False), Field(40, signed=True)]
    assert unpack(words, 5, layout).tolist() == [[7, -1]]


def test_an_incomplete_record_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    np.arange(5, dtype="<u4").tofile(file)
    records = RecordFile(file, 33)
    assert len(records) == 2
    assert records[:].tolist() == [[0, 1], [2, 3]]


def test_a_slice_reads_its_records(tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    np.arange(20, dtype="<u4").tofile(file)
    records = RecordFile(file, 64)
    for which in (slice(3, 7), slice(8, None), slice(None, 2), slice(9, 99), slice(4, 4)):
        first, last, _ = which.indices(10)
        assert records[which].tolist() == [[2 * k, 2 * k + 1] for k in range(first, last)]
    assert records[12:20].shape == (0, 2)


def test_a_file_that_was_never_written_holds_nothing(tmp_path: Path) -> None:
    assert RecordFile(tmp_path / "x.bin", 65)[:].shape == (0, 3)


def test_records_agree_only_if_every_bit_with_a_meaning_does(tmp_path: Path) -> None:
    layer = EngineInfo(
        name="layer",
        neuron="if",
        shape=(3,),
        timesteps=2,
        lanes=2,
        events=1,
        groups=2,
        sends="count",
        units=2,
        steps_per_cycle=1,
        folded=False,
        taps=Taps(Field(20, signed=True), Field(1, signed=False), Field(2, signed=False)),
    )
    rng = np.random.default_rng(0)
    potentials, spikes = rng.integers(-500, 500, (8, 2)), rng.integers(0, 2, (8, 2))
    counts = rng.integers(0, 3, (4, 2))
    used = (np.array([[True, True]] * 2 + [[True, False]] * 2), np.array([[True, True], [True, 0]]))
    steps = layer.taps and [layer.taps.potential] * 2 + [layer.taps.spike] * 2
    assert steps
    words = pack([*potentials.T, *spikes.T], steps)
    passed = pack(counts.T, [Field(2, signed=False)] * 2)

    def agree(
        words: np.ndarray,
        passed: np.ndarray,
        counts: np.ndarray = counts,
        potentials: np.ndarray = potentials,
    ) -> bool:
        np.ascontiguousarray(words).astype("<u4").tofile(tmp_path / "layer.steps.bin")
        np.ascontiguousarray(passed).astype("<u4").tofile(tmp_path / "layer.sent.bin")
        records = LayerRecords(tmp_path, layer)
        return records.agree(0, 2, (spikes, potentials), counts, used)

    assert agree(words, passed)
    assert not agree(words[:-1], passed)
    assert not agree(words, passed[:-1])
    # A value that is too large for its field is not what the field holds.
    assert not agree(words, passed, counts + 4)
    for potential in (-(1 << 19) - 1, -(1 << 19), (1 << 19) - 1, 1 << 19):
        extreme = potentials.copy()
        extreme[0, 0] = potential
        packed_extreme = pack([*extreme.T, *spikes.T], steps)
        fits = -(1 << 19) <= potential < 1 << 19
        assert agree(packed_extreme, passed, potentials=extreme) == fits
    assert agree(words, passed)
    second = LayerRecords(tmp_path, layer)
    assert second.agree(1, 1, (spikes[4:], potentials[4:]), counts[2:], used)
    assert not second.agree(1, 1, (spikes[:4], potentials[:4]), counts[:2], used)
    for record in range(8):
        for bit in range(42):
            flipped = words.copy()
            flipped[record, bit // 32] ^= np.uint32(1 << bit % 32)
            lane = bit // 20 if bit < 40 else bit - 40
            assert agree(flipped, passed) == (lane == 1 and record % 4 >= 2)


def test_transfers_of_the_output(tmp_path: Path) -> None:
    """A cycle in two words, then a logit, and above it the mark of an image's last."""
    design: Any = SimpleNamespace(payload_width=9, logit=Field(8, signed=True))
    records = [(3, -128, 0), (1 << 40, 127, 1), (5, -1, 1)]
    fields = [Field(63, signed=False), Field(1, signed=False), Field(8, signed=True)]
    words = packed(
        [[cycle, 0, logit, last] for cycle, logit, last in records],
        0,
        [*fields, Field(1, signed=False)],
    )
    words.astype("<u4").tofile(tmp_path / LOGITS)
    found = OutputRecords(tmp_path, design)
    shown = zip(found.cycles.tolist(), found.logits.tolist(), found.last.tolist(), strict=True)
    assert list(shown) == records
