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
#: Words of the shallowest block RAM of most families; only the width of a shallower one is of use.
_FEWEST = 512
#: Words that two look-up tables hold for each bit, and bits that are not worth a block RAM.
_FEW_WORDS, _FEW_BITS = 32, 2048


@dataclass(frozen=True)
class WeightStore:
    """The weights of one or several connections of a layer: a memory in each of its banks.

    A word has the weights of M lanes. Where each source value meets a single output channel, as in
    depthwise convolutions and the shortcuts of residual networks, all of these but one are 0: then
    a word has a single weight, and the number of its lane.

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

    def used_bits(self, first: int, end: int) -> IntArray:
        """Return the bits of each lane's weight that some word from ``first`` to ``end`` has set.

        A group of lanes of which some words are asked for counts as a whole. The array is of shape
        (M,), without signs.
        """
        used = np.zeros(self.lanes, np.int64)
        for reader in self.readers:
            group = reader.depth(self.lanes) * self.lanes // reader.target.stored_channels
            begin, behind = max(first - reader.first, 0), end - reader.first
            if behind > 0:
                channels = reader.used_bits.reshape(-1, self.lanes)
                touched = channels[begin // group : -(-behind // group)]
                used |= np.bitwise_or.reduce(touched, axis=0)
        return used & ((1 << self.weights.width) - 1)

    def bank(self, index: int) -> IntArray:
        """Return the weights of one of the E banks: those of M lanes in each word.

        The array is of shape (words, M), whether a word has them all or not.
        """
        return np.concatenate([reader.bank(index, self.lanes) for reader in self.readers])


@dataclass(frozen=True)
class WeightMemory:
    """One of the memories that make up each weight bank of a layer.

    Parameters
    ----------
    store : WeightStore
        The weights; it is cut into several memories where it is deep.
    first : int
        Address of the first word.
    depth : int
        Number of words.
    spared : bool
        Whether look-up tables are spared, at the cost of a block RAM.
    """

    store: WeightStore
    first: int
    depth: int
    spared: bool = False

    @property
    def width(self) -> int:
        """Bits of a word."""
        return self.store.width

    @property
    def blank(self) -> int:
        """Bits that are 0 in all words, for which synthesis takes no place.

        They are those of lanes without a channel, of which the last group of lanes may have some,
        of channels without weights, and the signs of channels without negative ones.
        """
        if self.store.single:
            return 0
        used = self.store.used_bits(self.first, self.first + self.depth)
        return self.width - int(np.bitwise_count(used).sum())

    @property
    def block(self) -> bool:
        """Whether it is block RAM though it is shallow: look-up tables would be too many."""
        if self.spared:
            return spared(self.depth)
        piece = self.depth < self.store.depth
        return piece and self.depth > _FEW_WORDS and self.depth * self.width > _FEW_BITS

    def bank(self, index: int) -> IntArray:
        """Return the weights of one of the E banks: those of M lanes in each word."""
        start = self.first - self.store.first
        return self.store.bank(index)[start : start + self.depth]


def spared(depth: int) -> bool:
    """Return whether a memory of constants is block RAM where look-up tables are spared."""
    return depth > _TABLE_BITS


def weight_memories(stores: tuple[WeightStore, ...], spare: bool) -> tuple[WeightMemory, ...]:
    """Return the memories of a layer's weights, in the order of their addresses.

    Parameters
    ----------
    stores : tuple of WeightStore
    spare : bool
        Whether look-up tables are spared, at the cost of block RAM.
    """
    memories = []
    for store in stores:
        first = store.first
        for depth in _pieces(store.depth):
            memories.append(WeightMemory(store, first, depth, spare))
            first += depth
    return tuple(memories)


def _pieces(depth: int) -> list[int]:
    """Return the depths of the memories that a deep one is cut into.

    Block RAM has powers of two of words. Between many shallow blocks of a deep memory synthesis
    would choose, with look-up tables for each bit. So it is cut into a few powers of two, from the
    largest, as long as fewer words are left empty than in the next power of two.
    """
    half = 1 << (depth - 1).bit_length() - 1 if depth > 1 else 0
    if half < _FEWEST:
        return [depth]
    rest = _pieces(depth - half)
    return [half, *rest] if half + sum(map(_filled, rest)) < 2 * half else [depth]


def _filled(depth: int) -> int:
    """Return the number of words of the blocks that hold ``depth`` words."""
    return max(1 << (depth - 1).bit_length(), _FEWEST)


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
