"""What a bitstream holds: the accelerator, what talks to it, and LEDs."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io, wiring

from spikeloom.hw.accelerator import Accelerator
from spikeloom.hw.boards import Board
from spikeloom.hw.planning.plan import Plan


class Top(Elaboratable):
    """A board's design: its oscillator is the clock of everything.

    Parameters
    ----------
    board : Board
    plan : Plan
    host : wiring.Component
        What sends pixels (``o``) and takes logits (``i``), and says whether it has ``passed`` or
        ``failed``: a :class:`~spikeloom.hw.build.selftest.SelfTest`, until there is a host link.
    """

    def __init__(self, board: Board, plan: Plan, host: Any) -> None:
        self.board, self.plan, self.host = board, plan, host

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.accelerator = accelerator = Accelerator(self.plan)
        m.submodules.host = host = self.host
        wiring.connect(m, host.o, accelerator.i)
        wiring.connect(m, accelerator.o, host.i)
        # About twice a second.
        ticks = Signal(range(int(self.board.clock * 1e6) // 2))
        m.d.sync += ticks.eq(ticks + 1)
        shown = {"passed": host.passed, "failed": host.failed, "alive": ticks[-1]}
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
