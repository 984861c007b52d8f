from __future__ import annotations

from pathlib import Path

import pytest
from support.cosim.tiny import tiny_design, tiny_network

from spikeloom.sim import program
from spikeloom.sim.board.simulated import pins_main
from spikeloom.sim.cosim import Cosimulator

#: Sends what it receives. One LED shows the pin, for a while; the other one shines from cycle 9 on.
ECHO = """
module board(input clk, input rx, output tx, output [1:0] lights, output busy);
  reg [15:0] age = 0;
  always @(posedge clk) if (age != 30000) age <= age + 1;
  assign tx = rx;
  assign lights = {age >= 9, rx | (age == 30000)};
  assign busy = 0;
endmodule
"""
SOURCES = {"board.v": ECHO}


@pytest.fixture(scope="session")
def tiny(build_dir: Path) -> Cosimulator:
    network = tiny_network()
    return Cosimulator(network, design=tiny_design(network), build_dir=build_dir)


@pytest.fixture(scope="session")
def tiny_in_cocotb(build_dir: Path) -> Cosimulator:
    network = tiny_network()
    return Cosimulator(network, design=tiny_design(network), build_dir=build_dir, engine="cocotb")


@pytest.fixture(scope="session")
def echo(build_dir: Path) -> Path:
    """A program without a design between its pins."""
    return program.build("board", SOURCES, pins_main(), build_dir)
