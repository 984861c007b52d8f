"""Recordings of event cameras: events in time bins, and N-MNIST in its original files.

Nothing here is ever downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikeloom.sw import numpy_file
from spikeloom.sw.datasets.binning import Binning, bin_events
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.loader import Loader
from spikeloom.sw.errors import DataError, FileFormatError
from spikeloom.sw.files import read_bytes

#: (polarities, height, width) of N-MNIST.
NMNIST_SHAPE = (2, 34, 34)
NMNIST_CLASSES = 10
#: Bytes of one event in an original file.
_EVENT_BYTES = 5
#: Row of an entry that is no event, but says that the sensor's clock has wrapped around again.
_OVERFLOW_ROW = 240
#: Microseconds after which the clock wraps around.
_OVERFLOW = 1 << 13

Array = npt.NDArray[Any]


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

    def bins(self, timesteps: int, highest: int, shape: tuple[int, int, int]) -> Array:
        """Return the counts of all recordings, as :func:`bin_events` does."""
        return bin_events(self.x, self.y, self.p, self.t, self.offsets, timesteps, highest, shape)


class NMNIST(Loader):
    """MNIST's images as an event camera saw them: two polarities of 34x34 pixels, in time bins."""

    name = "nmnist"
    needs = "the original Train and Test folders, or one .npz file"
    origin = "www.garrickorchard.com/datasets/n-mnist"

    def load(self, split: str, root: str | Path | None, binning: Binning) -> Dataset:
        recordings = read_nmnist(self.folder(root), split)
        spikes = recordings.bins(binning.timesteps, binning.highest, NMNIST_SHAPE)
        most = binning.timesteps * binning.highest
        return Dataset(
            self.name,
            spikes.sum(1, dtype=np.uint8),
            recordings.labels,
            most.bit_length(),
            NMNIST_CLASSES,
            1 / most,
            spikes,
        )


def read_nmnist(root: str | Path, split: str) -> Recordings:
    """Read N-MNIST.

    Parameters
    ----------
    root : path
        Folder with the original ``Train/0 ... 9/*.bin`` and ``Test/0 ... 9/*.bin``; or an ``.npz``
        file, or a folder with one, of arrays ``train_x``, ``train_y``, ``train_p``, ``train_t``,
        ``train_off`` (offsets, one more than recordings), ``train_label``, and the same of
        ``test``.
    split : {"train", "test"}

    Returns
    -------
    Recordings
        Of the original files in the order of their names, which is MNIST's.

    Raises
    ------
    FileFormatError
        If files are missing or damaged.
    DataError
        If events, offsets and labels do not fit each other.

    References
    ----------
    Orchard et al., "Converting static image datasets to spiking neuromorphic datasets using
    saccades", Frontiers in Neuroscience 9:437, 2015.
    """
    path = Path(root)
    folder = path / split.capitalize()
    if folder.is_dir():
        return _read_folder(folder)
    archives = [path] if path.suffix == ".npz" else sorted(path.glob("*.npz"))
    if len(archives) == 1:
        return _read_archive(archives[0], split)
    found = f"are {len(archives)} .npz files" if archives else "is no .npz file either"
    raise FileFormatError(
        f"{folder} does not exist, and in {path} there {found}: name the folder that holds the "
        f"original Train and Test of N-MNIST, or one .npz file"
    )


def decode_nmnist(content: bytes, path: str | Path) -> tuple[Array, Array, Array, Array]:
    """Return x, y, p and t of an original N-MNIST file's ``content``.

    An event is 5 bytes: x; y; then, big-endian, the polarity in the highest bit and the time in
    microseconds in the other 23. Entries at row 240 are no events: each adds 2^13 microseconds to
    the time of all events that follow.

    Parameters
    ----------
    content : bytes
    path : path
        For messages.

    Returns
    -------
    x, y, p : array of uint8, shape (events,)
    t : array of int64, shape (events,)

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
    x, y, p = raw[:, 0], raw[:, 1], raw[:, 2] >> 7
    high, middle, low = (raw[:, k].astype(np.int64) for k in (2, 3, 4))
    t = (high & 0x7F) << 16 | middle << 8 | low
    overflow = y == _OVERFLOW_ROW
    t += overflow.cumsum() * _OVERFLOW
    kept = ~overflow
    if not kept.any():
        raise FileFormatError(f"{path} holds no events: get it again")
    return x[kept], y[kept], p[kept], t[kept]


def _read_folder(folder: Path) -> Recordings:
    """Return the recordings below ``folder``, which has a folder for each label."""
    files = [
        (path.name, label, path)
        for label in range(NMNIST_CLASSES)
        for path in folder.glob(f"{label}/*.bin")
    ]
    if not files:
        raise FileFormatError(
            f"{folder} holds no recordings: {folder / '0'}/*.bin and so on, one folder for each "
            f"digit, as in N-MNIST's archive"
        )
    # By name: by label, the first thousand would all show the digit 0.
    files.sort()
    parts = [decode_nmnist(read_bytes(path, "recording"), path) for _, _, path in files]
    x, y, p, t = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    offsets = np.cumsum([0, *(len(part[0]) for part in parts)])
    return Recordings(x, y, p, t, offsets, np.array([label for _, label, _ in files]))


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
