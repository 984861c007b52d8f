"""Block RAM of a memory: the blocks, or look-up tables, that Yosys makes of it.

Yosys' ``memory_libmap`` gives each way to build a memory a cost, and takes the cheapest: blocks of
each width, with logic that chooses between blocks where words are many; small memories made of
look-up tables; or plain logic. The same sums are done here, so that blocks can be counted without
Yosys. Costs and widths are those of the description of each family that comes with Yosys.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

#: Cost of a bit of plain logic that can be written, and the number of bits that only constants
#: hold for a cost of 1.
_WRITTEN, _CONSTANTS = 1, 16
#: Cost of one more bit in a choice between blocks, for reading and for writing.
_CHOICE = 0.5
#: Cost of a port that is only for reading.
_PORT = 2


@dataclass(frozen=True, order=True)
class Memory:
    """A memory of a design.

    Parameters
    ----------
    depth : int
        Number of words.
    width : int
        Bits of a word.
    parts : int
        Number of parts of a word that are written one by one; 0 if a memory is never written.
    registered : bool
        Whether a word that is read comes a cycle later. Otherwise block RAM is no choice.
    forced : bool
        Whether a design asks for block RAM, whatever it costs.
    apart : bool
        Whether no word is ever read and written in the same cycle.
    blank : int
        Bits of a word that are 0 in all words of a memory that is never written: Yosys leaves them
        out.
    """

    depth: int
    width: int
    parts: int = 0
    registered: bool = True
    forced: bool = False
    apart: bool = False
    blank: int = 0

    @property
    def logic(self) -> int:
        """Cost of plain logic."""
        bits = self.depth * (self.width - self.blank)
        return _WRITTEN * bits if self.parts else bits // _CONSTANTS

    def stored(self, byte: int) -> int:
        """Return the bits of a word if each part that is written takes whole bytes."""
        if not self.parts:
            return self.width - self.blank
        return self.parts * -(-self.width // self.parts // byte) * byte

    def choice(self, pieces: int) -> float:
        """Return the cost of the choice between several pieces, each of which has other words."""
        written = pieces * self.parts if pieces > 1 else 0
        return _CHOICE * ((pieces - 1) * self.width + written)


@dataclass(frozen=True)
class BlockRam:
    """The block RAM of a family.

    Parameters
    ----------
    shapes : tuple of (int, int)
        Depths and widths that a block can have, the deepest first.
    byte : int
        Bits of a word that can be written apart from the others.
    cost : int
        Of one block.
    collision : int
        Cost of what a word that is read and written in the same cycle needs.
    """

    shapes: tuple[tuple[int, int], ...]
    byte: int
    cost: int = 128
    collision: int = 12

    def _collision(self, memory: Memory) -> int:
        """Return the cost of what a word needs that is read and written in the same cycle."""
        return self.collision if memory.parts and not memory.apart else 0

    @lru_cache(maxsize=1 << 16)  # noqa: B019  # of a few families, which live as long
    def of(self, memory: Memory) -> tuple[int, float, int]:
        """Return the number of blocks of a memory, their cost, and the number of pieces.

        Each piece has other words; logic chooses between them.
        """
        blocks, cost, among, limit = 0, 0.0, 0, 0
        for depth, width in self.shapes:
            pieces = -(-memory.depth // depth)
            number = -(-pieces * memory.stored(min(self.byte, width)) // width)
            extra = memory.choice(pieces) + _PORT + self._collision(memory)
            # Yosys compares with the integer part of the least cost.
            if not blocks or self.cost * number + extra < limit:
                blocks, cost, among = number, self.cost * number + extra, pieces
                limit = int(cost)
        return blocks, cost, among


@dataclass(frozen=True)
class SmallRam:
    """Small memories that are made of look-up tables.

    Parameters
    ----------
    depth, width : int
        Of one of them.
    scaled : bool
        Whether it costs less if not all of its bits are used.
    cost, luts : int
        Cost of one, and the look-up tables that it takes.
    """

    depth: int = 16
    width: int = 4
    scaled: bool = False
    cost: int = 4
    luts: int = 6

    def pieces(self, memory: Memory) -> int:
        """Return the number of pieces, each of which has other words."""
        return -(-memory.depth // self.depth)

    @lru_cache(maxsize=1 << 16)  # noqa: B019
    def of(self, memory: Memory) -> tuple[int, float]:
        """Return the number of small memories that hold a memory, and their cost."""
        pieces = self.pieces(memory)
        number = -(-pieces * memory.stored(self.width) // self.width)
        cost = self.cost * (pieces * memory.width / self.width if self.scaled else number)
        return number, cost + memory.choice(pieces) + _PORT
