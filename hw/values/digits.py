"""Signed digits: a value as a handful of shifted additions and subtractions.

Values are recoded in the non-adjacent form, the canonical signed-digit representation with the
fewest non-zero digits (Reitwiesner, 1960). Its digits can be read off ``x`` and ``x3 = 3 * x``:
digit k is +1 where bit k+1 is set in x3 and not in x, and -1 where it is set in x and not in x3. In
two's complement this holds for negative values, too: the digits of -x are those of x, negated.
"""

from __future__ import annotations

from dataclasses import dataclass

from spikeloom.sw.network import Range
from spikeloom.sw.network.digits import recoded


@dataclass(frozen=True)
class DigitPlan:
    """The digits that the values of a range can have.

    Parameters
    ----------
    recoded : bool
        Whether digits are those of the non-adjacent form, rather than of plain binary.
    positions : int
        Number of digit positions; shifts are 0 to ``positions - 1``.
    """

    recoded: bool
    positions: int

    @classmethod
    def of(cls, values: Range) -> DigitPlan:
        """Return the plan with the fewest digits; plain binary where recoding saves none."""
        signed = recoded(values)
        # The largest magnitude has the highest top digit, in both forms.
        largest = max(-values.low, values.high)
        top = (3 * largest).bit_length() - 1 if signed else largest.bit_length()
        return cls(signed, max(top, 1))

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
