"""Signed digits: how a value becomes a handful of shifted additions.

Values are recoded in the non-adjacent form, the canonical signed-digit representation with the
fewest non-zero digits (Reitwiesner, 1960). With ``x3 = 3 * x`` its digits are read off two words:
position k is +1 where bit k+1 of x3 is set and that of x is not, and -1 the other way round. In
two's complement this holds for negative values too: the digits of -x are those of x, negated.
"""

from __future__ import annotations

from dataclasses import dataclass

from spikeloom.sw.network import Range

#: Least value that the non-adjacent form writes with fewer digits than plain binary: 7 = 8 - 1.
_FIRST_SHORTER = 7


@dataclass(frozen=True)
class DigitPlan:
    """Which digits the values of a range consist of.

    Parameters
    ----------
    recoded : bool
        Whether digits are those of the non-adjacent form rather than of plain binary.
    positions : int
        Number of digit positions; shifts are 0 to ``positions - 1``.
    """

    recoded: bool
    positions: int

    @classmethod
    def of(cls, values: Range) -> DigitPlan:
        """Return the plan with the fewest digits, in binary where nothing is gained."""
        recoded = values.low < 0 or values.high >= _FIRST_SHORTER
        # The top digit is highest for the largest magnitude: both forms order as magnitudes do.
        largest = max(-values.low, values.high)
        top = (3 * largest).bit_length() - 1 if recoded else largest.bit_length()
        return cls(recoded, max(top, 1))

    def digits(self, value: int) -> list[tuple[int, int]]:
        """Return the non-zero digits of ``value`` as (sign, shift), from the lowest position."""
        if not self.recoded:
            return [(1, k) for k in range(self.positions) if value >> k & 1]
        positive, negative = (3 * value & ~value) >> 1, (value & ~(3 * value)) >> 1
        return [
            (1 if positive >> k & 1 else -1, k)
            for k in range(self.positions)
            if (positive | negative) >> k & 1
        ]
