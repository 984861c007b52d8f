"""ULX3S with the largest ECP5."""

from __future__ import annotations

from typing import Any

from spikeloom.hw.boards.board import Board, Light, Link, Resources


class Ulx3s85F(Board):
    """Radiona ULX3S, LFE5U-85F."""

    name = "ulx3s-85f"
    title = "ULX3S 85F"
    family = "ecp5"
    device = "LFE5U-85F-6BG381C"
    resources = Resources(luts=83640, flipflops=83640, block_ram=208, dsp=156)
    clock = 25.0
    lights = {
        "passed": Light("led", 0, None, "D0"),
        "failed": Light("led", 1, None, "D1"),
        "alive": Light("led", 2, None, "D2"),
    }
    link = Link(rx="M1", tx="L4", over="USB (US1)", baud=3_000_000)
    loader = "ulx3s"

    def platform(self) -> Any:
        from amaranth_boards.ulx3s import ULX3S_85F_Platform

        return ULX3S_85F_Platform()
