"""What the options that choose hardware say, where nothing is chosen, is what the hardware says."""

from __future__ import annotations

from spikeloom.hw.planning import config
from spikeloom.sw.cli import hardware


def test_defaults_are_those_of_the_hardware() -> None:
    assert hardware.HardwareOptions().config() == config.HardwareConfig()
    assert hardware.TIMES == config.TIMES


def test_what_is_chosen_reaches_the_hardware() -> None:
    chosen = hardware.HardwareOptions("conv1=8,fc=4", "2", 3, "fold").config(counters=True)
    assert chosen == config.HardwareConfig({"conv1": 8, "fc": 4}, 2, 3, time="fold", counters=True)
