"""Time bins: their number and size, and the events of recordings counted in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.network import Input

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Binning:
    """Time bins in which the events of a recording are counted.

    Parameters
    ----------
    timesteps : int
        Number of equally long time bins.
    highest : int
        Largest count of a pixel and polarity in one bin; a bin with more events has this count. A
        pixel's sum over all bins must fit 8 bits: ``timesteps * highest`` is at most 255.
    """

    timesteps: int = 8
    highest: int = 1

    def __post_init__(self) -> None:
        if self.timesteps < 1 or self.highest < 1 or self.timesteps * self.highest > 255:
            raise ConfigError(
                f"events can be put into bins whose sum is at most 255, not {self.timesteps} bins "
                f"of up to {self.highest}: take fewer timesteps or a smaller highest value"
            )

    @staticmethod
    def of(source: Input) -> Binning | None:
        """Return the binning for a network's input; None if its images have no time axis."""
        steps = source.image_steps
        return None if steps is None else Binning(steps, source.values().high)


def bin_events(
    x: Array,
    y: Array,
    p: Array,
    t: Array,
    offsets: Array,
    timesteps: int,
    highest: int,
    shape: tuple[int, int, int],
) -> npt.NDArray[np.uint8]:
    """Count events per pixel, polarity and time bin.

    The time from a recording's first event to its last is cut into equally long bins, so that no
    recording depends on another.

    Parameters
    ----------
    x, y, p, t : array of integers, shape (events,)
        Column, row, polarity (0 or 1) and time in any unit; the events of one recording need not
        be sorted.
    offsets : array of integers, shape (N + 1,)
        Recording i has the events from ``offsets[i]`` to before ``offsets[i + 1]``; none is empty.
    timesteps : int
        Number of bins, at least 1.
    highest : int
        Larger counts become this; 1 to 255. With 1, a bin shows only whether there was an event.
    shape : (int, int, int)
        (polarities, height, width).

    Returns
    -------
    array of uint8, shape (N, timesteps, *shape)

    Raises
    ------
    ConfigError
        If ``timesteps`` or ``highest`` is out of range.
    DataError
        If an event lies outside ``shape``.
    """
    for value, what, largest in ((timesteps, "timesteps", 4096), (highest, "highest", 255)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
            raise ConfigError(
                f"{what} of binned events must be an integer from 1 to {largest}, not {value!r}"
            )
    places = {"polarity": p, "row": y, "column": x}
    for (what, values), size in zip(places.items(), shape, strict=True):
        off = np.flatnonzero((values < 0) | (values >= size))
        if off.size:
            raise DataError(
                f"event {off[0]} has the {what} {values[off[0]]}, which must be from 0 to "
                f"{size - 1}: these are recordings of another sensor"
            )
    polarities, height, width = shape
    # Sums of signed and unsigned integers of 64 bits would not be integers.
    p, y, x = (values.astype(np.int64) for values in (p, y, x))
    place = (p * height + y) * width + x
    area = polarities * height * width
    binned = np.empty((len(offsets) - 1, timesteps, *shape), np.uint8)
    for index in range(len(binned)):
        events = slice(int(offsets[index]), int(offsets[index + 1]))
        since = t[events].astype(np.int64)
        first, last = int(since.min()), int(since.max())
        if (last - first) * timesteps >= 1 << 62:
            raise DataError(
                f"recording {index} is from {first} to {last}: no sensor records so long"
            )
        since -= first
        step = since * timesteps // (since.max() + 1)
        counts = np.bincount(step * area + place[events], minlength=timesteps * area)
        binned[index] = np.minimum(counts, highest).reshape(timesteps, *shape)
    return binned
