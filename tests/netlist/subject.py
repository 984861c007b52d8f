"""The subject of a simulation: a board with its pins, and its expected contents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from netlist.simulator import Pins
from spikeloom.hw.boards import Board
from spikeloom.hw.build.family import Family
from spikeloom.hw.link import LinkPlan
from spikeloom.hw.planning.plan import Plan
from spikeloom.sw.inference import Contents


@dataclass(frozen=True)
class Verilog:
    """A file of Verilog to simulate.

    Parameters
    ----------
    path : Path
    cells : int
        Number of cells in a netlist; for a bitstream, of the logic cells and block RAMs in use.
    """

    path: Path
    cells: int


@dataclass(frozen=True)
class Subject:
    """A design on a board: synthesised for the proof, or read from a committed bitstream.

    Parameters
    ----------
    board : Board
    plan : Plan
    link : LinkPlan
    contents : Contents
        The contents that the host expects of the board.
    folder : Path
        For all files that the tools write.
    """

    board: Board
    plan: Plan
    link: LinkPlan
    contents: Contents
    folder: Path

    @property
    def family(self) -> Family:
        """The board's family of devices."""
        return Family.find(self.board.family)

    @property
    def pins(self) -> Pins:
        """The pins of the netlist and of the bitstream."""
        platform = self.board.platform()
        clock = platform.lookup(platform.default_clk)
        names, pads = {}, {"clk": clock.ios[0].names[0]}
        for name in ("passed", "failed"):
            light = self.board.lights[name]
            assert light.part is None, "an LED of several colours has other names"
            lamp = platform.lookup(light.resource, light.number).ios[0]
            names[name] = f"{light.resource}_{light.number}__io"
            pads[name] = lamp.names[0]
            inverted = lamp.invert
        return Pins(
            clk=f"{clock.name}_{clock.number}__io",
            rx="uart_0__rx__io",
            tx="uart_0__tx__io",
            dark="1" if inverted else "0",
            pads={**pads, "rx": self.board.link.rx, "tx": self.board.link.tx},
            passed=names["passed"],
            failed=names["failed"],
        )
