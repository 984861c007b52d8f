"""Options that choose hardware: their defaults, and the configuration that they make."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.networks.examples import everything

from spikeloom.hw.planning import HardwareConfig, PlanFile
from spikeloom.sw.cli.hardware import HardwareOptions
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Network


@pytest.fixture(scope="module")
def network() -> Network:
    return everything()


def test_defaults_are_those_of_the_hardware(network: Network) -> None:
    assert HardwareOptions().config(network) == HardwareConfig()


def test_what_is_chosen_reaches_the_hardware(network: Network) -> None:
    options = HardwareOptions("conv1=8,fc=4", "2", 3, "conv1=2", "fold", compact=True)
    assert options.config(network, counters=True) == HardwareConfig(
        {"conv1": 8, "fc": 4}, 2, 3, {"conv1": 2}, time="fold", counters=True, compact=True
    )


def test_layers_to_unroll_are_named(network: Network) -> None:
    chosen = HardwareOptions(planes="conv=2,out=1").config(network)
    assert chosen == HardwareConfig(planes={"conv": 2, "out": 1})
    with pytest.raises(
        ConfigError, match="planes are given by layer, as in conv1=2, not 4 for all"
    ):
        HardwareOptions(planes="4").config(network)


def test_layers_with_copies_are_named(network: Network) -> None:
    chosen = HardwareOptions(copies="conv=2").config(network)
    assert chosen == HardwareConfig(copies={"conv": 2})
    with pytest.raises(
        ConfigError, match="copies are given by layer, as in conv2=5, not 4 for all"
    ):
        HardwareOptions(copies="4").config(network)


def test_a_plan_file_takes_the_place_of_all_choices(network: Network, tmp_path: Path) -> None:
    ones = {layer.name: 1 for layer in network.layers}
    config = HardwareConfig(lanes=ones, events=ones, slots=ones, time="loop")
    path = tmp_path / "plan.json"
    PlanFile(network.name, network.digest, config).save(path)
    found = HardwareOptions(plan=path).config(network, counters=True)
    assert found == HardwareConfig(ones, ones, ones, time="loop", counters=True)
    with pytest.raises(ConfigError, match="--plan has the choices for every layer: leave out"):
        HardwareOptions(lanes="2", plan=path).config(network)
