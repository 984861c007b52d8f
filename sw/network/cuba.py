"""Neurons with a second state: ``cuba``."""

from __future__ import annotations

from dataclasses import dataclass, field

from spikeloom.sw.network.leaks import Leak, checked_leak, reach
from spikeloom.sw.network.neurons import If
from spikeloom.sw.network.parameters import current_range
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import OMITTED


@dataclass(frozen=True, eq=False)
class Cuba(If, kind="cuba"):
    """Leaky integrate-and-fire behind a leaky current (CubaLIF): two states.

    ``i -= current_leak(i); i += A*2^F + B; v -= leak(v); v += i``; then it fires and is reset as
    :class:`If`. i starts from 0.

    Parameters
    ----------
    threshold, initial, bias, fraction_bits, leak, reset_amount, reset_value
        As of :class:`If`; ``initial`` may be any integer.
    current_leak : sequence of int, optional
        Up to three shifts of the leak of i, as of ``leak``.

    Raises
    ------
    ContractError
        As of :class:`If`.
    """

    current_leak: Leak = field(default=(), metadata=OMITTED)

    converted = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "current_leak", checked_leak(self.current_leak, "current_leak"))
        super().__post_init__()

    @property
    def current_shifts(self) -> tuple[int, ...]:
        """Shifts of the leak of the current."""
        return checked_leak(self.current_leak)

    @property
    def foldable(self) -> bool:
        return False

    @property
    def operations(self) -> int:
        # A*2^F and B are added to i, and i to v.
        return super().operations + 1 + len(self.current_shifts)

    def check(self, timesteps: int, accumulator: Range) -> None:
        self.current(timesteps, accumulator).require_width("the current i")
        super().check(timesteps, accumulator)

    def current(self, timesteps: int, accumulator: Range) -> Range:
        """Return the range of i, as :meth:`potential` does of v."""
        return self._currents(timesteps, accumulator)[-1]

    def potential(self, timesteps: int, accumulator: Range) -> Range:
        return self.reach(self._currents(timesteps, accumulator)[1:])

    def _currents(self, timesteps: int, accumulator: Range) -> list[Range]:
        """Return the range of i before the first timestep, and up to each."""
        added = current_range(accumulator, self.fraction_bits, self.bias)
        ranges = [Range(0, 0)]
        for _ in range(timesteps):
            ranges.append(reach(ranges[-1], [added], self.current_shifts))
        return ranges
