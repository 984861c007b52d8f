"""A board in simulation: its whole design, from pin to pin, behind a pseudo-terminal.

:mod:`platform` stands in for the board's pins, :mod:`program` makes a program of a design,
:mod:`process` runs it, and :mod:`simulated` does all that for a network.
"""

from spikeloom.sim.board.platform import SimulationPlatform
from spikeloom.sim.board.process import BoardProcess, LightChange
from spikeloom.sim.board.simulated import SimulatedBoard

__all__ = ["BoardProcess", "LightChange", "SimulatedBoard", "SimulationPlatform"]
