"""Load of an engine: an estimate of its clock cycles, from the events of sample images.

:mod:`spikeloom.hw.prediction` is exact, and follows all engines together, word by word. A search
that compares thousands of engines needs each one alone, and fast. So an engine is taken to need,
for each line of windows, as many cycles as the slowest of its parts: the scanner reads a word in
each, the elements take an event of every generator in each, and a neuron runs its timesteps. Waits
for rows are left out. An unrolled engine needs the same cycles for all images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np
import numpy.typing as npt

from spikeloom.hw.planning import LayerPlan, UnrolledPlan
from spikeloom.hw.planning.connection import ConnectionPlan
from spikeloom.hw.planning.windows import WindowPlan
from spikeloom.hw.prediction.words import kept_values
from spikeloom.sw.network.digits import digit_counts
from spikeloom.sw.network.record import IntArray

#: Events and words of connections that are kept, at most.
_PARTS = 64

FloatArray = npt.NDArray[np.float64]


class Load:
    """The cycles that engines of one layer need, for the same images.

    Parameters
    ----------
    plan : LayerPlan
        Any plan of the layer: what its connections store does not depend on lanes and events.
    activity : mapping of str to array of int64, shape (steps, N, *shape)
        The values that each source sends, as :func:`~spikeloom.hw.prediction.activity` gives them.
    """

    def __init__(self, plan: LayerPlan, activity: Mapping[str, IntArray]) -> None:
        recoded = plan.digits.recoded
        #: Of each connection, digits by image, step, row, column and channel.
        self._digits = []
        for reader in plan.readers:
            sent = reader.carried(activity[reader.connection.source])
            if not reader.feedback and reader.source.steps == 1 and len(sent) > 1:
                sent = sent.sum(0, keepdims=True)
            kept = digit_counts(kept_values(reader, sent), recoded)
            self._digits.append(np.ascontiguousarray(kept.transpose(1, 0, 3, 4, 2)))
        self._known: dict[tuple[object, ...], tuple[IntArray, IntArray]] = {}
        #: Events and words of single connections, by what they depend on.
        self._parts: dict[tuple[object, ...], IntArray] = {}

    def cycles(self, plan: LayerPlan) -> float:
        """Return the mean clock cycles per image of an engine, or of the pools ahead of it."""
        return float(self.lines(plan).sum(1).mean())

    def lines(self, plan: LayerPlan) -> FloatArray:
        """Return the clock cycles of each line of windows.

        Returns
        -------
        array of float64, shape (images, lines)
        """
        images, height = len(self._digits[0]), plan.target.height
        if isinstance(plan, UnrolledPlan):
            cycles = max(float(plan.interval), float(plan.target.transfers))
            return np.full((images, height), cycles / height)
        shared = any(reader.windows.share for reader in plan.readers)
        # Without shares, all lane groups read the same words.
        key = (
            plan.events,
            plan.copies,
            plan.compact,
            plan.lanes if shared else 0,
            *((r.windows.buffer.stream.lanes, r.windows.buffer.chunks) for r in plan.readers),
        )
        if key not in self._known:
            self._known[key] = self._parts_of(plan, shared)
        found = _lines(plan, *self._known[key]) * (1.0 if shared else plan.target.lane_groups)
        pools = (r.source.transfers * r.pool.cycles for r in plan.readers if r.pool)
        least = max(float(plan.target.transfers), *pools, 0.0)
        return found * max(least / float(found.sum(1).mean()), 1.0)

    def _parts_of(self, plan: LayerPlan, shared: bool) -> tuple[IntArray, IntArray]:
        """Return events and words of one lane group, or of all if they differ.

        Returns
        -------
        array of int64, shape (images, lines, copies, windows of a line)
            Events of the busiest generator, of each window of a copy, timestep and lane group.
        array of int64, shape (images, lines)
            Words that are read for each line by the copy that reads most.
        """
        groups = plan.target.lane_groups if shared else 1
        events = reduce(np.add, (self._events(*one) for one in enumerate(plan.readers)))
        words = reduce(np.add, (self._words(*one) for one in enumerate(plan.readers)))
        # By image, step, line, column, lane group; a single one of connections that have no shares.
        elements = np.max(events, -1)
        if plan.compact:
            # A word of zeros takes as long as an event.
            (reader,) = plan.readers
            elements = elements + self._zeros(reader)
        elements = np.maximum(elements, 1).transpose(0, 2, 3, 1, 4)
        elements = _by_copy(elements, plan.copies, 2).transpose(0, 1, 3, 2, 4, 5)
        read_by = _by_copy(words, plan.copies, 2).sum(2).max(-1)
        return elements.reshape(*elements.shape[:3], -1), read_by * groups

    def _events(self, index: int, reader: ConnectionPlan) -> IntArray:
        """Return the events of a connection, as of :func:`_events`."""
        windows = reader.windows
        stream, share = windows.buffer.stream, windows.share
        shared = (share, windows.buffer.word_values) if share else None
        key = ("events", index, stream.stored_channels, windows.events, shared)
        return self._part(key, lambda: _events(reader, self._digits[index]))

    def _words(self, index: int, reader: ConnectionPlan) -> IntArray:
        """Return the words of a connection by image, line and column, of all timesteps."""
        windows = reader.windows
        stream, share = windows.buffer.stream, windows.share
        size = windows.buffer.word_values
        key = ("words", index, stream.stored_channels, size, share and share.words)
        marked = windows.buffer.marked
        return self._part(key, lambda: _words(reader, self._digits[index], marked).sum(1))

    def _zeros(self, reader: ConnectionPlan) -> IntArray:
        """Return the words of zeros of the only connection: those that are read, but not marked."""
        windows = reader.windows
        if windows.buffer.marked or windows.share:
            return np.zeros((1, 1, 1, 1, 1), np.int64)
        key = ("zeros", windows.buffer.stream.stored_channels, windows.buffer.word_values)

        def made() -> IntArray:
            read, marked = (_words(reader, self._digits[0], marked) for marked in (False, True))
            return (read - marked)[..., None]

        return self._part(key, made)

    def _part(self, key: tuple[object, ...], made: Callable[[], IntArray]) -> IntArray:
        if key not in self._parts:
            if len(self._parts) == _PARTS:
                # The oldest is the least likely to be asked for again.
                del self._parts[next(iter(self._parts))]
            self._parts[key] = made()
        return self._parts[key]


def _lines(plan: LayerPlan, elements: IntArray, reading: IntArray) -> FloatArray:
    """Return the cycles of all lines, from what :meth:`Load._parts_of` returns."""
    neurons = plan.served
    windows = np.count_nonzero(elements, (2, 3))
    if plan.queue <= 1:
        elements = np.where(elements, np.maximum(elements, neurons), 0)
    lines = np.maximum(np.maximum(elements.sum(3).max(2), reading), neurons * windows)
    return lines.astype(np.float64)


def _events(reader: ConnectionPlan, digits: npt.NDArray[np.uint8]) -> IntArray:
    """Return the events of each window, by image, step, line, column, lane group and generator.

    There is a single lane group of a connection without shares.
    """
    windows = reader.windows
    stream, number = windows.buffer.stream, windows.events
    kernel, stride, padding = windows.kernel[1], windows.stride[1], windows.padding[1]
    images, steps, height, width, channels = digits.shape
    stored = np.zeros((images, steps, height, width, stream.stored_channels), np.int64)
    stored[..., :channels] = digits
    share = windows.share
    if share:
        size = windows.buffer.word_values
        parts = {
            first: stored[..., first * size : (first + share.words) * size]
            .reshape(*stored.shape[:-1], -1, number)
            .sum(-2)
            for first in set(share.firsts)
        }
        maps = np.stack([parts[first] for first in share.firsts], -2)
    elif stream.stored_channels % number == 0:
        maps = stored.reshape(*stored.shape[:-1], -1, number).sum(-2)[..., None, :]
    else:
        # Windows begin at multiples of E: a position is then a value, and E of them are one.
        flat = stored.reshape(images, steps, height, -1)
        flat = np.pad(flat, [(0, 0)] * 3 + [(0, -flat.shape[-1] % number)])
        maps = flat.reshape(images, steps, height, -1, 1, number)
        kernel, stride, padding = (
            -(-n * stream.stored_channels // number) for n in (kernel, stride, padding)
        )
    # Sums over columns, then over rows, of windows from sums of all that lies ahead.
    ahead = _ahead(maps, 3)
    first = np.arange(windows.shape[1]) * stride - padding
    low, high = np.maximum(first, 0), np.minimum(first + kernel, maps.shape[3])
    across = ahead[:, :, :, high] - ahead[:, :, :, low]
    ahead = _ahead(across, 2)
    low, high = _rows(windows)
    found = ahead[:, :, high] - ahead[:, :, low]
    result: IntArray = found[:, list(reader.steps)]
    return result


def _words(reader: ConnectionPlan, digits: npt.NDArray[np.uint8], marked: bool) -> IntArray:
    """Return the words of each window by image, step, line and column; or only those with a mark.

    If none has a mark, one is read.
    """
    windows = reader.windows
    buffer = windows.buffer
    images, steps, height, width, channels = digits.shape
    low, high = _rows(windows)
    counts = np.array([column.words for column in windows.columns])
    if not marked:
        words = (high - low)[:, None] * counts
        return np.broadcast_to(words, (images, len(reader.steps), *words.shape))
    stored = np.zeros((images, steps, height, buffer.row_words * buffer.word_values), bool)
    stream = buffer.stream
    rows = np.zeros((images, steps, height, width, stream.stored_channels), bool)
    rows[..., :channels] = digits
    stored[..., : stream.row_values] = rows.reshape(images, steps, height, -1)
    marks = stored.reshape(images, steps, height, buffer.row_words, -1).any(-1)
    ahead = _ahead(_ahead(np.asarray(marks, np.int64), 2), 3)
    left = np.array([column.first for column in windows.columns])
    lines: IntArray = ahead[:, :, high] - ahead[:, :, low]
    found = lines[..., left + counts] - lines[..., left]
    result: IntArray = np.maximum(found, 1)[:, list(reader.steps)]
    return result


def _by_copy(values: IntArray, copies: int, axis: int) -> IntArray:
    """Return values whose columns, along an axis, become two: windows of a copy, and copies.

    Copies that have a window less have one of zeros.
    """
    pad = [(0, 0)] * values.ndim
    pad[axis] = (0, -values.shape[axis] % copies)
    shape = values.shape
    return np.pad(values, pad).reshape(*shape[:axis], -1, copies, *shape[axis + 1 :])


def _rows(windows: WindowPlan) -> tuple[IntArray, IntArray]:
    """Return the first row under each line of windows, and the one behind the last."""
    low = np.maximum(np.arange(windows.shape[0]) * windows.stride[0] - windows.padding[0], 0)
    return low, low + np.array([line.rows for line in windows.lines])


def _ahead(values: IntArray, axis: int) -> IntArray:
    """Return, for each index along an axis and the one behind the last, the sum of all before."""
    sums: IntArray = np.cumsum(values, axis)
    zero = np.zeros_like(np.take(sums, [0], axis))
    return np.concatenate([zero, sums], axis)
