from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.hw.components import small_plan

from spikeloom.hw.boards import Board
from spikeloom.hw.build.top import Top
from spikeloom.hw.device import Device
from spikeloom.hw.link import LinkPlan
from spikeloom.sim.board import SimulationPlatform
from spikeloom.sw.errors import ConfigError


@pytest.mark.parametrize("name", Board.names())
def test_the_top_of_every_board(name: str) -> None:
    board = Board.find(name)
    plan = small_plan()
    device = Device(plan, LinkPlan.of(plan, round(board.clock * 1e6), board.link.baud))
    platform = SimulationPlatform(board)
    text = platform.verilog(Top(board, device))
    lights = {f"light_{light}" for light in board.lights}
    assert set(platform.pins) == {"clk", "rx", "tx"} | lights
    ports = re.search(r"^module top\((.*?)\);$", text, re.M)
    assert ports is not None
    assert set(ports[1].split(", ")) == set(platform.pins)
    inputs = set(re.findall(r"^  input (\w+);$", text.split("endmodule")[0], re.M))
    assert inputs == {"clk", "rx"}
    # The simulation looks at this one by its name.
    assert re.search(r"output \[1:0\] bus__running;", text)


def test_resources_that_are_not_there() -> None:
    platform = SimulationPlatform(Board.find("ulx3s-85f"))
    platform.request("uart", 0)
    with pytest.raises(ConfigError, match=r"^resource uart#0 was requested twice$"):
        platform.request("uart", 0)
    with pytest.raises(
        ConfigError, match=r"^the simulated ULX3S 85F has no resource led#7, only its UART and its"
    ):
        platform.request("led", 7)


def test_a_board_with_one_led(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(Board.template())
    board = Board.load(tmp_path / "own.toml")
    plan = small_plan()
    device = Device(plan, LinkPlan.of(plan, round(board.clock * 1e6), board.link.baud))
    platform = SimulationPlatform(board)
    platform.verilog(Top(board, device))
    assert set(platform.pins) == {"clk", "rx", "tx", "light_passed"}
