"""Simulated boards: a board's whole design in Verilator, its UART on a pseudo-terminal.

:class:`SimulatedBoard` builds and runs the design for a network. It uses :mod:`platform`, which
stands in for the board's pins, and :mod:`process`, which runs the compiled program.
"""

from spikeloom.sim.board.platform import SimulationPlatform
from spikeloom.sim.board.process import BoardProcess, LightChange
from spikeloom.sim.board.simulated import SimulatedBoard

__all__ = ["BoardProcess", "LightChange", "SimulatedBoard", "SimulationPlatform"]
