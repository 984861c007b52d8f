"""Amaranth's platform of a board: a class that is named, or one made of a table's pins."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikeloom.hw.boards.chips import Chips, families
from spikeloom.hw.boards.parts import Attributes, Light, Link, Oscillator, Pin
from spikeloom.sw import python_file
from spikeloom.sw.errors import ConfigError, UnsupportedError

#: The LED that a described platform has for each light, in the order of their numbers.
LED = "led"


class PlatformSource(ABC):
    """Makes platforms of one board."""

    @abstractmethod
    def make(self, link: Link) -> Any:
        """Return a new ``amaranth.build.Platform`` that has the board's UART, for one build.

        Raises
        ------
        ConfigError, UnsupportedError
            If there is no such platform, or it cannot be made.
        """


@dataclass(frozen=True)
class NamedPlatform(PlatformSource):
    """A platform of Amaranth's collection of boards, or of the user's own.

    Parameters
    ----------
    spec : str
        ``module:NAME``, or ``FILE.py:NAME``, which is run as Python.
    folder : Path
        Where a file with a relative path is looked for.
    attributes : mapping, optional
        Of the UART's pins, if the platform has no UART and gets that of the link.
    """

    spec: str
    folder: Path
    attributes: Attributes = field(default_factory=dict)

    def make(self, link: Link) -> Any:
        platform = self.bare()
        if ("uart", 0) not in platform.resources:
            platform.add_resources([uart(link, self.attributes)])
        return platform

    def bare(self) -> Any:
        """Return a new platform as its class makes it."""
        from amaranth.build import Platform

        maker = load_class(self.spec, self.folder)
        try:
            platform = maker()
        except Exception as error:
            raise UnsupportedError(
                f"platform {self.spec} cannot be made without arguments: {type(error).__name__}: "
                f"{error}"
            ) from error
        if not isinstance(platform, Platform):
            raise ConfigError(
                f"platform {self.spec} is {type(platform).__name__}, not an amaranth.build.Platform"
            )
        return platform


@dataclass(frozen=True)
class DescribedPlatform(PlatformSource):
    """A platform made of a table that names all pins.

    Parameters
    ----------
    chips : Chips
        The FPGA's family.
    part : mapping of str to str
        Attributes of the platform that say which FPGA it is.
    oscillator : Oscillator
    lights : mapping of str to Pin
    uart : mapping
        Attributes of the UART's pins.
    reset : Pin, optional
        A button that resets the design.
    attributes : mapping
        Of all pins.
    options : mapping of str to str
        Options for the family's tools.
    """

    chips: Chips
    part: Mapping[str, str]
    oscillator: Oscillator
    lights: Mapping[str, Pin]
    uart: Attributes = field(default_factory=dict)
    reset: Pin | None = None
    attributes: Attributes = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    def make(self, link: Link) -> Any:
        from amaranth.build import Attrs, Clock, Pins, Resource

        def of(pin: Pin, direction: str) -> list[Any]:
            return [
                Pins(pin.pin, dir=direction, invert=pin.inverted),
                Attrs(**{**self.attributes, **pin.attributes}),
            ]

        mhz = self.oscillator.mhz
        clock = f"clk{mhz:g}".replace(".", "_").replace("+", "")
        pins, attributes = of(Pin(self.oscillator.pin, attributes=self.oscillator.attributes), "i")
        leds = [Resource(LED, k, *of(pin, "o")) for k, pin in enumerate(self.lights.values())]
        resources = [
            Resource(clock, 0, pins, Clock(round(mhz * 1e6)), attributes),
            *leds,
            uart(link, {**self.attributes, **self.uart}),
        ]
        if self.reset is not None:
            resources.append(Resource("rst", 0, *of(self.reset, "i")))
        base, options = load_class(self.chips.platform, Path()), self.options

        def toolchain_prepare(platform: Any, fragment: Any, name: str, **given: Any) -> Any:
            return base.toolchain_prepare(platform, fragment, name, **{**options, **given})

        content = {
            **self.part,
            "default_clk": clock,
            "default_rst": None if self.reset is None else "rst",
            "resources": resources,
            "connectors": [],
            "toolchain_prepare": toolchain_prepare,
        }
        try:
            return type("Platform", (base,), content)()
        except ValueError as error:
            raise ConfigError(f"device {self.part.get('part')!r}: {error}") from None


def uart(link: Link, attributes: Attributes) -> Any:
    """Return the resource of a link's UART."""
    from amaranth.build import Attrs, Pins, Resource, Subsignal

    return Resource(
        "uart",
        0,
        Subsignal("rx", Pins(link.rx, dir="i")),
        Subsignal("tx", Pins(link.tx, dir="o")),
        Attrs(**attributes),
    )


def load_class(spec: str, folder: Path) -> Any:
    """Return what ``module:NAME`` or ``FILE.py:NAME`` names.

    Raises
    ------
    ConfigError
        If it is spelt otherwise, or there is no such file, module or name.
    UnsupportedError
        If the file raises an error when it is run.
    """
    place, _, name = spec.rpartition(":")
    if not place or not name.isidentifier():
        raise ConfigError(f"platform must be 'module:NAME' or 'FILE.py:NAME', not {spec!r}")
    if place.endswith(".py"):
        path = folder / place
        if not path.is_file():
            raise ConfigError(f"the platform's file {path} does not exist: check the path")
        module = python_file.run(path, "spikeloom_board")
    else:
        try:
            module = importlib.import_module(place)
        except ImportError as error:
            raise ConfigError(
                f"platform {spec!r}: {error}: check the name, or install the package that has it "
                f"(those of Amaranth: pip install 'spikeloom[boards]')"
            ) from None
    if not hasattr(module, name):
        raise ConfigError(f"platform {spec!r}: {place} has no {name!r}: check the name")
    return getattr(module, name)


def family_of(platform: Any) -> Chips:
    """Return the family of a platform's FPGA.

    Raises
    ------
    ConfigError
        If it is none of those that Spikeloom builds for.
    """
    for chips in families().values():
        # Lattice's platform serves several families, of which it says which one it is.
        named = getattr(platform, "family", chips.family)
        of_lattice = chips.family in ("ecp5", "nexus")
        base = load_class(
            "amaranth.vendor:LatticePlatform" if of_lattice else chips.platform, Path()
        )
        if isinstance(platform, base) and (not of_lattice or named == chips.family):
            return chips
    raise ConfigError(
        f"platform {type(platform).__name__} is of no family that Spikeloom builds for: "
        f"{', '.join(families())}"
    )


def clock_of(platform: Any) -> float:
    """Return the MHz of a platform's clock.

    Raises
    ------
    ConfigError
        If it says none.
    """
    try:
        return float(platform.default_clk_frequency) / 1e6
    except AttributeError as error:
        raise ConfigError(f"{error}: give it a default_clk with a Clock") from None


def lights_of(platform: Any) -> dict[str, Light]:
    """Return the LEDs of a platform that has no table: the first three, or the colours of one."""
    names = ("passed", "failed", "alive")
    leds = [number for name, number in platform.resources if name == LED]
    if leds:
        return {
            name: Light(LED, number, label=f"{LED} {number}")
            for name, number in zip(names, sorted(leds), strict=False)
        }
    if ("rgb_led", 0) in platform.resources:
        colours = {"g": "green", "r": "red", "b": "blue"}
        return {
            name: Light("rgb_led", 0, part, label=f"{colour} of the RGB LED")
            for name, (part, colour) in zip(names, colours.items(), strict=True)
        }
    raise ConfigError(
        f"platform {type(platform).__name__} has neither a resource {LED!r} nor 'rgb_led': write a "
        f"table that names its LEDs (spikeloom boards --template)"
    )


def pins_of(platform: Any, lights: Mapping[str, Light]) -> dict[str, str]:
    """Return the FPGA's pins that a design requests: ``clock``, ``rx``, ``tx``, and the lights.

    The platform serves for no build afterwards.

    Raises
    ------
    ConfigError
        If it lacks a resource, or one pin serves two.
    """
    from amaranth.build import ResourceError

    try:
        line = platform.request("uart", 0, dir="-")
        found = {
            "clock": platform.request(platform.default_clk, dir="-"),
            "rx": line.rx,
            "tx": line.tx,
        }
        places = dict.fromkeys((light.resource, light.number) for light in lights.values())
        ports = {place: platform.request(*place, dir="-") for place in places}
        if platform.default_rst is not None:
            platform.request(platform.default_rst, dir="-")
    except ResourceError as error:
        raise ConfigError(f"platform {type(platform).__name__}: {error}") from None
    for name, light in lights.items():
        port = ports[light.resource, light.number]
        port = port if light.part is None else getattr(port, light.part, None)
        if not hasattr(port, "io"):
            raise ConfigError(
                f"lights.{name}: platform {type(platform).__name__} has no LED {light.resource} "
                f"{light.number} {light.part or ''}".rstrip()
            )
        found[name] = port
    return {name: port.io.metadata[0].name for name, port in found.items()}
