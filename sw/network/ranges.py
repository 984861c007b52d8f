"""Closed integer intervals, and the widths of the registers that hold them."""

from __future__ import annotations

from dataclasses import dataclass

from spikeloom.sw.errors import ContractError

#: Widest register that the contract allows, in bits, sign included. Sums of this width are exact
#: in ``float64`` (53 bits) and ``int64`` whatever the order of summation.
MAX_WIDTH = 48


@dataclass(frozen=True)
class Range:
    """All integers from ``low`` to ``high``, both included.

    Parameters
    ----------
    low, high : int
        The ends; ``low <= high``.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"Range low must be at most high, not {self.low} > {self.high}")

    def __contains__(self, value: int) -> bool:
        return self.low <= value <= self.high

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Range) -> Range:
        return Range(self.low - other.high, self.high - other.low)

    def __or__(self, other: Range) -> Range:
        """Return the smallest range that holds both."""
        return Range(min(self.low, other.low), max(self.high, other.high))

    def times(self, factor: int) -> Range:
        """Return the range of ``factor * value``; ``factor`` must not be negative."""
        if factor < 0:
            raise ValueError(f"factor must not be negative, not {factor}")
        return Range(self.low * factor, self.high * factor)

    @property
    def signed(self) -> bool:
        """Whether the range holds a negative value."""
        return self.low < 0

    @property
    def width(self) -> int:
        """Bits of the smallest register: two's complement if :attr:`signed`, else unsigned.

        It is at least 1, so that a signal that is always zero still has a wire.
        """
        if self.signed:
            return max((-self.low - 1).bit_length(), max(self.high, 0).bit_length()) + 1
        return max(self.high.bit_length(), 1)

    def require_width(self, what: str) -> Range:
        """Return the range itself, if it fits :data:`MAX_WIDTH` bits.

        Raises
        ------
        ContractError
            If a register that holds the range would be wider.
        """
        if self.width > MAX_WIDTH:
            raise ContractError(
                f"{what} needs {self.width} bits ({self.low} to {self.high}), more than the "
                f"{MAX_WIDTH} that the contract allows: use fewer weight bits, fraction bits or "
                f"timesteps"
            )
        return self
