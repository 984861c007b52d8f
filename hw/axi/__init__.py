"""An accelerator behind AXI4-Stream and AXI4-Lite, for a system on chip.

The ports and their rules are specified in ``docs/axi.md``.
"""

from spikeloom.hw.axi.accelerator import AxiAccelerator
from spikeloom.hw.axi.plan import AxiPlan
from spikeloom.hw.axi.registers import Register
from spikeloom.hw.axi.verilog import generate

__all__ = ["AxiAccelerator", "AxiPlan", "Register", "generate"]
