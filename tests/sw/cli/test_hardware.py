"""Options that choose hardware: their defaults, and the configuration that they make."""

from __future__ import annotations

from spikeloom.hw.planning import HardwareConfig
from spikeloom.sw.cli.hardware import HardwareOptions


def test_defaults_are_those_of_the_hardware() -> None:
    assert HardwareOptions().config() == HardwareConfig()


def test_what_is_chosen_reaches_the_hardware() -> None:
    chosen = HardwareOptions("conv1=8,fc=4", "2", 3, "fold").config(counters=True)
    assert chosen == HardwareConfig({"conv1": 8, "fc": 4}, 2, 3, time="fold", counters=True)
