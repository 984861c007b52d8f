"""OrangeCrab with the smaller ECP5."""

from __future__ import annotations

from typing import Any

from spikeloom.hw.boards.board import Board, Light, Link, Resources


class OrangeCrab25F(Board):
    """OrangeCrab r0.2, LFE5U-25F."""

    name = "orangecrab-25f"
    title = "OrangeCrab 25F"
    family = "ecp5"
    device = "LFE5U-25F-8MG285C"
    resources = Resources(luts=24288, flipflops=24288, block_ram=56, dsp=28)
    clock = 48.0
    lights = {
        "passed": Light("rgb_led", 0, "g", "green of the RGB LED"),
        "failed": Light("rgb_led", 0, "r", "red of the RGB LED"),
        "alive": Light("rgb_led", 0, "b", "blue of the RGB LED"),
    }
    link = Link(rx="N17", tx="M18", over="adapter on 0, 1", baud=1_000_000)
    loader = "orangeCrab"
    # What is loaded over its own USB socket, its boot loader writes into flash.
    memories = ("flash",)
    ready = "hold its button while you plug it in, so that its boot loader waits"

    def platform(self) -> Any:
        from amaranth.build import Attrs
        from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform
        from amaranth_boards.resources import UARTResource

        platform = OrangeCrabR0_2_25FPlatform()
        pins = UARTResource(
            0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")
        )
        platform.add_resources([pins])
        return platform
