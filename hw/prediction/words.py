"""Words: the number of events in every word that a connection's scanner reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from spikeloom.hw.planning import LayerPlan
from spikeloom.hw.planning.connection import AlignmentPlan, ConnectionPlan
from spikeloom.sw.golden.synapses import pooled
from spikeloom.sw.network.digits import digit_counts
from spikeloom.sw.network.record import IntArray

#: One word: for each of the E event generators the number of its events, and how many of them come
#: from the last non-zero value.
Word = Sequence[Sequence[int]]


class Words:
    """The words of one connection's windows.

    Parameters
    ----------
    plan : LayerPlan
    reader : ConnectionPlan
        The plan of the connection, one of the layer's readers.
    sent : array of int64, shape (steps, N, *shape)
        The values that the source sends for N images, timestep by timestep; a single timestep if it
        sends counts.
    """

    def __init__(self, plan: LayerPlan, reader: ConnectionPlan, sent: IntArray) -> None:
        self.plan = plan
        self.reader = reader
        buffer = reader.windows.buffer
        kept = kept_values(reader, sent)
        steps, images, channels, height, width = kept.shape
        stream = buffer.stream
        rows = np.zeros((images, steps, height, width, stream.stored_channels), np.int64)
        rows[..., :channels] = kept.transpose(1, 0, 3, 4, 2)
        words = np.zeros(
            (images, steps, height, buffer.row_words * buffer.word_values), dtype=np.uint8
        )
        words[..., : stream.row_values] = digit_counts(rows, self.plan.digits.recoded).reshape(
            images, steps, height, -1
        )
        self.words = words.reshape(images, steps, height, buffer.row_words, buffer.word_values)

    def image(self, index: int) -> list[Any]:
        """Return the words of an image.

        Returns
        -------
        list
            The words under the window, in order, by timestep of the buffer, row, output column and
            lane group (a single one, if all lane groups read the same words).
        """
        places, under, counts = self._places
        stored = self.words[index]
        digits = stored[:, :, places] * under
        windows = self.reader.windows
        parts = digits.reshape(*digits.shape[:-1], windows.slots, windows.events)
        events = parts.sum(-2, dtype=np.int64)
        reverse = parts[..., ::-1, :]
        last = np.take_along_axis(reverse, (reverse != 0).argmax(-2)[..., None, :], -2)[..., 0, :]
        pairs = np.stack([events, last], -1)
        marks = (stored != 0).any(-1)[:, :, places] if windows.buffer.marked else None
        cells: list[Any] = pairs.tolist()
        flags = None if marks is None else marks.tolist()
        for s, rows in enumerate(cells):
            for h, columns in enumerate(rows):
                for x, shares in enumerate(columns):
                    for g, words in enumerate(shares):
                        del words[counts[x] :]
                        if flags is not None:
                            marked = flags[s][h][x][g]
                            shares[g] = [w for w, m in zip(words, marked, strict=False) if m]
        return cells

    @cached_property
    def _places(self) -> tuple[IntArray, npt.NDArray[np.uint8], list[int]]:
        """The words of each window in a row, by output column and lane group.

        Returns
        -------
        places : array of int64, shape (columns, lane groups, words)
            Index of each word in its row.
        under : array of uint8, shape (columns, lane groups, words, values)
            Whether each value of the word lies under the window.
        counts : list of int
            Number of words, by output column.
        """
        windows = self.reader.windows
        share, size = windows.share, windows.buffer.word_values
        counts = [column.words for column in windows.columns]
        shape = (len(counts), len(share.firsts) if share else 1, max(counts))
        places = np.zeros(shape, np.int64)
        under = np.zeros((*shape, size), np.uint8)
        for x, column in enumerate(windows.columns):
            word = np.arange(column.words)
            if share:
                word = word // share.words * share.position + word % share.words
                for g, first in enumerate(share.firsts):
                    places[x, g, : column.words] = column.first + word + first
            else:
                places[x, 0, : column.words] = column.first + word
            under[x, :, : column.words] = 1
            under[x, :, 0, : column.head] = 0
            under[x, :, column.words - 1, column.tail :] = 0
        return places, under, counts


def kept_values(reader: ConnectionPlan, sent: IntArray) -> IntArray:
    """Return the values that a connection stores, after alignment and pool.

    Parameters
    ----------
    reader : ConnectionPlan
    sent : array of int64, shape (steps, N, *shape)
        The values that its source sends.

    Returns
    -------
    array of int64, shape (steps, N, channels, height, width)
    """
    values = sent.reshape(*sent.shape[:2], *_map(sent.shape[2:]))
    if reader.alignment:
        values = _aligned(reader.alignment, values)
    if reader.pool is None:
        return values
    pool = reader.pool.pool
    flat = pooled(pool, torch.from_numpy(np.array(values)).flatten(0, 1))
    return flat.numpy().reshape(*values.shape[:2], *flat.shape[1:])


def _aligned(alignment: AlignmentPlan, values: IntArray) -> IntArray:
    if alignment.summed:
        total: IntArray = values.sum(0, keepdims=True)
        return total
    return values[: alignment.target.steps]


def _map(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if len(shape) == 3 else (*shape, 1, 1)
