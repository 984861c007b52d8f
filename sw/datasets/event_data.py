"""Data sets of recordings of events: the loader that they share, and recordings in files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from spikeloom.sw.datasets.arrays import Array, IntArray
from spikeloom.sw.datasets.binning import Binning
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.lazy import LazyImages, in_memory
from spikeloom.sw.datasets.loader import Loader
from spikeloom.sw.datasets.packed import File
from spikeloom.sw.datasets.recordings import Binned, Summed


class Labelled(Protocol):
    """Recordings with labels; ``recordings[i]`` is (events, label), read when it is asked for."""

    @property
    def labels(self) -> IntArray: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[Array, int]: ...


class Recorded:
    """Recordings in a file each.

    Parameters
    ----------
    files : sequence of File
    labels : array of int64, shape (N,)
    decode : callable
        Returns the events in the content of a file, which is also given, for messages.
    """

    def __init__(
        self, files: Sequence[File], labels: IntArray, decode: Callable[[bytes, File], Array]
    ) -> None:
        self.files, self.labels, self.decode = files, labels, decode

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Array, int]:
        file = self.files[index]
        return self.decode(file.read(), file), int(self.labels[index])


class EventData(Loader):
    """A data set of recordings, which are put into time bins.

    The time from a recording's first event to its last is cut into equally long bins. Up to a
    gibibyte of bins is held in memory; of more, recordings are read and binned when they are
    asked for.

    Attributes
    ----------
    sensor : (int, int, int)
        (polarities, height, width).
    classes : int
    class_names : tuple of str, optional
    """

    timed = True
    sensor: ClassVar[tuple[int, int, int]]
    classes: ClassVar[int]
    class_names: ClassVar[tuple[str, ...] | None] = None

    @abstractmethod
    def recordings(self, split: str, folder: Path) -> Labelled:
        """Return the recordings of one split, of which there is at least one.

        Parameters
        ----------
        split : {"train", "test"}
        folder : Path
            The user's.
        """

    def load(self, split: str, root: str | Path | None, binning: Binning) -> Dataset:
        recordings: Any = self.recordings(split, self.folder(root))
        spikes: Any = in_memory(Binned(recordings, binning, self.sensor, self.name))
        lazy = isinstance(spikes, LazyImages)
        images = Summed(spikes) if lazy else spikes.sum(1, dtype=np.uint8)
        most = binning.timesteps * binning.highest
        return Dataset(
            self.name,
            images,
            recordings.labels,
            most.bit_length(),
            self.classes,
            1 / most,
            spikes,
            self.class_names,
        )
