"""Reading of a board's table, or of a platform that has none: the parameters of a board."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
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
    clock_of,
    family_of,
    lights_of,
    pins_of,
)
from spikeloom.sw import tables
from spikeloom.sw.errors import ConfigError

#: Where openFPGALoader can put a bitstream.
MEMORIES = ("sram", "flash")
#: LEDs that a design drives.
LIGHTS = ("passed", "failed", "alive")


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
_HEAD = tuple(field.name for field in fields(_Head))
#: All keys of a table, sections included.
KEYS = (*_HEAD, *_SECTIONS, *_DESCRIBING)


def of_table(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the parameters of the board of a table.

    Parameters
    ----------
    table : mapping
        Content of a TOML file.
    folder : Path
        The file's folder, from which the path of a platform's file leads.

    Raises
    ------
    ConfigError
        If a key is missing or unknown, or has a value that it cannot have; the message names it.
    """
    for key in table:
        tables.require_known(key, KEYS, "board has no key")
    head = tables.read(_Head, {k: v for k, v in table.items() if k in _HEAD}, "board")
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
    return {
        "name": head.name,
        "title": head.title or head.name,
        "family": head.family,
        "device": head.device,
        "resources": _resources(table, head.device, model),
        "clock": oscillator.mhz,
        "lights": lights,
        "link": link,
        "source": source,
        "loader": head.loader,
        "memories": head.memories,
        "ready": head.ready,
        "processor": (
            tables.read(Processor, table["processor"], "processor")
            if "processor" in table
            else None
            if model is None
            else model.processor
        ),
        "tried": head.tried,
    }


def of_platform(spec: str) -> dict[str, Any]:
    """Return the parameters of the board of a platform alone, ``FILE.py:NAME`` or ``module:NAME``.

    Raises
    ------
    ConfigError
        If there is no such platform, or it lacks a clock, a UART or LEDs.
    UnsupportedError
        If the user's code raises an error.
    """
    source = NamedPlatform(spec, Path())
    platform = source.bare()
    name = type(platform).__name__
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
    return {
        "name": re.sub(r"[^a-z0-9]+", "-", name.removesuffix("Platform").lower()).strip("-"),
        "title": name,
        "family": chips.family,
        "device": device,
        "resources": model.resources,
        "clock": clock_of(platform),
        "lights": lights,
        "link": Link(pins["rx"], pins["tx"], "the platform's UART"),
        "source": source,
        "processor": model.processor,
    }


def _lights(section: Any, kind: type[Any]) -> dict[str, Any]:
    """Return the section of LEDs, in the order of the design."""
    found = tables.values_of(section, dict.fromkeys(LIGHTS, Any), "lights")
    if LIGHTS[0] not in found:
        raise ConfigError(
            "lights must say 'passed', the LED that shines if the self test has passed"
        )
    return {
        name: tables.read(kind, found[name], f"lights.{name}") for name in LIGHTS if name in found
    }


def _attributes(table: Mapping[str, Any]) -> Attributes:
    section = table.get("attributes", {})
    keys = section if isinstance(section, Mapping) else ()
    return tables.values_of(section, dict.fromkeys(keys, str | int | bool), "attributes")


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
        return Resources.of_device(table["resources"])
    if model is None:
        raise ConfigError(
            f"device {device!r} is not one whose resources we know: add a section [resources] with "
            f"luts, flipflops, block_ram and dsp, from its data sheet"
        )
    return model.resources
