"""Energy of an FPGA for an image, estimated from look-up tables and clock cycles.

The logic follows a published measurement: a CLB of a Virtex-II, which has eight look-up tables with
their flip-flops, wires and clock, takes 5.9 uW per MHz in typical designs. It is scaled to another
technology as capacitance times the square of the voltage, with capacitance in proportion to the
technology's length. Weights are read from memories at the price of
:data:`~spikeloom.sw.golden.energy.MEMORY_BIT`. What an FPGA takes at rest is left out.

References
----------
L. Shang, A. Kaviani and K. Bathala, "Dynamic power consumption in Virtex-II FPGA family", FPGA
2002, doi:10.1145/503048.503072.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spikeloom.hw.build.family import Family
from spikeloom.sw.golden.energy import Energy
from spikeloom.sw.golden.work import Work

#: Picojoules of a CLB in a clock cycle, its look-up tables, and its technology.
_CLB, _LUTS, _NANOMETRES, _VOLTS = 5.9, 8, 150, 1.5
#: The true energy is taken to lie between the estimate divided by this factor, and multiplied. The
#: activity of signals, which the measurement says to matter much, is not known, and the scaling is
#: coarse. docs/energy.md compares it with published figures, which are 3.9 times as large.
ERROR = 4.0


@dataclass(frozen=True)
class FpgaEnergy:
    """Estimate for one image, in nanojoules.

    Parameters
    ----------
    family : str
    luts : int
        Look-up tables of the design.
    cycles : float
        Clock cycles from one image to the next.
    logic : float
        Look-up tables, flip-flops, wires and clock.
    memory : float
        Reads of weights.
    """

    family: str
    luts: int
    cycles: float
    logic: float
    memory: float

    @classmethod
    def of(cls, family: Family, luts: int, cycles: float, work: Work) -> FpgaEnergy:
        """Return the energy of a design with ``luts`` look-up tables and some work."""
        return cls(
            family=family.name,
            luts=luts,
            cycles=cycles,
            logic=luts * cycles * lut_cycle(family) / 1000,
            memory=Energy.of(work).weights,
        )

    @property
    def total(self) -> float:
        """All of it."""
        return self.logic + self.memory

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate as JSON values, with the bounds of its error."""
        return {
            "family": self.family,
            "luts": self.luts,
            "cycles": self.cycles,
            "logic": self.logic,
            "memory": self.memory,
            "total": self.total,
            "low": self.total / ERROR,
            "high": self.total * ERROR,
        }


def lut_cycle(family: Family) -> float:
    """Return the picojoules of a look-up table, with all that belongs to it, in a clock cycle."""
    return _CLB / _LUTS * family.nanometres / _NANOMETRES * (family.volts / _VOLTS) ** 2
