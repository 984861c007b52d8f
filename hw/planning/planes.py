"""Bit planes: sums of values times constant weights, without events, banks or shifters.

The sum over a window is ``sum_b 2^b D(b)``, where ``D(b)`` adds up the weights of the values whose
bit b is set. Four bits choose one of sixteen constants, which is one look-up table for each bit of
the constant; an adder tree adds up these terms. The planes of a window follow one another from the
most significant: ``acc = 2 acc + D``, or several of them at once.

White, "Applications of distributed arithmetic to digital signal processing: a tutorial review",
IEEE ASSP Magazine 6(3), 1989.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from spikeloom.sw.network import Range
from spikeloom.sw.network.record import IntArray

#: Bits that choose a constant: as many as a look-up table has inputs.
TABLE_INPUTS = 4


@dataclass(frozen=True)
class Table:
    """The sums of all subsets of a few weights.

    Parameters
    ----------
    indices : tuple of int
        The values of the window that the weights belong to.
    weights : tuple of int
        Their weights, none of them 0; at most :data:`TABLE_INPUTS`.
    """

    indices: tuple[int, ...]
    weights: tuple[int, ...]

    @property
    def words(self) -> tuple[int, ...]:
        """The sum for each combination of bits, the first weight's bit in the lowest place."""
        return tuple(
            sum(w for k, w in enumerate(self.weights) if bits >> k & 1)
            for bits in range(1 << len(self.weights))
        )

    @property
    def range(self) -> Range:
        """Range of these sums."""
        return Range(sum(w for w in self.weights if w < 0), sum(w for w in self.weights if w > 0))


@dataclass(frozen=True, eq=False)
class PlaneSumsPlan:
    """Sums of the values of a window times constant weights, some bit planes per clock cycle.

    Values are taken less the least of them, so that none is negative and none has more bits than
    their number asks for. A constant for each output makes up for it.

    Parameters
    ----------
    kernel : array of int64, shape (outputs, values)
        The weights.
    values : Range
        Range of a value.
    sums : Range
        Proven range of a sum; partial sums wrap around in its width.
    planes : int
        P, the number of bit planes per clock cycle.
    """

    kernel: IntArray
    values: Range
    sums: Range
    planes: int

    @property
    def offset(self) -> int:
        """What values are taken less: the least of them, or 0, which is that of padding."""
        return min(self.values.low, 0)

    @property
    def bits(self) -> int:
        """Number of bit planes of a value less the offset."""
        return max((max(self.values.high, 0) - self.offset).bit_length(), 1)

    @property
    def steps(self) -> int:
        """Number of clock cycles that all planes of a window take."""
        return -(-self.bits // self.planes)

    @cached_property
    def constants(self) -> tuple[int, ...]:
        """The sum of each output if all values are the offset."""
        return tuple(self.offset * int(weights.sum()) for weights in self.kernel)

    @cached_property
    def tables(self) -> tuple[tuple[Table, ...], ...]:
        """The tables of each output, which leave out weights of 0."""
        return tuple(_tables(weights) for weights in self.kernel)

    @property
    def number(self) -> int:
        """Number of tables, of all planes."""
        weights = np.count_nonzero(self.kernel, axis=1)
        return self.planes * int((-(-weights // TABLE_INPUTS)).sum())

    @property
    def table_levels(self) -> int:
        """Number of adders, one behind the other, that add up the tables of a plane."""
        return (max(max(map(len, self.tables)), 1) - 1).bit_length()

    @property
    def levels(self) -> int:
        """Number of adders, one behind the other, that add up the tables of all planes."""
        return self.table_levels + (self.planes - 1).bit_length()

    @property
    def table_bits(self) -> int:
        """Number of bits that come out of all tables."""
        return self.planes * sum(tree.table_bits for tree in self._trees)

    @property
    def adder_bits(self) -> int:
        """Number of bits of all adders, the accumulators apart."""
        bits = 0
        for tree in self._trees:
            bits += self.planes * tree.adder_bits
            planes, shift = list(tree.sums) * self.planes, 1
            while len(planes) > 1:
                planes, widths = _level(planes, shift)
                bits += widths
                shift *= 2
        return bits

    @property
    def _trees(self) -> list[_Tree]:
        return [_tree(np.asarray(weights, np.int64).tobytes()) for weights in self.kernel]


@dataclass(frozen=True)
class _Tree:
    """The sizes of what adds up one plane of one output.

    Parameters
    ----------
    table_bits, adder_bits : int
        Bits that come out of all tables, and of all adders.
    sums : tuple of Range
        The range of the sum; empty if all weights are 0.
    """

    table_bits: int
    adder_bits: int
    sums: tuple[Range, ...]


# A search for plans asks for the same weights again and again, with other planes.
@lru_cache(maxsize=1 << 12)
def _tree(weights: bytes) -> _Tree:
    """Return the sizes of an output's tree, from its weights as int64."""
    terms = [table.range for table in _tables(np.frombuffer(weights, np.int64))]
    table_bits, adder_bits = sum(values.width for values in terms), 0
    while len(terms) > 1:
        terms, widths = _level(terms, 0)
        adder_bits += widths
    return _Tree(table_bits, adder_bits, tuple(terms))


def _tables(weights: IntArray) -> tuple[Table, ...]:
    """Return the tables of one output."""
    used = [int(k) for k in weights.nonzero()[0]]
    groups = [used[k : k + TABLE_INPUTS] for k in range(0, len(used), TABLE_INPUTS)]
    return tuple(Table(tuple(group), tuple(int(weights[k]) for k in group)) for group in groups)


def _level(terms: list[Range], shift: int) -> tuple[list[Range], int]:
    """Return the sums of neighbours, the second of which count 2^shift times, and adders' bits."""
    pairs = zip(terms[::2], terms[1::2], strict=False)
    added = [low + high.times(1 << shift) for low, high in pairs]
    return added + terms[2 * len(added) :], sum(values.width - shift for values in added)
