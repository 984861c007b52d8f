"""Linear-feedback shift registers: random numbers that hardware draws, one in each clock cycle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from spikeloom.sw.network.record import IntArray

#: Lags of the recurrence that a register of each width follows: a new bit is the exclusive or of
#: the bits that came so many bits before it. All have the longest period, ``2^width - 1``, and none
#: is shorter than :data:`STEPS`, so that no new bit of a draw depends on another. They are the taps
#: of Xilinx XAPP 052 (P. Alfke, 1996) for 24, 25, 28 and 33 bits, and the same backwards in time
#: for 26, 27 and 30.
LAGS = {
    24: (24, 23, 22, 17),
    25: (25, 22),
    26: (26, 25, 24, 20),
    27: (27, 26, 25, 22),
    28: (28, 25),
    30: (30, 29, 26, 24),
    32: (32, 30, 26, 25),
    33: (33, 20),
}
#: Bits that are new in each draw. A power of two has no factor in common with an odd period, so
#: that the draws, too, take every state once before one comes again.
STEPS = 16
_LOOKED_UP = 11
_BLOCK = 1 << 14


@dataclass(frozen=True)
class Lfsr:
    """A linear-feedback shift register of the contract.

    Parameters
    ----------
    width : int
        n, number of bits; one that :data:`LAGS` has.
    """

    width: int

    @property
    def lags(self) -> tuple[int, ...]:
        """Lags of the recurrence, the longest first."""
        return LAGS[self.width]

    @property
    def period(self) -> int:
        """Number of draws until they repeat: of all states but 0, which never occurs."""
        return (1 << self.width) - 1

    def start(self, seed: int) -> int:
        """Return the first draw, which a seed chooses.

        It is a hash, since the draws of neighbouring states resemble each other.
        """
        hashed = hashlib.sha256(str(seed).encode("ascii")).digest()
        return 1 + int.from_bytes(hashed, "big") % self.period

    def next(self, state: IntArray) -> IntArray:
        """Return the draws that follow some, by shifting :data:`STEPS` new bits in.

        Parameters
        ----------
        state : array of int64
        """
        new = np.zeros_like(state)
        for step in range(STEPS):
            bit = np.zeros_like(state)
            for lag in self.lags:
                bit ^= state >> (lag - 1 - step)
            new = new << 1 | (bit & 1)
        following: IntArray = (state << STEPS | new) & self.period
        return following

    def draws(self, seed: int, number: int) -> IntArray:
        """Return the first draws of a seed.

        Parameters
        ----------
        seed : int
        number : int
            At least 1.

        Returns
        -------
        array of int64, shape (number,)
            From 1 to ``2^width - 1``.
        """
        drawn = np.empty(number, np.int64)
        drawn[0] = self.start(seed)
        # A leap over as many draws as are known doubles them, up to blocks that fit caches. It is
        # linear, and so known from what it makes of each bit.
        leap, block, known = _Linear(self.next(np.int64(1) << np.arange(self.width))), 1, 1
        while known < number:
            more = min(block, number - known)
            drawn[known : known + more] = leap(drawn[known - block : known - block + more])
            known += more
            if block < _BLOCK:
                leap, block = _Linear(leap(leap.images)), 2 * block
        return drawn


class _Linear:
    """A linear map of states, given what it makes of each bit."""

    def __init__(self, images: IntArray) -> None:
        self.images = images
        # What it makes of all values of a few bits, to look up.
        self._tables = []
        for first in range(0, len(images), _LOOKED_UP):
            table = np.zeros(1, np.int64)
            for image in images[first : first + _LOOKED_UP]:
                table = np.concatenate([table, table ^ image])
            self._tables.append(table)

    def __call__(self, states: IntArray) -> IntArray:
        mapped = np.zeros_like(states)
        for index, table in enumerate(self._tables):
            mapped ^= table[states >> index * _LOOKED_UP & (len(table) - 1)]
        return mapped
