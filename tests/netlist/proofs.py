"""The simulations of ``make prove-netlist``, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from benchmarks.bitstreams import BUILDS, KEPT, Build

from netlist import committed
from netlist.comparison import Comparison, compare
from netlist.design import Design, Synthesised, bitstream, netlist, synthesise
from netlist.network import digits, own_images, signed
from netlist.subject import Verilog
from spikeloom.hw.boards import Board
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sw.cli.networks import FOLDER as PRETRAINED
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import Network, load


@dataclass(frozen=True)
class Line:
    """One simulation and its result, for a line of the table.

    Parameters
    ----------
    name : str
        ``"netlist"`` or ``"bitstream"``, behind the name of the design if it has one, or the
        network of a committed bitstream.
    pixels : str
        The source of the images.
    verilog : Verilog
    compared : Comparison
    """

    name: str
    pixels: str
    verilog: Verilog
    compared: Comparison


class Proof(Protocol):
    """One or several simulations of one design.

    Attributes
    ----------
    usual : int
        Number of images that are computed by default.
    """

    usual: ClassVar[int]

    @property
    def name(self) -> str:
        """Name of the proof, and of its folder."""

    @property
    def family(self) -> str:
        """Name of the family of devices."""

    def lines(self, folder: Path, number: int | None, data: Path | None) -> Iterator[Line]:
        """Simulate, and yield the results of all comparisons.

        Parameters
        ----------
        folder : Path
            For the files that the tools write.
        number : int, optional
            Number of images that are computed, beside that of the self test.
        data : Path, optional
            Folder with the original data sets.

        Raises
        ------
        MismatchError, LinkError
            If anything differs.
        """


@dataclass(frozen=True)
class Fresh:
    """A design that is synthesised for the proof.

    Parameters
    ----------
    family : str
    design : Design
    stages : tuple of callable
        Each returns the Verilog that is simulated: :func:`~netlist.design.netlist`, and
        :func:`~netlist.design.bitstream`.
    title : str
        Name of the design, if there are several for its family.
    """

    family: str
    design: Design
    stages: tuple[Callable[[Synthesised], Verilog], ...]
    title: str = ""

    usual: ClassVar[int] = 5

    @property
    def name(self) -> str:
        return f"{self.title}-{self.family}" if self.title else self.family

    def lines(self, folder: Path, number: int | None, data: Path | None) -> Iterator[Line]:
        # The last image is that of the self test.
        tested = own_images(self.design.network(), (number or self.usual) + 1, data)
        synthesised = synthesise(self.design, tested.pixels[-1:], folder / self.name)
        for stage in self.stages:
            verilog = stage(synthesised)
            compared = compare(synthesised, verilog.path, tested.pixels[:-1])
            yield Line(f"{self.title} {stage.__name__}".strip(), tested.source, verilog, compared)


@dataclass(frozen=True)
class Kept:
    """A committed bitstream.

    Parameters
    ----------
    build : Build
    kept : Path
        Folder that it lies in.
    """

    build: Build
    kept: Path = KEPT

    # One image takes as long as six of the above. Two are the fewest for one to be computed while
    # the other travels.
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
        tested = own_images(network, number or self.usual, data)
        compared = compare(subject, verilog.path, tested.pixels)
        yield Line(self.build.network, tested.source, verilog, compared)


def _fresh(network: Callable[[], Network], title: str = "") -> dict[str, Fresh]:
    """Return the proofs of a network, by family; only iCE40's bitstreams can be read back."""
    small, two = HardwareConfig(lanes=1, slots=2), HardwareConfig(lanes=2)
    return {
        "ice40": Fresh("ice40", Design("icebreaker", network, small), (netlist, bitstream), title),
        "ecp5": Fresh("ecp5", Design("ulx3s-85f", network, two), (netlist,), title),
        "gowin": Fresh("gowin", Design("tang-nano-9k", network, two), (netlist,), title),
    }


_DIGITS, _SIGNED = _fresh(digits), _fresh(signed, "signed")

#: The longest proofs are first.
PROOFS: dict[str, tuple[Proof, ...]] = {
    "ice40": (_DIGITS["ice40"],),
    "committed": tuple(
        Kept(build) for build in BUILDS if Board.find(build.board).family == "ice40"
    ),
    "signed": tuple(_SIGNED.values()),
    "ecp5": (_DIGITS["ecp5"],),
    "gowin": (_DIGITS["gowin"],),
}
