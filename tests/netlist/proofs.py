"""What ``make prove-netlist`` simulates, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from benchmarks.bitstreams import BUILDS, KEPT, PRETRAINED, Build

from netlist import committed
from netlist.comparison import Comparison, compare
from netlist.design import Design, Made, bitstream, made, netlist
from netlist.network import digits, images, own_images
from netlist.subject import Verilog
from spikeloom.hw.boards import Board
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import load


@dataclass(frozen=True)
class Line:
    """What was simulated, and what was found equal.

    Parameters
    ----------
    what, pixels : str
        The netlist or bitstream; what its images are.
    verilog : Verilog
    found : Comparison
    """

    what: str
    pixels: str
    verilog: Verilog
    found: Comparison


class Proof(Protocol):
    """What is simulated in one go.

    Attributes
    ----------
    usual : int
        How many images it computes unless told.
    """

    usual: ClassVar[int]

    @property
    def name(self) -> str:
        """What it is called, and its folder."""

    @property
    def family(self) -> str:
        """Name of the family of devices."""

    def lines(self, folder: Path, number: int | None, data: Path | None) -> Iterator[Line]:
        """Simulate, and yield what was found equal.

        Parameters
        ----------
        folder : Path
            For what the tools write.
        number : int, optional
            Images that are computed, beside those of the self test.
        data : Path, optional
            Folder with the original data sets.

        Raises
        ------
        MismatchError, LinkError
            If anything differs.
        """


@dataclass(frozen=True)
class Fresh:
    """A design that is made here.

    Parameters
    ----------
    family : str
    design : Design
    ways : tuple of callable
        What of it is simulated.
    """

    family: str
    design: Design
    ways: tuple[Callable[[Made], Verilog], ...]

    usual: ClassVar[int] = 5

    @property
    def name(self) -> str:
        return self.family

    def lines(self, folder: Path, number: int | None, data: Path | None) -> Iterator[Line]:
        number = number or self.usual
        network = self.design.network()
        pixels = images(network, number + 1)
        synthesised = made(self.design, pixels[-1:], folder / self.name)
        for way in self.ways:
            verilog = way(synthesised)
            found = compare(synthesised, verilog.path, pixels[:-1])
            yield Line(way.__name__, "digits", verilog, found)


@dataclass(frozen=True)
class Kept:
    """A bitstream that is committed.

    Parameters
    ----------
    build : Build
    kept : Path
        Where it lies.
    """

    build: Build
    kept: Path = KEPT

    # An image takes as long as six of the above; with two, one is computed while the other travels.
    usual: ClassVar[int] = 2

    @property
    def name(self) -> str:
        return self.build.name

    @property
    def family(self) -> str:
        return Board.find(self.build.board).family

    def lines(self, folder: Path, number: int | None, data: Path | None) -> Iterator[Line]:
        network = load(PRETRAINED / f"{self.build.network}.safetensors")
        manifest = Manifest.load(self.kept / f"{self.name}.json")
        subject = committed.committed(manifest, network, folder / self.name)
        verilog = committed.bitstream(subject)
        tried = own_images(network, number or self.usual, data)
        found = compare(subject, verilog.path, tried.pixels)
        yield Line(self.build.network, tried.source, verilog, found)


#: The longest are first.
PROOFS: dict[str, tuple[Proof, ...]] = {
    "ice40": (
        Fresh(
            "ice40",
            Design("icebreaker", digits, HardwareConfig(lanes=1, slots=2)),
            (netlist, bitstream),
        ),
    ),
    "committed": tuple(
        Kept(build) for build in BUILDS if Board.find(build.board).family == "ice40"
    ),
    "ecp5": (Fresh("ecp5", Design("ulx3s-85f", digits, HardwareConfig(lanes=2)), (netlist,)),),
    "gowin": (Fresh("gowin", Design("tang-nano-9k", digits, HardwareConfig(lanes=2)), (netlist,)),),
}
