"""A board: its FPGA, pins, LEDs and link; read from a table in TOML."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeloom.hw.boards.parts import Light, Link, Processor, Resources
from spikeloom.hw.boards.platforms import PlatformSource, clock_of, family_of, pins_of
from spikeloom.hw.boards.table import MEMORIES, of_platform, of_table
from spikeloom.sw import tables
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.names import meant

#: Tables of the boards that come with Spikeloom, each called as its board.
TABLES = Path(__file__).with_name("tables")
#: A table to begin with.
TEMPLATE = Path(__file__).with_name("template.toml")
SUFFIX = ".toml"


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board, found by its name or read from a table of the user's.

    Parameters
    ----------
    name : str
        The value of ``--board``, and part of the names of a build's files.
    title : str
        The name that people use.
    family : str
        Name of the :class:`~spikeloom.hw.build.family.Family` of tools.
    device : str
        Part number of the FPGA.
    resources : Resources
        Resources of the FPGA, by its data sheet.
    clock : float
        MHz of the oscillator.
    lights : mapping of str to Light
        ``"passed"`` and ``"failed"``, which tell the self test's result, and ``"alive"``, which
        blinks while there is a clock; a board with fewer LEDs leaves out the last ones.
    link : Link
    source : PlatformSource
        Makes the board's platform.
    loader : str
        Name of the board for openFPGALoader; empty if it has none.
    memories : tuple of str
        Where openFPGALoader can put a bitstream: ``"sram"``, which is empty after power-down, and
        ``"flash"``, from which the board starts by itself.
    ready : str
        Instruction for before loading, so that the board is found; empty: nothing is needed.
    processor : Processor or None
        The processor that an overlay serves; None if the FPGA's chip has none.
    tried : str
        The revision that somebody has tried with a bitstream of ours; empty: nobody has.
    """

    name: str
    title: str
    family: str
    device: str
    resources: Resources
    clock: float
    lights: Mapping[str, Light]
    link: Link
    source: PlatformSource
    loader: str = ""
    memories: tuple[str, ...] = MEMORIES
    ready: str = ""
    processor: Processor | None = None
    tried: str = ""

    def platform(self) -> Any:
        """Return a new ``amaranth.build.Platform``, which serves for one build.

        Its packages are imported here and not before, so that listing boards needs none. A platform
        in a Python file of the user's is run.

        Raises
        ------
        ConfigError
            If there is no such platform, or it is not that of this board: another FPGA, another
            clock, other pins.
        UnsupportedError
            If the user's code raises an error.
        """
        self._require_same(self.source.make(self.link))
        return self.source.make(self.link)

    def _require_same(self, platform: Any) -> None:
        chips = family_of(platform)
        pins = pins_of(platform, self.lights)
        for key, said, found in (
            ("family", self.family, chips.family),
            ("device", self.device, chips.device(platform)),
            ("clock.mhz", self.clock, clock_of(platform)),
            ("link.rx", self.link.rx, pins["rx"]),
            ("link.tx", self.link.tx, pins["tx"]),
        ):
            if said != found:
                raise ConfigError(
                    f"board {self.name}: {key} is {said!r}, but its platform has {found!r}: change "
                    f"the table, or name another platform"
                )

    @staticmethod
    def names() -> list[str]:
        """Return the names of the boards that come with Spikeloom."""
        return sorted(path.stem for path in TABLES.glob(f"*{SUFFIX}"))

    @staticmethod
    def template(name: str | None = None) -> str:
        """Return the text of a table to begin with: a commented one, or that of a known board.

        Raises
        ------
        ConfigError
            If there is no board of this name.
        """
        if name is None:
            return TEMPLATE.read_text(encoding="utf-8")
        return (TABLES / f"{_known(name)}{SUFFIX}").read_text(encoding="utf-8")

    @staticmethod
    def find(name: str | Path) -> Board:
        """Return a board by its name, or one of the user's by its path, as :meth:`load` reads it.

        Case, spaces and dashes of a name do not matter.

        Raises
        ------
        ConfigError
            If there is none.
        FileFormatError, UnsupportedError
            As :meth:`load` raises them.
        """
        text = str(name)
        if isinstance(name, Path) or text.endswith(SUFFIX) or ":" in text or os.sep in text:
            return Board.load(name)
        return Board.load(TABLES / f"{_known(text)}{SUFFIX}")

    @staticmethod
    def load(place: str | Path) -> Board:
        """Return the board of a table, or of an Amaranth platform.

        Parameters
        ----------
        place : path or str
            A table in TOML; or ``FILE.py:NAME`` or ``module:NAME``, a class derived from
            ``amaranth.build.Platform``. A file is run as Python, by this or by :meth:`platform`.

        Raises
        ------
        FileFormatError
            If there is no such table, or it is no TOML.
        ConfigError
            If a key of the table is missing, unknown, or has a value that it cannot have; or the
            platform lacks what a board needs.
        UnsupportedError
            If the user's code raises an error.
        """
        text = str(place)
        if ":" in text and not text.endswith(SUFFIX):
            return Board(**of_platform(text))
        table, folder = tables.load(place, "board's table"), Path(place).parent
        try:
            board = Board(**of_table(table, folder))
            if folder != TABLES and _plain(board.name) in map(_plain, Board.names()):
                raise ConfigError(f"name {board.name!r} is a known board's: take another name")
            return board
        except ConfigError as error:
            raise ConfigError(
                f"{place}: {error}. `spikeloom boards --template` explains every key"
            ) from None


def _known(name: str) -> str:
    """Return a known board's name as its table has it."""
    for known in Board.names():
        if _plain(known) == _plain(name):
            return known
    rest = (
        f"the boards are {', '.join(Board.names())}; a board of your own is a file, as in mine.toml"
    )
    raise ConfigError(f"there is no board {name!r}: {meant(name, Board.names(), rest)}")


def _plain(name: str) -> str:
    return re.sub(r"[-_\s]", "", name).lower()
