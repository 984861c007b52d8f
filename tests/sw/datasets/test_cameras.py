"""DVS Gesture and CIFAR10-DVS, from files in their formats that are written here."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.recordings import NEW, Event, new_event, new_packet, old_file

from spikeloom.sw import datasets
from spikeloom.sw.datasets import Binning, event_data
from spikeloom.sw.errors import DataError, FileFormatError

#: Events of two people, of which each gesture has its own.
FIRST: list[Event] = [(k, 2 * k, k % 2, 1000 + 10 * k) for k in range(20)]
SECOND: list[Event] = [(127, 0, 1, 500), (0, 127, 0, 505), (64, 64, 1, 560)]
#: First line of a list of gestures.
HEAD = "class,startTime_usec,endTime_usec"


def write_gestures(folder: Path, labels: str | None = None) -> Path:
    """Write a recording for training, of two gestures, and one for the test, of one."""
    folder.mkdir(exist_ok=True)
    first, second = (
        NEW
        + new_packet([new_event(*e) for e in events[:2]])
        + new_packet([new_event(*e) for e in events[2:]])
        for events in (FIRST, SECOND)
    )
    files = {
        "trials_to_train.txt": b"user01_led.aedat\r\n\r\n",
        "trials_to_test.txt": b"user24_lab.aedat\n",
        "user01_led.aedat": first,
        "user01_led_labels.csv": (labels or f"{HEAD}\n2,1000,1100\n11,1100,1195\n").encode(),
        "user24_lab.aedat": second,
        "user24_lab_labels.csv": f"{HEAD}\r\n8, 500,\x1f506\r\n\r\n".encode(),
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def counted(events: list[Event], steps: int, highest: int) -> Any:
    """Return the spikes of a recording, event by event."""
    spikes = np.zeros((steps, 2, 128, 128), int)
    times = [event[3] for event in events]
    for x, y, p, t in events:
        spikes[(t - min(times)) * steps // (max(times) - min(times) + 1), p, y, x] += 1
    return np.minimum(spikes, highest)


@pytest.mark.parametrize("inner", ["", "DvsGesture"])
@pytest.mark.parametrize("streams", [False, True])
def test_gestures_are_spans_of_recordings(
    tmp_path: Path, inner: str, streams: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if streams:
        monkeypatch.setattr("spikeloom.sw.datasets.lazy.MEMORY", 0)
    write_gestures(tmp_path / inner)
    train = datasets.load("dvs-gesture", "train", tmp_path, Binning(4, 2))
    assert (train.streams, train.labels.tolist(), train.classes) == (streams, [1, 10], 11)
    assert train.timed_shape == (4, 2, 128, 128)
    assert train.class_names is not None
    assert train.class_names[10] == "other gestures"
    assert train.spikes is not None
    wanted = [counted(FIRST[:10], 4, 2), counted(FIRST[10:], 4, 2)]
    assert np.array_equal(train.spikes[:], wanted)
    assert np.array_equal(train.images[:], np.sum(wanted, 1))
    test = datasets.load("dvs-gesture", "test", tmp_path, Binning(1, 3))
    assert test.labels.tolist() == [7]
    assert test.spikes is not None
    assert np.array_equal(test.spikes[0], counted(SECOND[:2], 1, 3))


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ("a\n1,2", DataError, "line 2 of .*_labels.csv must be class, start .*'1,2'"),
        ("a\n1,-2,3", DataError, "line 2 of .* must be class"),
        ("a\n1,2,x", DataError, "must be class"),
        ("a\n\n12,1,2", DataError, "line 3 of .* says class 12 from 1 to 2: classes are 1 to 11"),
        ("a\n0,1,2", DataError, "says class 0"),
        ("a\n1,2,2", DataError, "a gesture ends after its start"),
        ("a\n1,0,9", DataError, "item 0 of dvs-gesture has no events: leave it out"),
        ("a\n", FileFormatError, "trials_to_train.txt lists no gestures"),
    ],
)  # fmt: skip
def test_lists_of_gestures_that_are_damaged(
    tmp_path: Path, labels: str, error: type[Exception], message: str
) -> None:
    write_gestures(tmp_path, labels)
    with pytest.raises(error, match=message):
        datasets.load("dvs-gesture", "train", tmp_path)


@pytest.mark.parametrize("name", ["../user01_led.aedat", "/etc/passwd", "user01_led.csv", "\xff"])
def test_lists_of_recordings_name_files_beside_them(tmp_path: Path, name: str) -> None:
    write_gestures(tmp_path)
    (tmp_path / "trials_to_train.txt").write_text(f"{name}\n", encoding="latin-1")
    with pytest.raises(DataError, match="which is no file of a recording"):
        datasets.load("dvs-gesture", "train", tmp_path)


def test_files_of_gestures_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"trials_to_test\.txt does not exist: .*\(from rese"):
        datasets.load("dvs-gesture", "test", tmp_path)
    write_gestures(tmp_path)
    (tmp_path / "user24_lab.aedat").unlink()
    with pytest.raises(FileFormatError, match=r"recording .*user24_lab\.aedat does not exist"):
        datasets.load("dvs-gesture", "test", tmp_path)
    (tmp_path / "user24_lab_labels.csv").unlink()
    with pytest.raises(FileFormatError, match=r"list .*user24_lab_labels\.csv does not exist"):
        datasets.load("dvs-gesture", "test", tmp_path)


def test_a_sensor_of_another_size(tmp_path: Path) -> None:
    write_gestures(tmp_path)
    (tmp_path / "user24_lab.aedat").write_bytes(NEW + new_packet([new_event(128, 0, 0, 500)]))
    with pytest.raises(DataError, match="item 0 of dvs-gesture: event 0 has the column 128"):
        datasets.load("dvs-gesture", "test", tmp_path)


KINDS = datasets.cameras.CIFAR10DVS.class_names


def write_moved(folder: Path, packed: bool) -> Path:
    """Write recordings 99, 100 and 7 of each class, one event each: at column 1, 2 and 3."""
    folder.mkdir(exist_ok=True)
    for row, kind in enumerate(KINDS):
        files = {
            f"{kind}/cifar10_{kind}_{number}.aedat": old_file([(column, row, 1, 0)])
            for number, column in ((99, 1), (100, 2), (7, 3))
        } | {f"{kind}/notes.aedat": b"x"}
        if packed:
            with zipfile.ZipFile(folder / f"{kind}.zip", "w") as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
            continue
        (folder / kind).mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_moved_images(tmp_path: Path, packed: bool) -> None:
    write_moved(tmp_path, packed)
    for split, columns in (("train", [2]), ("test", [3, 1])):
        data = datasets.load("cifar10-dvs", split, tmp_path, Binning(2, 1))
        assert data.labels.tolist() == [*range(10)] * len(columns)
        assert data.class_names == KINDS
        found = [(int(c), int(y), int(x)) for _, c, y, x in np.argwhere(data.images)]
        assert found == [(1, row, column) for column in columns for row in range(10)]


def test_moved_images_that_are_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"airplane does not exist, nor airplane\.zip: name"):
        datasets.load("cifar10-dvs", "test", tmp_path)
    write_moved(tmp_path, False)
    path = tmp_path / "dog" / "cifar10_dog_99.aedat"
    path.write_bytes(b"#!AER-DAT3.1\n")
    with pytest.raises(FileFormatError, match=r"cifar10_dog_99\.aedat is no such recording"):
        datasets.load("cifar10-dvs", "test", tmp_path)
    for kind in KINDS:
        (tmp_path / kind / f"cifar10_{kind}_100.aedat").unlink()
    with pytest.raises(
        FileFormatError, match=r"no recordings of the train split, such as .*_100\."
    ):
        datasets.load("cifar10-dvs", "train", tmp_path)


def test_recordings_stay_in_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikeloom.sw.datasets.lazy.MEMORY", 0)
    read = []
    whole = event_data.Recorded.__getitem__

    def noted(self: event_data.Recorded, index: int) -> Any:
        read.append(index)
        return whole(self, index)

    monkeypatch.setattr(event_data.Recorded, "__getitem__", noted)
    data = datasets.load("cifar10-dvs", "test", write_moved(tmp_path, True))
    assert (data.streams, read) == (True, [])
    assert data.images[[4]].sum() == 1
    assert read == [4]
