"""CrossLink-NX Evaluation Board."""

from __future__ import annotations

from typing import Any

from spikeloom.hw.boards.board import Board, Light, Link, Resources

#: Bits of the counter that ends the reset.
TIMER = 8


class CrossLinkNxEvn(Board):
    """Lattice LIFCL-40-EVN, LIFCL-40."""

    name = "crosslink-nx-evn"
    title = "CrossLink-NX Evaluation Board"
    family = "nexus"
    device = "LIFCL-40-9BG400C"
    resources = Resources(luts=32256, flipflops=32256, block_ram=84, dsp=56)
    clock = 12.0
    lights = {
        "passed": Light("led", 0, None, "first green LED (pin E17)"),
        "failed": Light("led", 1, None, "second green LED (pin F13)"),
        "alive": Light("led", 2, None, "third green LED (pin G13)"),
    }
    # As delivered, the adapter's second port does not lead to the FPGA: two resistors choose.
    link = Link(rx="F16", tx="F18", over="USB, second port, with R15 and R17", baud=3_000_000)
    loader = "crosslinknx_evn"

    def platform(self) -> Any:
        from amaranth.build import Attrs, Clock, Pins, Resource
        from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal, Signal
        from amaranth.lib import io
        from amaranth.vendor import LatticePlatform
        from amaranth_boards.resources import LEDResources, UARTResource

        volts = Attrs(IO_TYPE="LVCMOS33")

        class Platform(LatticePlatform):
            device = "LIFCL-40"
            package = "BG400"
            speed = "9"
            grade = "C"
            default_clk = "clk12"
            resources = [
                Resource("clk12", 0, Pins("L13", dir="i"), Clock(12e6), volts),
                *LEDResources(pins="E17 F13 G13 F14 L16 L15 L20 L19", invert=True, attrs=volts),
                UARTResource(0, rx="F16", tx="F18", attrs=volts),
            ]
            connectors: list[Any] = []

            def create_missing_domain(self, name: str) -> Any:
                # Amaranth's own has flip-flops released in the same cycle by a cell (GSR) that
                # Yosys 0.70 leaves out and nextpnr 0.11 does not know: hence a reset by counting.
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
                """Return what drives ``sync``, and resets it until a counter is full."""
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

        return Platform()
