"""What stands in for a board's pins, so that its design can be converted as it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from amaranth.back import verilog
from amaranth.hdl import ClockDomain, Elaboratable, Fragment, Signal
from amaranth.lib import io

from spikeloom.hw.boards import Board
from spikeloom.sw.errors import ConfigError

#: Name of the design's module.
TOP = "top"


class SimulationPlatform:
    """Hands out a board's UART and LEDs as pins of a Verilog module.

    There is one clock domain, which has no reset: as on a board, a design begins with what its
    registers hold after configuration.

    Parameters
    ----------
    board : Board

    Attributes
    ----------
    pins : dict of str to Signal
        The clock, and what was asked for, by name. LEDs are called ``light_`` and the name that
        the board has for them; a high one shines.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self.clock = ClockDomain("sync", reset_less=True)
        self.pins: dict[str, Signal] = {"clk": self.clock.clk}
        self._taken: set[tuple[str, int]] = set()

    def request(self, name: str, number: int = 0, *, dir: object = None) -> Any:
        """Return the ports of a resource, as a platform does.

        Parameters
        ----------
        name : str
            ``"uart"``, or what the board's lights call an LED.
        number : int
        dir : object
            Of the pins; not looked at, as each can be used in one direction only.

        Raises
        ------
        ConfigError
            If the board has no such resource, or it was asked for before.
        """
        place = (name, number)
        if place in self._taken:
            raise ConfigError(f"resource {name}#{number} was requested twice")
        self._taken.add(place)
        if place == ("uart", 0):
            return SimpleNamespace(rx=self._pin("rx", "i"), tx=self._pin("tx", "o"))
        lights = {
            key: light
            for key, light in self.board.lights.items()
            if (light.resource, light.number) == place
        }
        if not lights:
            raise ConfigError(
                f"the simulated {self.board.title} has no resource {name}#{number}, only its UART "
                f"and its LEDs"
            )
        ports = {light.part or "": self._pin(f"light_{key}", "o") for key, light in lights.items()}
        return ports[""] if "" in ports else SimpleNamespace(**ports)

    def verilog(self, top: Elaboratable) -> str:
        """Return the Verilog of a design, a module :data:`TOP` with the pins that it asks for."""
        fragment = Fragment.get(top, self)
        fragment.add_domains(self.clock)
        ports = {name: (pin, None) for name, pin in self.pins.items()}
        return verilog.convert(fragment, TOP, ports=ports, emit_src=False)

    def _pin(self, name: str, direction: str) -> io.SimulationPort:
        port = io.SimulationPort(direction, 1, name=name)
        self.pins[name] = getattr(port, direction)
        return port
