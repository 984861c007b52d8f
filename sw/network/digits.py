"""Digits: into how many shifted additions a value falls (section 11 of the contract).

Values are written in plain binary or in the non-adjacent form, the canonical signed-digit
representation with the fewest non-zero digits (Reitwiesner, 1960).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import IntArray

#: Smallest value with fewer digits in the non-adjacent form than in plain binary: 7 = 8 - 1.
_FIRST_SHORTER = 7


def recoded(values: Range) -> bool:
    """Return whether values of a range are written in the non-adjacent form.

    Plain binary is taken where recoding saves no digits, since it needs no sign.
    """
    return values.low < 0 or values.high >= _FIRST_SHORTER


def digit_counts(values: IntArray, recoded: bool) -> npt.NDArray[np.uint8]:
    """Return the number of non-zero digits of each value.

    Parameters
    ----------
    values : array of int64
    recoded : bool
        Whether values are written in the non-adjacent form.
    """
    if not recoded:
        return np.bitwise_count(values)
    # A number and its opposite have the same number of digits.
    magnitude = np.abs(values)
    return np.bitwise_count((3 * magnitude) ^ magnitude)
