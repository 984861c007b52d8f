"""iCEBreaker."""

from __future__ import annotations

from typing import Any

from spikeloom.hw.boards.board import Board, Light, Link, Resources


class IceBreaker(Board):
    """1BitSquared iCEBreaker, iCE40 UP5K."""

    name = "icebreaker"
    title = "iCEBreaker"
    family = "ice40"
    device = "iCE40UP5K-SG48"
    resources = Resources(luts=5280, flipflops=5280, block_ram=30, dsp=8)
    clock = 12.0
    lights = {
        "passed": Light("led_g", 0, None, "LEDG, green"),
        "failed": Light("led_r", 0, None, "LEDR, red"),
    }
    link = Link(rx="6", tx="9", over="USB, second port", baud=3_000_000)
    loader = "ice40_generic"
    # The adapter's bus leads to the flash: reaching the FPGA's memory takes other jumpers.
    memories = ("flash",)

    def platform(self) -> Any:
        from amaranth_boards.icebreaker import ICEBreakerPlatform

        return ICEBreakerPlatform()
