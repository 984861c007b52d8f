from __future__ import annotations

from pathlib import Path

import pytest
from support.cosim.tiny import tiny_design, tiny_network

from spikeloom.sim.cosim import Cosimulator


@pytest.fixture(scope="session")
def build_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One place for all simulators of the session, so that they share Verilator's library."""
    return tmp_path_factory.mktemp("simulators")


@pytest.fixture(scope="session")
def tiny(build_dir: Path) -> Cosimulator:
    network = tiny_network()
    return Cosimulator(network, design=tiny_design(network), build_dir=build_dir)


@pytest.fixture(scope="session")
def tiny_in_cocotb(build_dir: Path) -> Cosimulator:
    network = tiny_network()
    return Cosimulator(network, design=tiny_design(network), build_dir=build_dir, engine="cocotb")
