"""N-MNIST: its original format, one archive of arrays, and time bins."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.models import small

from spikeloom.sw import datasets
from spikeloom.sw.datasets import Binning
from spikeloom.sw.datasets.binning import bin_events
from spikeloom.sw.datasets.events import NMNIST, decode_nmnist
from spikeloom.sw.errors import ConfigError, DataError, FileFormatError
from spikeloom.sw.network import BernoulliInput, CountInput, SpikeInput

Array = np.ndarray[Any, Any]
Event = tuple[int, int, int, int]

#: x, y, p, t of two recordings.
FIRST: list[Event] = [(0, 1, 1, 5), (33, 33, 0, 300_000), (7, 2, 1, 70_000)]
SECOND: list[Event] = [(3, 4, 0, 0), (3, 4, 0, 1)]


def encoded(events: list[Event]) -> bytes:
    """Return events as the camera's tools write them: 8 + 8 + 1 + 23 bits, big-endian."""
    return b"".join((x << 32 | y << 24 | p << 23 | t).to_bytes(5, "big") for x, y, p, t in events)


def write_original(folder: Path, split: str, files: dict[str, list[Event]]) -> Path:
    for name, events in files.items():
        path = folder / split / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(events))
    return folder


def arrays(split: str, events: list[Event], offsets: list[int], labels: list[int]) -> Any:
    x, y, p, t = np.array(events).T
    parts = {"x": x, "y": y, "p": p, "t": t, "off": offsets, "label": labels}
    return {f"{split}_{name}": np.asarray(values) for name, values in parts.items()}


def read_nmnist(path: Path, split: str) -> list[tuple[list[Event], int]]:
    """Return the recordings in a folder: their events, and their labels."""
    read = NMNIST().recordings(split, path)
    assert read.labels.tolist() == [read[i][1] for i in range(len(read))]
    return [(read[i][0][["x", "y", "p", "t"]].tolist(), read[i][1]) for i in range(len(read))]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 255),
            st.integers(0, 239),
            st.integers(0, 1),
            st.integers(0, 2**23 - 1),
        ),
        min_size=1,
    )
)
def test_events_are_decoded(events: list[Event]) -> None:
    decoded = decode_nmnist(encoded(events), "a.bin")
    assert decoded[["x", "y", "p", "t"]].tolist() == events


def test_overflows_add_to_the_time_of_what_follows() -> None:
    events = [(1, 2, 0, 8000), (0, 240, 0, 0), (3, 4, 1, 10), (0, 240, 1, 0), (5, 6, 1, 20)]
    found = decode_nmnist(encoded(events), "a.bin").tolist()
    assert found == [(1, 2, 0, 8000), (3, 4, 1, 2**13 + 10), (5, 6, 1, 2 * 2**13 + 20)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.bin holds no events: get it again"),
        (encoded([(0, 240, 0, 0)]), "holds no events"),
        (b"\0" * 14, "has 14 bytes, which is no whole number of events of 5 bytes: it is cut"),
    ],
)
def test_files_that_hold_no_events(content: bytes, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        decode_nmnist(content, "a.bin")


def test_original_files_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    files = {"7/00001.bin": FIRST, "0/00002.bin": SECOND, "7/00003.bin": SECOND}
    write_original(tmp_path, "Test", files)
    assert read_nmnist(tmp_path, "test") == [(FIRST, 7), (SECOND, 0), (SECOND, 7)]


def write_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_the_original_archive_in_any_order(tmp_path: Path, method: int) -> None:
    files = {f"Test/7/{k:05}.bin": encoded(FIRST * k) for k in (3, 1)}
    files |= {"Test/": b"", "Test/0/00002.bin": encoded(SECOND), "Test/notes.bin": b"x"}
    write_zip(tmp_path / "Test.zip", files, method)
    assert read_nmnist(tmp_path, "test") == [(FIRST, 7), (SECOND, 0), (FIRST * 3, 7)]
    (tmp_path / "Train.zip").write_bytes(b"nonsense")
    with pytest.raises(FileFormatError, match=r"Train\.zip is damaged or no zip archive"):
        datasets.load("nmnist", "train", tmp_path)
    write_zip(tmp_path / "Train.zip", {"Train/notes.bin": b"x"})
    with pytest.raises(FileFormatError, match=r"Train\.zip holds no recordings"):
        datasets.load("nmnist", "train", tmp_path)


def test_the_archive_is_compared_with_the_published_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_zip(tmp_path / "Test.zip", {"Test/7/1.bin": encoded(FIRST)})
    datasets.load("nmnist", "test", tmp_path)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{path} is not as published for nmnist: it is damaged")
    caplog.clear()
    right = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(NMNIST, "archives", {"Test.zip": right})
    for _ in range(2):
        datasets.load("nmnist", "test", tmp_path)
        # It is not hashed again.
        monkeypatch.setattr(NMNIST, "is_published_archive", None)
    assert not caplog.records


@pytest.mark.parametrize("named", [True, False])
def test_an_archive_holds_the_same(tmp_path: Path, named: bool) -> None:
    path = tmp_path / "some.npz"
    np.savez(path, **arrays("train", FIRST + SECOND, [0, 3, 5], [7, 0]))
    read = read_nmnist(path if named else tmp_path, "train")
    assert read == [(FIRST, 7), (SECOND, 0)]
    write_original(tmp_path, "Train", {"7/1.bin": FIRST, "0/2.bin": SECOND})
    assert read_nmnist(tmp_path, "train") == read


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        FileFormatError, match=r"Train does not exist, .* there is no .npz file eit"
    ):
        read_nmnist(tmp_path, "train")
    for name in ("a.npz", "b.npz"):
        np.savez(tmp_path / name, x=np.ones(1))
    with pytest.raises(FileFormatError, match=r"there are 2 \.npz files: name the folder"):
        read_nmnist(tmp_path, "train")
    (tmp_path / "Train" / "0").mkdir(parents=True)
    with pytest.raises(FileFormatError, match=r"Train holds no recordings: .*0/\*\.bin and so on"):
        read_nmnist(tmp_path, "train")
    with pytest.raises(FileFormatError, match=r"data file .*none\.npz does not exist"):
        read_nmnist(tmp_path / "none.npz", "train")


def test_archives_that_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    good = arrays("train", FIRST, [0, 3], [7])
    for broken, message in [
        ({k: v for k, v in good.items() if k != "train_p"}, "lacks the array 'train_p'"),
        (good | {"train_x": np.ones(3)}, "train_x in .* must be integers along one axis, not floa"),
        (good | {"train_t": np.ones((3, 1), int)}, r"not int64 of shape \(3, 1\)"),
        (good | {"train_x": np.ones(2, int)}, "x, y, p and t each, but there are {'x': 2, 'y': 3"),
        (good | {"train_off": np.array([0, 2])}, "from 0 to the number of events 3, not from 0"),
        (good | {"train_off": np.array([1, 3])}, "must rise from 0"),
        (good | {"train_off": np.array([0, 2, 3])}, "1 labels need 2 offsets, .* there are 3"),
        (
            arrays("train", FIRST, [0, 3, 3], [7, 1]),
            "recording 1 has no events: leave it out",
        ),
        (arrays("train", FIRST, [0, 4, 3], [7, 1]), "must rise from 0 to"),
    ]:  # fmt: skip
        np.savez(path, **broken)
        with pytest.raises((FileFormatError, DataError), match=message):
            read_nmnist(path, "train")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FileFormatError, match=r"a.npz is damaged or no .npz file"):
        read_nmnist(path, "train")
    path.write_bytes(b"nonsense")
    with pytest.raises(FileFormatError, match=r"is damaged or no \.npz file"):
        read_nmnist(path, "train")


def bins(events: list[Event], timesteps: int, highest: int, shape: tuple[int, int, int]) -> Array:
    x, y, p, t = np.array(events).T
    return bin_events(x, y, p, t, np.array([0, len(events)]), timesteps, highest, shape)


def test_bins_by_hand() -> None:
    # 10 to 19: ten units of time in four bins, from 10, 12.5, 15 and 17.5 on.
    times = [10, 12, 13, 14, 15, 17, 18, 19, 19]
    events = [(t % 3, 1, t % 2, t) for t in times]
    binned = bins(events, 4, 255, (2, 2, 3))
    assert (binned.dtype, binned.shape) == (np.uint8, (1, 4, 2, 2, 3))
    expected = np.zeros((4, 2, 2, 3), int)
    for t, step in zip(times, [0, 0, 1, 1, 2, 2, 3, 3, 3], strict=True):
        expected[step, t % 2, 1, t % 3] += 1
    assert np.array_equal(binned[0], expected)
    assert np.array_equal(bins(events, 4, 1, (2, 2, 3))[0], np.minimum(expected, 1))


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 2), st.integers(0, 1), st.integers(0, 1), st.integers(0, 2**23 - 1)
            ),
            min_size=1,
            max_size=8,
        ),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 9),
    st.integers(1, 3),
    st.lists(st.sampled_from("bBhHiIlL"), min_size=3, max_size=3),
)
def test_bins_count_every_event_once(
    events: list[list[Event]], timesteps: int, highest: int, types: list[str]
) -> None:
    x, y, p, t = np.array([event for recording in events for event in recording]).T
    x, y, p = (values.astype(kind) for values, kind in zip((x, y, p), types, strict=True))
    offsets = np.cumsum([0, *map(len, events)])
    binned = bin_events(x, y, p, t, offsets, timesteps, highest, (2, 2, 3))
    for index, recording in enumerate(events):
        expected = np.zeros((timesteps, 2, 2, 3), int)
        start, end = min(e[3] for e in recording), max(e[3] for e in recording)
        for column, row, polarity, time in recording:
            expected[(time - start) * timesteps // (end - start + 1), polarity, row, column] += 1
        assert np.array_equal(binned[index], np.minimum(expected, highest))
        # The first and the last bin are never empty but where one event is both.
        assert expected[0].any()
        assert expected[-1].any() or end - start < timesteps - 1


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ((34, 0, 0, 0), "event 1 has the column 34, which must be from 0 to 33: these are record"),
        ((0, 34, 0, 0), "event 1 has the row 34"),
        ((0, 0, 2, 0), "event 1 has the polarity 2, which must be from 0 to 1"),
        ((-1, 0, 0, 0), "event 1 has the column -1"),
    ],
)
def test_events_of_another_sensor(event: Event, message: str) -> None:
    with pytest.raises(DataError, match=message):
        bins([(0, 0, 0, 0), event], 2, 1, (2, 34, 34))


@pytest.mark.parametrize(("timesteps", "highest"), [(0, 1), (4097, 1), (2.0, 1), (True, 1)])
def test_numbers_of_bins_that_cannot_be(timesteps: Any, highest: int) -> None:
    with pytest.raises(
        ConfigError, match="timesteps of binned events must be an integer from 1 to"
    ):
        bins(FIRST, timesteps, highest, (2, 34, 34))


@pytest.mark.parametrize("highest", [0, 256, 1.5])
def test_highest_counts_that_cannot_be(highest: Any) -> None:
    with pytest.raises(
        ConfigError, match="highest of binned events must be an integer from 1 to 25"
    ):
        bins(FIRST, 1, highest, (2, 34, 34))


# --- as a data set --------------------------------------------------------------------------------


def write_nmnist(folder: Path) -> Path:
    """Write three recordings of two events each: pixel (label, label), on and off."""
    for name, label in (("00001", 4), ("00002", 0), ("00003", 9)):
        path = folder / "Test" / str(label) / f"{name}.bin"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes([label, label, 0x80, 0, 0, label, label, 0, 0, 99]))
    return folder


def test_recordings_have_spikes_and_their_sums(tmp_path: Path) -> None:
    data = datasets.load("nmnist", "test", write_nmnist(tmp_path))
    assert data.labels.tolist() == [4, 0, 9]
    assert (data.steps, data.shape, data.timed_shape) == (8, (2, 34, 34), (8, 2, 34, 34))
    assert data.spikes is not None
    assert np.argwhere(data.spikes[0]).tolist() == [[0, 1, 4, 4], [7, 0, 4, 4]]
    assert np.array_equal(data.images, data.spikes.sum(1))
    assert (data.bits, data.scale, data.images.dtype) == (4, 1 / 8, np.uint8)
    assert data.inputs().shape == (3, 2, 34, 34)
    first = data.head(2).spikes
    assert first is not None
    assert np.array_equal(first, data.spikes[:2])


def test_recordings_in_chosen_bins(tmp_path: Path) -> None:
    data = datasets.load("nmnist", "test", write_nmnist(tmp_path), Binning(1, 3))
    assert (data.steps, data.bits, data.scale) == (1, 2, 1 / 3)
    assert data.images.sum() == 6
    with pytest.raises(ConfigError, match="at most 255, not 128 bins of up to 2: take fewer time"):
        Binning(128, 2)


def test_images_for_a_network(tmp_path: Path) -> None:
    timed, still = SpikeInput((2, 34, 34), 5, 3), CountInput((2, 34, 34), 15)
    assert Binning.of(still) is Binning.of(BernoulliInput((2, 34, 34), 8, 5)) is None
    binning = Binning.of(timed)
    assert binning == Binning(5, 3)
    data = datasets.load("nmnist", "test", write_nmnist(tmp_path), binning)
    assert data.images_for(timed) is data.spikes
    assert data.images_for(still) is data.images
    first = datasets.first_images("nmnist", timed, 1, tmp_path)
    assert np.array_equal(first, data.spikes[:1])
    digits = small.digits("test")
    assert (digits.steps, digits.timed_shape) == (None, (1, 8, 8))
    assert digits.images_for(still) is digits.images
    with pytest.raises(DataError, match="time axis of 5 timesteps, but digits has still images"):
        digits.images_for(timed)
    other = datasets.load("nmnist", "test", tmp_path)
    with pytest.raises(DataError, match=r"5 timesteps, but nmnist was put into 8 bins: load it"):
        other.images_for(timed)


def test_recordings_need_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nmnist does not come with Spikeloom: name .* \.npz"):
        datasets.load("nmnist", "test")
    with pytest.raises(FileFormatError, match="Train does not exist"):
        datasets.load("nmnist", "train", write_nmnist(tmp_path))


@pytest.mark.data
def test_recordings_of_the_event_camera(data_root: Path) -> None:
    train = datasets.load("nmnist", "train", data_root / "nmnist")
    test = datasets.load("nmnist", "test", data_root / "nmnist")
    assert len(train) >= 1000
    assert len(test) >= 100
    for data in (train, test):
        assert data.timed_shape == (8, 2, 34, 34)
        assert set(data.labels) == set(range(10))
        # Some thousand events each, in every bin, of both polarities.
        assert data.spikes is not None
        assert data.spikes.max() == 1
        assert data.spikes.any((3, 4)).mean() > 0.9
        assert 500 < data.images.sum((1, 2, 3)).mean() < 9000
    # The nearest training image mostly shows the same digit: events and labels belong together.
    flat, other = (d.images.reshape(len(d), -1).astype(float) for d in (train, test))
    near = ((flat**2).sum(1) - 2 * other @ flat.T).argmin(1)
    assert (train.labels[near] == test.labels).mean() > 0.7


def test_times_that_are_too_far_apart() -> None:
    zero, times = np.zeros(2, np.int64), np.array([-(2**62), 2**62])
    with pytest.raises(DataError, match="recording 0 is from -4611686018427387904 to"):
        bin_events(zero, zero, zero, times, np.array([0, 2]), 3, 1, (2, 1, 1))
