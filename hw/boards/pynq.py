"""PYNQ-Z2."""

from __future__ import annotations

from typing import Any

from spikeloom.hw.boards.board import Board, Light, Link, Processor, Resources


class PynqZ2(Board):
    """TUL PYNQ-Z2: a Vivado project for the logic of its Zynq, and resources by Yosys."""

    name = "pynq-z2"
    title = "PYNQ-Z2"
    family = "xilinx"
    device = "xc7z020clg400-1"
    resources = Resources(luts=53200, flipflops=106400, block_ram=280, dsp=220)
    clock = 125.0
    lights = {
        "passed": Light("led", 0, None, "LD0"),
        "failed": Light("led", 1, None, "LD1"),
        "alive": Light("led", 2, None, "LD2"),
    }
    link = Link(rx="Y18", tx="Y19", over="adapter on Pmod A", baud=1_000_000)
    loader = "pynq_z2"
    # The flash belongs to the processor.
    memories = ("sram",)
    # What Vivado's dialogue of the processing system takes for a clock of the logic.
    processor = Processor("Zynq-7000", fastest=250.0)

    def platform(self) -> Any:
        from amaranth.build import Attrs, Clock, Pins, Resource
        from amaranth.vendor import XilinxPlatform
        from amaranth_boards.resources import LEDResources, UARTResource

        volts = Attrs(IOSTANDARD="LVCMOS33")

        class Platform(XilinxPlatform):
            device = "xc7z020"
            package = "clg400"
            speed = "1"
            default_clk = "clk125"
            resources = [
                Resource("clk125", 0, Pins("H16", dir="i"), Clock(125e6), volts),
                *LEDResources(pins="R14 P14 N16 M14", attrs=volts),
                UARTResource(0, rx="Y18", tx="Y19", attrs=volts),
            ]
            connectors: list[Any] = []

        return Platform()
