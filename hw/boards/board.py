"""A board: its FPGA, pins, LEDs and link; read from a table in TOML."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikeloom.hw.boards.chips import Chips, Model
from spikeloom.hw.boards.parts import (
    Attributes,
    Light,
    Link,
    Oscillator,
    Pin,
    Processor,
    Resources,
)
from spikeloom.hw.boards.platforms import (
    LED,
    DescribedPlatform,
    NamedPlatform,
    PlatformSource,
    family_of,
    lights_of,
    pins_of,
)
from spikeloom.sw import tables
from spikeloom.sw.errors import ConfigError

#: Tables of the boards that come with Spikeloom, each called as its board.
TABLES = Path(__file__).with_name("tables")
#: A table to begin with.
TEMPLATE = Path(__file__).with_name("template.toml")
SUFFIX = ".toml"
#: Where openFPGALoader can put a bitstream.
MEMORIES = ("sram", "flash")
#: LEDs that a design drives.
LIGHTS = ("passed", "failed", "alive")


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
            ("clock.mhz", self.clock, platform.default_clk_frequency / 1e6),
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
            return _of_platform(text)
        table = tables.load(place, "board's table")
        try:
            return _of_table(table, Path(place).parent)
        except ConfigError as error:
            raise ConfigError(
                f"{place}: {error}. `spikeloom boards --template` explains every key"
            ) from None


@dataclass(frozen=True, kw_only=True)
class _Head:
    """The keys of a table that stand outside of its sections."""

    name: str
    title: str = ""
    family: str
    device: str
    version: str = ""
    platform: str = ""
    loader: str = ""
    memories: tuple[str, ...] = MEMORIES
    ready: str = ""
    tried: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.name):
            raise ConfigError(
                f"name must be of letters, digits and dashes, as in 'my-board', not {self.name!r}"
            )
        for memory in self.memories:
            tables.require_known(memory, MEMORIES, "memories: there is no")
        if not self.memories:
            raise ConfigError(f"memories must name one of {', '.join(MEMORIES)}, or be left out")


@dataclass(frozen=True)
class _Line(Link):
    """The section of the link, with settings of its pins."""

    attributes: Attributes = field(default_factory=dict)


#: Sections of every table, and those that only one without a platform has.
_SECTIONS = ("clock", "link", "lights", "resources", "processor")
_DESCRIBING = ("attributes", "reset", "options")


def _of_table(table: Mapping[str, Any], folder: Path) -> Board:
    """Return the board of a table that lies in ``folder``."""
    keys = [*_Head.__dataclass_fields__, *_SECTIONS, *_DESCRIBING]
    for key in table:
        tables.require_known(key, keys, "board has no key")
    sections = (*_SECTIONS, *_DESCRIBING)
    head = tables.read(_Head, {k: v for k, v in table.items() if k not in sections}, "board")
    for key in ("clock", "link", "lights"):
        if key not in table:
            raise ConfigError(f"board must have a section [{key}]")
    chips = Chips.find(head.family)
    oscillator = tables.read(Oscillator, table["clock"], "clock")
    line = tables.read(_Line, table["link"], "link")
    link = Link(line.rx, line.tx, line.over, line.baud)
    model = chips.find_model(head.device)
    source: PlatformSource
    if head.platform:
        for key in ("version", *_DESCRIBING):
            if key in table:
                raise ConfigError(
                    f"{key!r} is for a board without a platform: leave out one of both"
                )
        if oscillator.pin or oscillator.attributes:
            raise ConfigError("clock.pin and clock.attributes are the platform's: leave them out")
        lights = _lights(table["lights"], Light)
        source = NamedPlatform(head.platform, folder, line.attributes)
    else:
        if not oscillator.pin:
            raise ConfigError(
                "clock must say 'pin', where the oscillator reaches the FPGA (or board must say "
                "'platform')"
            )
        described = _lights(table["lights"], Pin)
        lights = {
            name: Light(LED, k, label=pin.label or f"pin {pin.pin}")
            for k, (name, pin) in enumerate(described.items())
        }
        source = DescribedPlatform(
            chips,
            chips.attributes(head.device, head.version),
            oscillator,
            described,
            line.attributes,
            tables.read(Pin, table["reset"], "reset") if "reset" in table else None,
            _attributes(table),
            _options(table, chips),
        )
        _require_apart(source, link)
    return Board(
        name=head.name,
        title=head.title or head.name,
        family=head.family,
        device=head.device,
        resources=_resources(table, head.device, model),
        clock=oscillator.mhz,
        lights=lights,
        link=link,
        source=source,
        loader=head.loader,
        memories=head.memories,
        ready=head.ready,
        processor=(
            tables.read(Processor, table["processor"], "processor")
            if "processor" in table
            else None
            if model is None
            else model.processor
        ),
        tried=head.tried,
    )


def _of_platform(spec: str) -> Board:
    """Return the board of a platform alone."""
    source = NamedPlatform(spec, Path())
    platform = source.bare()
    name = type(platform).__name__
    try:
        clock = platform.default_clk_frequency / 1e6
    except AttributeError as error:
        raise ConfigError(f"platform {spec}: {error}: give it a default_clk") from None
    if ("uart", 0) not in platform.resources:
        raise ConfigError(
            f"platform {spec} has no resource 'uart': add one, or write a table that names its pins"
        )
    chips, lights = family_of(platform), lights_of(platform)
    device = chips.device(platform)
    pins = pins_of(platform, lights)
    model = chips.find_model(device)
    if model is None:
        raise ConfigError(
            f"platform {spec}: nobody has told the resources of {device}: write a table with a "
            f"section [resources]"
        )
    return Board(
        name=re.sub(r"[^a-z0-9]+", "-", name.removesuffix("Platform").lower()).strip("-"),
        title=name,
        family=chips.family,
        device=device,
        resources=model.resources,
        clock=clock,
        lights=lights,
        link=Link(pins["rx"], pins["tx"], "the platform's UART"),
        source=source,
        processor=model.processor,
    )


def _lights(section: Any, kind: type[Any]) -> dict[str, Any]:
    """Return the section of LEDs, in the order of the design."""
    found = tables.values_of(section, dict.fromkeys(LIGHTS, Any), "lights")
    if LIGHTS[0] not in found:
        raise ConfigError("lights must say 'passed': the LED that tells that the self test is right")
    return {
        name: tables.read(kind, found[name], f"lights.{name}") for name in LIGHTS if name in found
    }


def _attributes(table: Mapping[str, Any]) -> Attributes:
    where = {"attributes": table.get("attributes", {})}
    found: Attributes = tables.values_of(where, {"attributes": Attributes}, "board")["attributes"]
    return found


def _options(table: Mapping[str, Any], chips: Chips) -> Mapping[str, str]:
    return tables.values_of(table.get("options", {}), dict.fromkeys(chips.options, str), "options")


def _require_apart(source: DescribedPlatform, link: Link) -> None:
    """Raise `ConfigError` if a pin has two uses."""
    uses = {"clock.pin": source.oscillator.pin, "link.rx": link.rx, "link.tx": link.tx}
    uses |= {f"lights.{name}": light.pin for name, light in source.lights.items()}
    if source.reset is not None:
        uses["reset"] = source.reset.pin
    seen: dict[str, str] = {}
    for use, pin in uses.items():
        if pin in seen:
            raise ConfigError(f"{use} and {seen[pin]} are both pin {pin!r}: each needs its own")
        seen[pin] = use


def _resources(table: Mapping[str, Any], device: str, model: Model | None) -> Resources:
    if "resources" in table:
        return tables.read(Resources, table["resources"], "resources")
    if model is None:
        raise ConfigError(
            f"device {device!r} is not one whose resources we know: add a section [resources] with "
            f"luts, flipflops, block_ram and dsp, from its data sheet"
        )
    return model.resources


def _known(name: str) -> str:
    """Return a known board's name as its table has it."""
    for known in Board.names():
        if _plain(known) == _plain(name):
            return known
    raise ConfigError(
        f"there is no board {name!r}: the boards are {', '.join(Board.names())}; a board of your "
        f"own is a file, as in mine.toml"
    )


def _plain(name: str) -> str:
    return re.sub(r"[-_\s]", "", name).lower()
