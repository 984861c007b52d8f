"""Recordings of events of the user's own, as tonic's data sets hold them, binned when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spikeloom.sw.datasets.arrays import Array, IntArray
from spikeloom.sw.datasets.binning import Binning, bin_events
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.items import class_names, item_labels, pair
from spikeloom.sw.datasets.labels import labels_of
from spikeloom.sw.datasets.lazy import LazyImages
from spikeloom.sw.errors import DataError


class Binned(LazyImages):
    """The spikes of recordings, which are binned when they are asked for.

    Parameters
    ----------
    data : sequence of (events, label)
    binning : Binning
    shape : (int, int, int)
        (polarities, height, width).
    name : str
        For messages.
    """

    def __init__(
        self, data: Sequence[Any], binning: Binning, shape: tuple[int, int, int], name: str
    ) -> None:
        self.data, self.binning, self.name = data, binning, name
        self.shape = (len(data), binning.timesteps, *shape)
        self.dtype = np.dtype(np.uint8)

    def read(self, numbers: IntArray) -> Array:
        spikes = np.empty((len(numbers), *self.shape[1:]), np.uint8)
        for place, index in enumerate(numbers.tolist()):
            spikes[place] = self._binned(index)
        return spikes

    def _binned(self, index: int) -> Array:
        name = f"item {index} of {self.name}"
        events, _ = pair(self.data[index], name)
        if not is_recording(events):
            raise DataError(f"{name} is no recording: events have the fields x, y, t and p")
        if len(events) == 0:
            raise DataError(f"{name} has no events: leave it out")
        x, t = events["x"], _whole(events["t"], name)
        y = events["y"] if "y" in events.dtype.names else np.zeros_like(x)
        # A sensor with one polarity may write any number there.
        one = self.shape[2] == 1 or "p" not in events.dtype.names
        p = np.zeros_like(x) if one else events["p"]
        offsets = np.array([0, len(events)])
        steps, highest = self.binning.timesteps, self.binning.highest
        _, _, polarities, height, width = self.shape
        try:
            binned = bin_events(x, y, p, t, offsets, steps, highest, (polarities, height, width))
        except DataError as error:
            raise DataError(f"{name}: {error}") from None
        return binned.reshape(self.shape[1:])


class Summed(LazyImages):
    """Spikes, added up over their time axis.

    Parameters
    ----------
    spikes : LazyImages, shape (N, T, channels, height, width)
        Whose sums fit 8 bits.
    """

    def __init__(self, spikes: LazyImages) -> None:
        self.spikes = spikes
        self.shape = (spikes.shape[0], *spikes.shape[2:])
        self.dtype = np.dtype(np.uint8)

    def read(self, numbers: IntArray) -> Array:
        return np.asarray(self.spikes.read(numbers).sum(1, dtype=np.uint8))


def is_recording(item: Any) -> bool:
    """Return whether an item is an array of events, with fields x and t at least."""
    return isinstance(item, np.ndarray) and {"x", "t"} <= set(item.dtype.names or ())


def from_events(
    data: Sequence[Any],
    *,
    shape: tuple[int, int, int] | None = None,
    binning: Binning | None = None,
    classes: int | Sequence[str] | None = None,
    name: str = "",
) -> Dataset:
    """Return a data set of recordings of events.

    Parameters
    ----------
    data : sequence of (events, label)
        Any object with ``__len__`` and ``__getitem__``, such as a data set of tonic's. Events are
        a structured array with the fields ``x``, ``y``, ``t`` and ``p`` (column, row, time in any
        unit, polarity 0 or 1) in any order; ``y`` and ``p`` may be missing. Recordings are read
        and binned when they are asked for.
    shape : (int, int, int), optional
        (polarities, height, width) of the sensor; by default from the data's ``sensor_size``,
        which is (width, height, polarities), as in tonic.
    binning : Binning, optional
        ``Binning()`` by default.
    classes : int, or sequence of str, optional
        As for :meth:`Dataset.from_arrays`.
    name : str
        By default the name of the data's class.

    Raises
    ------
    DataError
        If the shape is not known, or recordings or labels cannot be taken.
    """
    name = name or type(data).__name__
    shape = shape or _sensor(data)
    if shape is None:
        raise DataError(
            f"{name} has no sensor_size: say how large its sensor is, from_events(data, "
            f"shape=(polarities, height, width))"
        )
    binning = binning or Binning()
    labels, count, names = labels_of(item_labels(data, name), len(data), classes, name)
    if classes is None and names is None:
        names = class_names(data, int(labels.max()))
        count = count if names is None else len(names)
    spikes = Binned(data, binning, shape, name)
    spikes.read(np.array([0, len(data) - 1]))
    most = binning.timesteps * binning.highest
    return Dataset(
        name,
        Summed(spikes),
        labels,
        most.bit_length(),
        count,
        1 / most,
        spikes,
        names,
    )


#: Spans of time below this are none, in any unit.
_SHORTEST = 1e-20


def _whole(times: Array, name: str) -> Array:
    """Return times as integers; fractions of a second, say, as shares of the recording."""
    if times.dtype.kind != "f":
        return times
    if times.dtype.itemsize < 4:
        times = times.astype(np.float64)
    if not np.isfinite(times).all():
        raise DataError(f"{name} has times that are not finite: find where they come from")
    since = times - times.min()
    span = float(since.max())
    if span < _SHORTEST:
        return np.zeros(len(times), np.int64)
    return np.asarray(since * ((1 << 30) / span), np.int64)


def _sensor(data: Any) -> tuple[int, int, int] | None:
    """Return (polarities, height, width) of tonic's attribute, also of the data behind a subset."""
    size = getattr(data, "sensor_size", None)
    if size is None:
        return _sensor(data.dataset) if hasattr(data, "dataset") else None
    width, height, polarities = (int(x) for x in size)
    return polarities, height, width
