"""Estimates of block RAMs and look-up tables, against Yosys' counts of whole accelerators."""

from __future__ import annotations

import pytest

from spikeloom.hw.build.area import whole
from spikeloom.hw.build.family import Family
from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.search import Budget
from spikeloom.sw.cli.networks import open_network

DESIGNS = [
    ("ecp5", "digits-conv", HardwareConfig(lanes=4, events={"conv2": 2, "conv3": 4})),
    ("ecp5", "mnist-small", HardwareConfig()),
    ("ice40", "mnist-small", HardwareConfig(lanes=2, slots=4)),
    ("ice40", "digits-conv-2bit", HardwareConfig(lanes=1, slots=1)),
    ("gowin", "fashion-small", HardwareConfig(lanes=4, slots=4)),
    ("gowin", "mnist-small", HardwareConfig(lanes={"conv2": 8}, events={"conv2": 4})),
    ("nexus", "digits-conv", HardwareConfig(lanes=4)),
]


@pytest.mark.boards
@pytest.mark.parametrize(
    ("name", "network", "config"), DESIGNS, ids=[f"{one[0]}-{one[1]}" for one in DESIGNS]
)
def test_block_rams_are_exact_and_look_up_tables_near(
    name: str, network: str, config: HardwareConfig
) -> None:
    planned, budget = plan(open_network(network), config), Budget(family=name)
    found = whole(planned, Family.find(name))
    foreseen = budget.amounts(planned)
    assert foreseen.block_ram == found.block_ram
    assert foreseen.luts == pytest.approx(found.luts, rel=0.1)
