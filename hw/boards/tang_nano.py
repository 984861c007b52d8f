"""Tang Nano 9K."""

from __future__ import annotations

from typing import Any

from spikeloom.hw.boards.board import Board, Light, Link, Resources


class TangNano9K(Board):
    """Sipeed Tang Nano 9K, GW1NR-9C."""

    name = "tang-nano-9k"
    title = "Tang Nano 9K"
    family = "gowin"
    device = "GW1NR-LV9QN88PC6/I5"
    resources = Resources(luts=8640, flipflops=6480, block_ram=26, dsp=20)
    clock = 27.0
    lights = {
        "passed": Light("led", 0, None, "LED 1 (pin 10)"),
        "failed": Light("led", 1, None, "LED 2 (pin 11)"),
        "alive": Light("led", 2, None, "LED 3 (pin 13)"),
    }
    link = Link(rx="18", tx="17", over="USB, second port", baud=2_000_000)
    loader = "tangnano9k"

    def platform(self) -> Any:
        from amaranth_boards.tang_nano_9k import TangNano9kPlatform

        return TangNano9kPlatform()
