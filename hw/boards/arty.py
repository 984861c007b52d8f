"""Arty A7 with the larger Artix-7."""

from __future__ import annotations

from typing import Any

from spikeloom.hw.boards.board import Board, Light, Link, Resources


class ArtyA7100T(Board):
    """Digilent Arty A7-100T: a Vivado project, and resources by Yosys."""

    name = "arty-a7-100t"
    title = "Arty A7-100T"
    family = "xilinx"
    device = "xc7a100ticsg324-1L"
    resources = Resources(luts=63400, flipflops=126800, block_ram=270, dsp=240)
    clock = 100.0
    lights = {
        "passed": Light("led", 0, None, "LD4"),
        "failed": Light("led", 1, None, "LD5"),
        "alive": Light("led", 2, None, "LD6"),
    }
    link = Link(rx="A9", tx="D10", over="USB, second port", baud=3_000_000)
    loader = "arty_a7_100t"

    def platform(self) -> Any:
        from amaranth_boards.arty_a7 import ArtyA7_100Platform

        return ArtyA7_100Platform()
