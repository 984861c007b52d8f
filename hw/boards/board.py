"""What a board is: its device, what is on it, and which tools make bitstreams for it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from spikeloom.sw.errors import ConfigError


@dataclass(frozen=True)
class Resources:
    """What a device has, or what a design uses of it.

    Parameters
    ----------
    luts : int
        Look-up tables of four inputs (six for Xilinx), those in carry chains included.
    flipflops : int
    block_ram : int
        Blocks of the family's size.
    dsp : int
        Multiplier blocks, of which Spikeloom uses none.
    """

    luts: int
    flipflops: int
    block_ram: int
    dsp: int


@dataclass(frozen=True)
class Light:
    """An LED, by the name that Amaranth's platform has for it.

    Parameters
    ----------
    resource : str
    number : int
    part : str, optional
        Of a resource with several LEDs: ``"r"``, ``"g"``, ``"b"``.
    label : str
        What it is called on the board.
    """

    resource: str
    number: int
    part: str | None
    label: str


@dataclass(frozen=True)
class Link:
    """How a host reaches the board.

    Parameters
    ----------
    rx, tx : str
        Pins of the FPGA: what it receives by, and what it sends by.
    over : str
        What these lead to: the USB socket, or pins for a serial adapter of 3.3 V.
    baud : int
        The rate unless another is asked for: what the adapter can do by its data sheet, or what
        common ones can, and a fourth of the clock at most.
    """

    rx: str
    tx: str
    over: str
    baud: int


@dataclass(frozen=True)
class Processor:
    """A processor on the FPGA's chip, whose memory the logic reaches over AXI.

    Parameters
    ----------
    name : str
        Of the chip.
    fastest : float
        MHz of the clock that it can give the logic, at most.
    """

    name: str
    fastest: float


class Board(ABC):
    """A board; each is a class in a file of its own and is found by its name.

    Attributes
    ----------
    name : str
        What `--board` takes.
    title : str
        What people call it.
    family : str
        Name of the :class:`~spikeloom.hw.build.family.Family` of tools.
    device : str
        The FPGA.
    resources : Resources
        What the device has, by its data sheet.
    clock : float
        MHz of the oscillator.
    lights : mapping of str to Light
        ``"passed"`` and ``"failed"``, which tell the self test's result; ``"alive"``, which blinks
        while there is a clock, where there is a third.
    link : Link
    loader : str
        Name of the board for openFPGALoader.
    memories : tuple of str
        Where openFPGALoader can put a bitstream: ``"sram"``, which is empty after power-down, and
        ``"flash"``, from which the board starts by itself.
    ready : str
        What has to be done before loading, so that the board is found; empty: nothing.
    processor : Processor or None
        What an overlay serves; None: there is none on the FPGA's chip.
    tried : str
        Which revision somebody has tried with a bitstream of ours; empty: nobody has.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    family: ClassVar[str]
    device: ClassVar[str]
    resources: ClassVar[Resources]
    clock: ClassVar[float]
    lights: ClassVar[Mapping[str, Light]]
    link: ClassVar[Link]
    loader: ClassVar[str]
    memories: ClassVar[tuple[str, ...]] = ("sram", "flash")
    ready: ClassVar[str] = ""
    processor: ClassVar[Processor | None] = None
    tried: ClassVar[str] = ""

    _known: ClassVar[dict[str, type[Board]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        Board._known[cls.name] = cls

    @abstractmethod
    def platform(self) -> Any:
        """Return a new ``amaranth.build.Platform``, which serves for one build.

        Its packages are imported here and not before, so that listing boards needs none.
        """

    @staticmethod
    def names() -> list[str]:
        """Return the names of all boards."""
        return list(Board._known)

    @staticmethod
    def find(name: str) -> Board:
        """Return the board called ``name``; case, spaces and dashes do not matter.

        Raises
        ------
        ConfigError
            If there is none.
        """
        for known, board in Board._known.items():
            if _plain(known) == _plain(name):
                return board()
        raise ConfigError(f"there is no board {name!r}: the boards are {', '.join(Board._known)}")


def _plain(name: str) -> str:
    return re.sub(r"[-_\s]", "", name).lower()
