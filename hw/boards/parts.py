"""Parts of a board: resources of its FPGA, LEDs, the link to a host, a processor, pins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from spikeloom.sw import tables
from spikeloom.sw.errors import ConfigError

#: Values of a pin's attributes, such as the voltage of its bank, as Amaranth and the tools take.
Attributes = Mapping[str, str | int | bool]


@dataclass(frozen=True)
class Resources:
    """Resources that an FPGA has, or that a design uses of it.

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

    @classmethod
    def of_device(cls, table: Any) -> Self:
        """Return the resources of an FPGA by its table.

        Raises
        ------
        ConfigError
            If a figure is missing or cannot be one of an FPGA.
        """
        found = tables.read(cls, table, "resources")
        for name, number in vars(found).items():
            if number < (name == "luts"):
                raise ConfigError(
                    f"resources: {name} must not be {number}: take the figure of the data sheet"
                )
        return found


@dataclass(frozen=True)
class Light:
    """An LED, by the name that Amaranth's platform has for it.

    Parameters
    ----------
    resource : str
    number : int
    part : str, optional
        The colour (``"r"``, ``"g"``, ``"b"``) in a resource with several LEDs.
    label : str
        The LED's name on the board.
    """

    resource: str
    number: int = 0
    part: str | None = None
    label: str = field(kw_only=True)


@dataclass(frozen=True)
class Link:
    """The serial line between a host and the FPGA.

    Parameters
    ----------
    rx, tx : str
        Pins of the FPGA: the one by which it receives, and the one by which it sends.
    over : str
        Where these pins lead: to the USB socket, or to a serial adapter of 3.3 V.
    baud : int
        The rate unless another is asked for: one that the adapter can do by its data sheet, or
        that common adapters can, and at most a fourth of the clock.
    """

    rx: str
    tx: str
    over: str = "serial adapter"
    baud: int = 115_200

    def __post_init__(self) -> None:
        for name in ("rx", "tx"):
            require_pin(name, getattr(self, name))
        if self.rx == self.tx:
            raise ConfigError(f"rx and tx are both pin {self.rx!r}: name two pins")
        if self.baud < 1:
            raise ConfigError(f"baud must be at least 1, not {self.baud}: 115200 suits any adapter")


@dataclass(frozen=True)
class Processor:
    """A processor on the FPGA's chip, whose memory the logic reaches over AXI.

    Parameters
    ----------
    name : str
        The chip's.
    fastest : float
        Highest clock in MHz that the processor can give the logic.
    """

    name: str
    fastest: float


@dataclass(frozen=True)
class Pin:
    """A pin of the FPGA, in a table that describes all of them.

    Parameters
    ----------
    pin : str
        As the FPGA's package names it: ``"J3"``, ``"35"``.
    inverted : bool
        Whether a low level means that an LED shines, or that a button is pressed.
    attributes : mapping, optional
        Settings of this pin, beside those of all pins.
    label : str
        The name on the board; of LEDs.
    """

    pin: str
    inverted: bool = False
    attributes: Attributes = field(default_factory=dict)
    label: str = ""

    def __post_init__(self) -> None:
        require_pin("pin", self.pin)


@dataclass(frozen=True)
class Oscillator:
    """The clock that a board gives its FPGA.

    Parameters
    ----------
    mhz : float
    pin : str
        Where it reaches the FPGA; empty in a table that names a platform.
    attributes : mapping, optional
        As a :class:`Pin` has them.
    """

    mhz: float
    pin: str = ""
    attributes: Attributes = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.mhz < math.inf:
            raise ConfigError(f"mhz must be above 0, not {self.mhz}: write 25.0 for 25 MHz")
        if self.pin:
            require_pin("pin", self.pin)


def require_pin(key: str, pin: str) -> None:
    """Raise `ConfigError` if a text cannot be the name of one pin."""
    if not pin or not pin.isascii() or not pin.isprintable() or set(pin) & set(" ,;:\"'"):
        raise ConfigError(f"{key} must name one pin of the FPGA, as in 'A9' or '35', not {pin!r}")
