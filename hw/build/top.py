"""The design of a bitstream: a device, with its pins and LEDs."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io

from spikeloom.hw.boards import Board
from spikeloom.hw.build.clocking import Clocking
from spikeloom.hw.device import Device


class Top(Elaboratable):
    """A board's design, with one clock for everything.

    Parameters
    ----------
    board : Board
    device : Device
        Its link's clock is the design's.
    clocking : Clocking, optional
        Makes that clock; the oscillator is the clock, if left out.
    """

    def __init__(self, board: Board, device: Device, clocking: Clocking | None = None) -> None:
        self.board, self.device, self.clocking = board, device, clocking

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.clocking is not None:
            m.domains.sync = self.clocking.domain
            m.submodules.clocking = self.clocking
        m.submodules.device = device = self.device
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [device.rx.eq(rx.i), tx.o.eq(device.tx)]
        # About twice a second.
        ticks = Signal(range(device.link.clock // 2))
        m.d.sync += ticks.eq(ticks + 1)
        shown = {"passed": device.passed, "failed": device.failed, "alive": ticks[-1]}
        # LEDs of several colours are one resource, which can be requested once.
        ports: dict[tuple[str, int], Any] = {}
        for name, light in self.board.lights.items():
            place = (light.resource, light.number)
            if place not in ports:
                ports[place] = platform.request(*place, dir="-")
            port = ports[place] if light.part is None else getattr(ports[place], light.part)
            m.submodules[f"light_{name}"] = lamp = io.Buffer("o", port)
            m.d.comb += lamp.o.eq(shown[name])
        return m
