"""Amaranth's platform for Lattice Nexus, with a reset that the open tools know."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal, Signal
from amaranth.lib import io
from amaranth.vendor import LatticePlatform

#: Bits of the counter that ends the reset.
TIMER = 8


class NexusPlatform(LatticePlatform):
    """A platform for CrossLink-NX and Certus-NX, whose reset ends when a counter is full.

    Amaranth's own platform releases flip-flops in the same cycle by a cell (GSR) that Yosys 0.70
    leaves out and nextpnr 0.11 does not know.
    """

    def create_missing_domain(self, name: str) -> Any:
        if name != "sync":
            return super().create_missing_domain(name)
        m = Module()
        port = self.request(self.default_clk, dir="-")
        m.submodules.clock = clock = io.Buffer("i", port)
        m.submodules.reset = self.reset(clock.i)
        m.domains += ClockDomain("sync")
        return m

    @staticmethod
    def reset(clock: Signal) -> Module:
        """Return a module that drives ``sync``, and resets it until a counter is full."""
        m = Module()
        m.domains += ClockDomain("por", reset_less=True, local=True)
        # Released one by one, its bits still count to the end: the first moves alone.
        timer, ready = Signal(TIMER), Signal()
        m.d.por += ready.eq(timer.all())
        with m.If(~timer.all()):
            m.d.por += timer.eq(timer + 1)
        m.d.comb += [
            ClockSignal("por").eq(clock),
            ClockSignal("sync").eq(clock),
            ResetSignal("sync").eq(~ready),
        ]
        return m
