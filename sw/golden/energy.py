"""Energy of a network, estimated from its work: the sums of the papers, with their prices.

Prices are those of single operations in 45 nm at 0.9 V. They leave out memories, control, clock
and leakage, so that the sums compare networks, and are no power of any chip. ``docs/energy.md`` has
the reasons for each.

References
----------
M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure 1.1.9.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from spikeloom.sw.golden.work import Work

#: Technology of the prices, in nanometres.
NANOMETRES = 45
#: Picojoules of an addition and a multiplication of 32-bit floating point, which the papers take:
#: 0.9 of a spiking network, and 3.7 + 0.9 = 4.6 for a multiply-accumulate of an artificial one.
FLOAT_ADDITION, FLOAT_MULTIPLICATION = 0.9, 3.7
#: Picojoules of an addition of 32-bit integers, and a multiplication of 8-bit ones.
INTEGER_ADDITION, INTEGER_MULTIPLICATION = 0.1, 0.2
#: Picojoules of a bit that is read from a memory of 8 KiB, 64 bits at a time.
MEMORY_BIT = 10 / 64


@dataclass(frozen=True)
class Prices:
    """Nanojoules of one image, at the prices of one kind of arithmetic.

    Parameters
    ----------
    snn : float
        Additions of weights. Pixels and counts are shifted additions, one for each digit, and not
        multiplications.
    neurons : float
        Additions and comparisons of neurons, which the papers leave out.
    ann : float
        Multiply-accumulates of an artificial network of the same shape, and its additions of
        residual shortcuts.
    """

    snn: float
    neurons: float
    ann: float

    @classmethod
    def of(cls, work: Work, addition: float, multiplication: float) -> Prices:
        """Return the energy of a network's work, at these prices in picojoules."""

        def each(amount: str) -> float:
            return work.total(amount) / work.images / 1000

        return cls(
            snn=each("additions") * addition,
            neurons=each("update_additions") * addition,
            ann=each("ann_macs") * (multiplication + addition) + each("ann_additions") * addition,
        )


@dataclass(frozen=True)
class Energy:
    """Estimates for one image, in nanojoules.

    Parameters
    ----------
    floating : Prices
        As the papers do: 0.9 pJ for an addition, 4.6 pJ for a multiply-accumulate.
    integer : Prices
        Of 32-bit additions and 8-bit multiplications: what an artificial network that is as much
        quantized would take.
    weights : float
        Weights that are read from memories of 8 KiB, once for each addition.
    """

    floating: Prices
    integer: Prices
    weights: float

    @classmethod
    def of(cls, work: Work) -> Energy:
        """Return the energy of a network's work."""
        return cls(
            floating=Prices.of(work, FLOAT_ADDITION, FLOAT_MULTIPLICATION),
            integer=Prices.of(work, INTEGER_ADDITION, INTEGER_MULTIPLICATION),
            weights=work.total("weight_bits") / work.images * MEMORY_BIT / 1000,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the estimates as JSON values."""
        return {"nanometres": NANOMETRES, **asdict(self)}
