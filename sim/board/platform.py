"""Simulation platform: stands in for a board's platform, to convert the same design to Verilog."""

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
    """Platform that provides a board's UART and LEDs as ports of a Verilog module.

    There is one clock domain, ``sync``, without a reset: as on an FPGA, registers begin with the
    values that they have after configuration.

    Parameters
    ----------
    board : Board
        The board whose resources are provided.

    Attributes
    ----------
    pins : dict of str to Signal
        The module's ports by name: ``clk``, and those of requested resources. An LED's port is
        named ``light_`` and the LED's name on the board; the LED is on while the port is high.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self.clock = ClockDomain("sync", reset_less=True)
        self.pins: dict[str, Signal] = {"clk": self.clock.clk}
        self._taken: set[tuple[str, int]] = set()

    def request(self, name: str, number: int = 0, *, dir: object = None) -> Any:
        """Return the ports of a resource, like :meth:`amaranth.build.Platform.request`.

        Parameters
        ----------
        name : str
            ``"uart"``, or the resource of one of the board's LEDs.
        number : int
            Number of the resource.
        dir : object
            Ignored, as each pin has only one possible direction.

        Raises
        ------
        ConfigError
            If the board has no such resource, or the resource was requested before.
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
        """Return a design as a Verilog module :data:`TOP`, whose ports are the requested pins."""
        fragment = Fragment.get(top, self)
        fragment.add_domains(self.clock)
        ports = {name: (pin, None) for name, pin in self.pins.items()}
        return verilog.convert(fragment, TOP, ports=ports, emit_src=False)

    def _pin(self, name: str, direction: str) -> io.SimulationPort:
        port = io.SimulationPort(direction, 1, name=name)
        self.pins[name] = getattr(port, direction)
        return port
