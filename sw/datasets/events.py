"""N-MNIST, in its original files, packed or not, or in one ``.npz`` file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from spikeloom.sw import numpy_file
from spikeloom.sw.datasets.aedat import EVENT
from spikeloom.sw.datasets.arrays import Array
from spikeloom.sw.datasets.event_data import EventData, Labelled, Recorded
from spikeloom.sw.datasets.packed import File, members
from spikeloom.sw.errors import DataError, FileFormatError
from spikeloom.sw.files import read_bytes

CLASSES = 10
#: Bytes of one event in an original file.
_EVENT_BYTES = 5
#: Row of an entry that is no event, but says that the sensor's clock has wrapped around again.
_OVERFLOW_ROW = 240
#: Microseconds after which the clock wraps around.
_OVERFLOW = 1 << 13


@dataclass(frozen=True, eq=False)
class Recordings:
    """Labelled recordings of an event camera, one after the other.

    Parameters
    ----------
    x, y : array of integers, shape (events,)
        Column and row, from the upper left.
    p : array of integers, shape (events,)
        Polarity: 0 where it became darker, 1 where brighter.
    t : array of int64, shape (events,)
        Microseconds.
    offsets : array of int64, shape (N + 1,)
        Recording i has the events from ``offsets[i]`` to before ``offsets[i + 1]``.
    labels : array of int64, shape (N,)
    """

    x: Array
    y: Array
    p: Array
    t: Array
    offsets: Array
    labels: Array

    def __post_init__(self) -> None:
        events = {name: len(getattr(self, name)) for name in "xypt"}
        if len(set(events.values())) > 1:
            raise DataError(f"events must have x, y, p and t each, but there are {events} of them")
        offsets = self.offsets
        if len(offsets) != len(self.labels) + 1 or len(self.labels) == 0:
            raise DataError(
                f"{len(self.labels)} labels need {len(self.labels) + 1} offsets, and at least one "
                f"label: there are {len(offsets)}"
            )
        if offsets[0] != 0 or offsets[-1] != len(self.x) or (np.diff(offsets) < 0).any():
            raise DataError(
                f"offsets must rise from 0 to the number of events {len(self.x)}, not from "
                f"{offsets[0]} to {offsets[-1]}"
            )
        empty = np.flatnonzero(np.diff(offsets) == 0)
        if empty.size:
            raise DataError(f"recording {empty[0]} has no events: leave it out")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Array, int]:
        chosen = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        events = np.empty(chosen.stop - chosen.start, EVENT)
        for name in "xypt":
            events[name] = getattr(self, name)[chosen]
        return events, int(self.labels[index])


class NMNIST(EventData):
    """MNIST's images as an event camera saw them: two polarities of 34x34 pixels, in time bins.

    The user's folder may hold the original folders, ``Train/0 ... 9/*.bin`` and
    ``Test/0 ... 9/*.bin``; or ``Train.zip`` and ``Test.zip``, which hold these; or one ``.npz``
    file of arrays ``train_x``, ``train_y``, ``train_p``, ``train_t``, ``train_off`` (offsets, one
    more than recordings), ``train_label``, and the same of ``test``. Original recordings come in
    the order of their names, which is MNIST's.

    Orchard et al., "Converting static image datasets to spiking neuromorphic datasets using
    saccades", Frontiers in Neuroscience 9:437, 2015.
    """

    name = "nmnist"
    needs = "the original Train and Test folders, or their .zip files, or one .npz file"
    origin = "www.garrickorchard.com/datasets/n-mnist"
    archives: ClassVar[Mapping[str, str]] = {
        "Train.zip": "20959b8e626244a1b502305a9e6e2031",
        "Test.zip": "69ca8762b2fe404d9b9bad1103e97832",
    }
    sensor = (2, 34, 34)
    classes = CLASSES

    def recordings(self, split: str, folder: Path) -> Labelled:
        inner = folder / split.capitalize()
        if inner.is_dir():
            return _recorded(inner, _in_folder(inner))
        packed = folder / f"{split.capitalize()}.zip"
        if packed.is_file():
            self.warn_unless_published(packed)
            return _recorded(packed, _in_zip(packed))
        archives = [folder] if folder.suffix == ".npz" else sorted(folder.glob("*.npz"))
        if len(archives) == 1:
            return _read_archive(archives[0], split)
        found = f"are {len(archives)} .npz files" if archives else "is no .npz file either"
        raise FileFormatError(
            f"{inner} does not exist, nor {packed.name}, and in {folder} there {found}: name the "
            f"folder that holds the original Train and Test of N-MNIST, or one .npz file"
        )


def decode_nmnist(content: bytes, path: object) -> Array:
    """Return the events in an original N-MNIST file's ``content``.

    An event is 5 bytes: x; y; then, big-endian, the polarity in the highest bit and the time in
    microseconds in the other 23. Entries at row 240 are no events: each adds 2^13 microseconds to
    the time of all events that follow.

    Parameters
    ----------
    content : bytes
    path : object
        The file, for messages.

    Returns
    -------
    array of EVENT, shape (events,)

    Raises
    ------
    FileFormatError
        If it is not a whole number of events, or has no events.
    """
    if len(content) % _EVENT_BYTES:
        raise FileFormatError(
            f"{path} has {len(content)} bytes, which is no whole number of events of "
            f"{_EVENT_BYTES} bytes: it is cut short or no N-MNIST file"
        )
    raw = np.frombuffer(content, np.uint8).reshape(-1, _EVENT_BYTES)
    events: Array = np.empty(len(raw), EVENT)
    events["x"], events["y"], events["p"] = raw[:, 0], raw[:, 1], raw[:, 2] >> 7
    high, middle, low = (raw[:, k].astype(np.int64) for k in (2, 3, 4))
    overflow = events["y"] == _OVERFLOW_ROW
    events["t"] = ((high & 0x7F) << 16 | middle << 8 | low) + overflow.cumsum() * _OVERFLOW
    events = events[~overflow]
    if not len(events):
        raise FileFormatError(f"{path} holds no events: get it again")
    return events


#: File name, label and file of a recording.
_Named = tuple[str, int, File]


def _in_folder(folder: Path) -> Iterator[_Named]:
    for label in range(CLASSES):
        for path in folder.glob(f"{label}/*.bin"):
            yield path.name, label, File(path)


def _in_zip(path: Path) -> Iterator[_Named]:
    for member in members(path, ".bin"):
        if len(member.folder) == 1 and member.folder in "0123456789":
            yield member.name, int(member.folder), member


def _recorded(place: Path, found: Iterator[_Named]) -> Labelled:
    """Return recordings in the order of their names.

    By label, the first thousand would all show the digit 0.
    """
    named = sorted(found, key=lambda item: item[:2])
    if not named:
        raise FileFormatError(
            f"{place} holds no recordings: {place / '0'}/*.bin and so on, one folder for each "
            f"digit, as in N-MNIST's archive"
        )
    labels = np.array([label for _, label, _ in named], np.int64)
    return Recorded([file for _, _, file in named], labels, decode_nmnist)


def _read_archive(path: Path, split: str) -> Recordings:
    """Return the recordings of one split in an ``.npz`` file."""
    content = read_bytes(path, "data file")
    names = [f"{split}_{part}" for part in ("x", "y", "p", "t", "off", "label")]
    try:
        found = numpy_file.arrays(content)
    except ValueError as error:
        raise FileFormatError(
            f"{path} is damaged or no .npz file ({error}): get it again"
        ) from None
    missing = [name for name in names if name not in found]
    if missing:
        raise FileFormatError(f"{path} lacks the array {missing[0]!r}: it holds no N-MNIST events")
    arrays = [found[name] for name in names]
    for name, array in zip(names, arrays, strict=True):
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise DataError(
                f"{name} in {path} must be integers along one axis, not {array.dtype} of shape "
                f"{array.shape}"
            )
    x, y, p, t, offsets, labels = arrays
    return Recordings(
        x, y, p, t.astype(np.int64), offsets.astype(np.int64), labels.astype(np.int64)
    )
