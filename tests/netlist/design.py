"""Devices for boards, built by the build's own steps, as netlists and as bitstreams."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netlist.bitstream import unpacked
from netlist.subject import Subject, Verilog
from spikeloom.hw.boards import Board
from spikeloom.hw.build.counts import read_cells
from spikeloom.hw.build.family import CELLS, REPORT, Family
from spikeloom.hw.build.flow import TOP, write_sources
from spikeloom.hw.build.tools import Toolset
from spikeloom.hw.build.top import Top
from spikeloom.hw.device import Device
from spikeloom.hw.link import LinkPlan
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import plan
from spikeloom.hw.selftest import SelfTest
from spikeloom.sw.golden import Golden
from spikeloom.sw.inference import Contents
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray

#: Hz, for all boards. Four cycles per bit, the fewest possible, make the simulation shortest.
CLOCK, BAUD = 12_000_000, 3_000_000


@dataclass(frozen=True)
class Design:
    """A design to prove.

    Parameters
    ----------
    board : str
    network : callable
        Returns the network.
    config : HardwareConfig
    """

    board: str
    network: Callable[[], Network]
    config: HardwareConfig


@dataclass(frozen=True)
class Synthesised(Subject):
    """A design after synthesis.

    Parameters
    ----------
    cells : int
        Number of cells in the netlist.
    commands : list of list of str
        The commands that turn the netlist into a bitstream.
    """

    cells: int
    commands: list[list[str]]


def synthesise(design: Design, images: IntArray, folder: Path) -> Synthesised:
    """Synthesise a design.

    Parameters
    ----------
    design : Design
    images : array of int64, shape (N, *network.input.image_shape)
        For the self test.
    folder : Path
        Emptied first, or created.
    """
    board = Board.find(design.board)
    family = Family.find(board.family)
    network = design.network()
    planned = plan(network, design.config)
    link = LinkPlan.of(planned, CLOCK, BAUD)
    logits = Golden(network).run(images).logits.numpy().astype(np.int64)
    device = Device(planned, link, SelfTest(planned, images, logits))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    commands = write_sources(Top(board, device), board, family, folder)
    tools = Toolset.find(family.tools)
    tools.run(["yosys", f"{TOP}.ys"], folder, "yosys.log")
    cells = sum(number for cell, number in read_cells(folder / CELLS).items() if cell[0] != "$")
    contents = Contents.of(network)
    rest = family.commands(commands, board.clock)
    return Synthesised(board, planned, link, contents, folder, cells, rest)


def netlist(design: Synthesised) -> Verilog:
    """Write the netlist, as place and route reads it, as Verilog."""
    place = design.commands[0]
    name = place[place.index("--json") + 1]
    tools = Toolset.find(design.family.tools)
    command = f"read_json {name}; write_verilog -noattr netlist.v"
    tools.run(["yosys", "-p", command], design.folder, "netlist.log")
    return Verilog(design.folder / "netlist.v", design.cells)


def bitstream(design: Synthesised) -> Verilog:
    """Make the bitstream, and write the logic that it configures as Verilog.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    family = design.family
    tools = Toolset.find(family.tools)
    for command in design.commands:
        tools.run(command, design.folder, f"{command[0]}.log")
    used = family.routed(json.loads((design.folder / REPORT).read_text()))
    path = unpacked(design, f"{TOP}.{family.bitstream}")
    return Verilog(path, sum(entry["used"] for entry in used.values()))
