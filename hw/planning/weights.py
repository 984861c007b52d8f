"""Memories of weights: which of a layer's connections share one, and how wide its words are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_

import numpy as np

from spikeloom.hw.planning.connection import ConnectionPlan
from spikeloom.sw.network import Range
from spikeloom.sw.network.record import IntArray

#: Bits that a look-up table of four inputs holds. Connections of different widths have memories of
#: their own where this saves more bits than the look-up tables that choose between them could hold.
_TABLE_BITS = 16


@dataclass(frozen=True)
class WeightStore:
    """The weights of one or several connections of a layer: a memory in each of its banks.

    A word has the weights of M lanes. Where each source value meets a single output channel, as in
    depthwise convolutions and residual identities, all of these but one are 0: then a word has a
    single weight, and the number of its lane.

    Parameters
    ----------
    readers : tuple of ConnectionPlan
        The connections. Their addresses follow one another.
    lanes : int
        M.
    """

    readers: tuple[ConnectionPlan, ...]
    lanes: int

    @property
    def single(self) -> bool:
        """Whether a word has a single weight, and the number of its lane."""
        return self.lanes > 1 and self.readers[0].single

    @property
    def first(self) -> int:
        """Address of the first word."""
        return self.readers[0].first

    @property
    def depth(self) -> int:
        """Number of words."""
        return sum(reader.depth(self.lanes) for reader in self.readers)

    @property
    def weights(self) -> Range:
        """Range of the weights, 0 included."""
        return reduce(or_, (reader.weights for reader in self.readers))

    @property
    def width(self) -> int:
        """Bits of a word."""
        width = self.weights.width
        return width + (self.lanes - 1).bit_length() if self.single else width * self.lanes

    def bank(self, index: int) -> IntArray:
        """Return the weights of one of the E banks: those of M lanes in each word.

        The array is of shape (words, M), whether a word has them all or not.
        """
        return np.concatenate([reader.bank(index, self.lanes) for reader in self.readers])


def weight_stores(readers: tuple[ConnectionPlan, ...], lanes: int) -> tuple[WeightStore, ...]:
    """Return the memories of a layer's weights, in the order of their addresses."""
    stores: list[WeightStore] = []
    for reader in readers:
        mine = WeightStore((reader,), lanes)
        if stores:
            joined = WeightStore((*stores[-1].readers, reader), lanes)
            alike = not (stores[-1].single or mine.single)
            if alike and _saved(joined, stores[-1], mine) <= _TABLE_BITS * joined.width:
                stores[-1] = joined
                continue
        stores.append(mine)
    return tuple(stores)


def _saved(joined: WeightStore, *parts: WeightStore) -> int:
    """Return the number of bits that separate memories save."""
    return joined.depth * joined.width - sum(part.depth * part.width for part in parts)
