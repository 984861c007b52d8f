"""The Spiking Heidelberg Digits, from files that the HDF5 library writes here."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from support.spoken import Heard, write_spoken

from spikeloom.sw import datasets
from spikeloom.sw.datasets import Binning, shd
from spikeloom.sw.datasets.shd import read_spoken
from spikeloom.sw.errors import DataError, FileFormatError
from spikeloom.sw.guarded import guarded

RNG = np.random.default_rng(0)
#: Rows of different lengths: some share a store, the longest has its own.
HEARD: list[Heard] = [
    ((np.sort(RNG.integers(0, 1024, count)) / 1024).tolist(), RNG.integers(0, 700, count).tolist())
    for count in (3, 900, 1, 5000, 40)
]
LABELS = [19, 0, 7, 7, 3]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read files here: a process of its own takes half a second for each."""
    monkeypatch.setattr(shd, "guarded", lambda reader, path: reader(path))


def test_a_process_of_its_own_finds_the_same(tmp_path: Path) -> None:
    path = write_spoken(tmp_path / "a.h5", HEARD, LABELS)
    here, there = shd.indexed(path), guarded(shd.indexed, path)
    assert there["labels"].tolist() == here["labels"].tolist() == LABELS
    for name in ("times", "units"):
        assert there[name]["dtype"] == here[name]["dtype"]
        assert there[name]["references"].dtype == here[name]["references"].dtype
        np.testing.assert_array_equal(there[name]["references"], here[name]["references"])


@pytest.mark.parametrize("times", ["<f2", ">f4", "<f8"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (2,)},
        {"chunks": (3,), "compression": "gzip", "shuffle": True},
        {"chunks": (5,), "compression": "gzip", "shuffle": True},
    ],
)
def test_rows_are_those_that_were_written(
    tmp_path: Path, times: str, options: dict[str, Any]
) -> None:
    spoken = read_spoken(write_spoken(tmp_path / "a.h5", HEARD, LABELS, times, **options))
    assert (len(spoken), spoken.labels.tolist()) == (5, LABELS)
    for index in (4, 0, 3, 1, 2):
        events, label = spoken[index]
        assert label == LABELS[index]
        assert events["t"].tolist() == list(HEARD[index][0])
        assert events["x"].tolist() == list(HEARD[index][1])


def test_channels_are_the_columns_of_an_image_of_one_row(tmp_path: Path) -> None:
    heard = [([0.0, 0.25, 0.5, 0.75, 0.75], [0, 5, 5, 699, 699]), ([0.5], [9])]
    write_spoken(tmp_path / "shd_test.h5", heard, [4, 2])
    data = datasets.load("shd", "test", tmp_path, Binning(4, 3))
    assert (data.classes, data.timed_shape, data.labels.tolist()) == (20, (4, 1, 1, 700), [4, 2])
    assert data.spikes is not None
    # Four bins of a quarter of the recording: 0, 0.1875, 0.375 and 0.5625 s.
    assert np.argwhere(data.spikes[0]).tolist() == [
        [0, 0, 0, 0],
        [1, 0, 0, 5],
        [2, 0, 0, 5],
        [3, 0, 0, 699],
    ]
    assert data.spikes[0, 3, 0, 0, 699] == 2
    assert np.argwhere(data.spikes[1]).tolist() == [[0, 0, 0, 9]]


def test_recordings_that_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "shd_test.h5"
    for heard, label, message in [
        (([0.0, 0.1], [1]), 1, "recording 0 of .* has 2 times, .* and 1 channels"),
        (([0.0, np.nan], [1, 2]), 1, "all must be finite"),
        (([0.0, np.inf], [1, 2]), 1, "all must be finite"),
        (([], []), 1, "item 0 of shd has no events"),
        (([0.0], [700]), 1, "item 0 of shd: event 0 has the column 700"),
        (([0.0], [1]), 20, "from 0 to 19, not 20"),
    ]:  # fmt: skip
        write_spoken(path, [heard], [label])
        with pytest.raises(DataError, match=message):
            datasets.load("shd", "test", tmp_path)


def refused(path: Path, message: str) -> None:
    with pytest.raises(FileFormatError, match=f"a.h5 is damaged or no file of SHD .*{message}"):
        read_spoken(path)


def test_files_of_other_things(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"nonsense")
    refused(path, "")
    rows = h5py.vlen_dtype(np.dtype("<f2"))
    for name, value, message in [
        ("labels", None, "it holds no labels"),
        ("labels", h5py.SoftLink("/extra"), "it holds no labels"),
        ("labels", h5py.ExternalLink("b.h5", "/labels"), "it holds no labels"),
        ("labels", np.zeros((2, 2), int), r"labels has the shape \(2, 2\)"),
        ("labels", np.zeros(2), "labels are float64, not integers"),
        ("labels", np.zeros(3, int), "has 2 rows, but there are 3 labels"),
        ("labels", np.zeros(0, int), r"labels has the shape \(0,\)"),
        ("spikes/times", np.zeros(2), "spikes/times holds float64, not rows of numbers"),
        ("spikes", np.zeros(2), ""),
        ("spikes/times", "group", "spikes/times is no array"),
        ("spikes/units", rows, "spikes/units holds object, not rows of numbers"),
    ]:
        write_spoken(path, HEARD[:2], [0, 1])
        with h5py.File(path, "a") as file:
            del file[name]
            if isinstance(value, str):
                file.create_group(name)
            elif isinstance(value, np.dtype):
                file.create_dataset(name, (2,), value)
            elif value is not None:
                file[name] = value
        refused(path, message)


def test_arrays_that_say_they_are_large(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    cases: list[tuple[dict[str, Any], str]] = [
        ({"shape": (1 << 40,), "chunks": (1 << 10,)}, "not one axis of up to 1,048,576"),
        ({"shape": (2,), "chunks": (1 << 21,), "maxshape": (None,)}, "pieces of 2,097,152"),
        ({"shape": (2,), "chunks": (2,), "fletcher32": True}, "behind the filters"),
        ({"shape": (2,)}, "labels is not stored as values of 1 bytes"),
        ({"shape": (2,), "chunks": (1,)}, "labels lacks some of its values"),
    ]
    for options, message in cases:
        write_spoken(path, HEARD[:2], [0, 1])
        with h5py.File(path, "a") as file:
            del file["labels"]
            file.create_dataset("labels", dtype=np.uint8, **options)
            if options.get("fletcher32"):
                file["labels"][:] = 1
        refused(path, message)


def test_rows_that_were_never_written(tmp_path: Path) -> None:
    path = write_spoken(tmp_path / "a.h5", HEARD[:2], [0, 1])
    with h5py.File(path, "a") as file:
        del file["spikes/times"]
        rows = h5py.vlen_dtype(np.dtype("<f2"))
        file["spikes"].create_dataset("times", (2,), rows, chunks=(1,))[0] = [0.0]
    refused(path, "/spikes/times lacks some of its values")


def test_references_that_lie(tmp_path: Path) -> None:
    path = write_spoken(tmp_path / "a.h5", HEARD[:1], [0])
    content = path.read_bytes()
    store = content.index(b"GCOL")
    (place,) = (
        at for at in range(len(content) - 16)
        if struct.unpack_from("<IQI", content, at) == (3, store, 1)
    )  # fmt: skip
    for reference, message in [
        ((1 << 31, store, 1), "row 0 is not stored whole"),
        ((3, store, 9), "row 0 is not stored whole"),
        ((3, store + 8, 1), "there is no store of rows at byte"),
        ((3, 1 << 60, 1), "behind the end of the file"),
        ((3, len(content) - 3, 1), ""),
    ]:
        path.write_bytes(content[:place] + struct.pack("<IQI", *reference) + content[place + 16 :])
        with pytest.raises(FileFormatError, match=f"a.h5 is damaged .*{message}"):
            read_spoken(path)[0]
    # A store that claims the bytes behind the file, and an object without an end.
    for at, number in ((store + 8, 1 << 50), (store + 24, 1 << 63)):
        path.write_bytes(content[:at] + struct.pack("<Q", number) + content[at + 8 :])
        with pytest.raises(FileFormatError, match=r"a.h5 is damaged"):
            read_spoken(path)[0]


def test_files_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"shd_train\.h5 does not exist: .*zenkelab"):
        datasets.load("shd", "train", tmp_path)
    os.mkfifo(tmp_path / "a.h5")
    with pytest.raises(FileFormatError, match="is a pipe, not a file"):
        read_spoken(tmp_path / "a.h5")
    spoken = read_spoken(write_spoken(tmp_path / "b.h5", HEARD, LABELS))
    (tmp_path / "b.h5").unlink()
    with pytest.raises(FileFormatError, match=r"b\.h5 is damaged .*No such file"):
        spoken[0]


def test_most_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_spoken(tmp_path / "a.h5", HEARD, LABELS)
    monkeypatch.setattr(shd, "MOST", 5)
    assert len(read_spoken(path)) == 5
    monkeypatch.setattr(shd, "MOST", 4)
    refused(path, "not one axis of up to 4")
