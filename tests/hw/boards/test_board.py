from __future__ import annotations

import subprocess
import sys

import pytest

from spikeloom.hw.boards import Board
from spikeloom.hw.build.family import Family
from spikeloom.sw.errors import ConfigError

pytest.importorskip("amaranth_boards")


@pytest.mark.parametrize("name", Board.names())
class TestEveryBoard:
    def test_clock_and_device_are_those_of_its_platform(self, name: str) -> None:
        board = Board.find(name)
        platform = board.platform()
        assert platform.default_clk_frequency == board.clock * 1e6
        part = getattr(platform, "part", None) or platform.device
        assert part.lower().removeprefix("ice40") in board.device.lower()

    def test_lights_and_link_are_pins_of_its_platform(self, name: str) -> None:
        board = Board.find(name)
        platform = board.platform()
        places = {(light.resource, light.number) for light in board.lights.values()}
        ports = {place: platform.request(*place, dir="-") for place in places}
        pins = []
        for light in board.lights.values():
            port = ports[light.resource, light.number]
            pins.append(port if light.part is None else getattr(port, light.part))
        names = [meta.name for pin in pins for meta in pin.io.metadata]
        assert len(set(names)) == len(names) == len(board.lights) >= 2
        uart = platform.request("uart", 0, dir="-")
        assert [m.name for m in uart.rx.io.metadata] == [board.link.rx]
        assert [m.name for m in uart.tx.io.metadata] == [board.link.tx]

    def test_its_family_and_loader_are_known(self, name: str) -> None:
        board = Board.find(name)
        assert Family.find(board.family).name == board.family
        assert board.loader
        assert not board.tried, "a board that was tried says which revision, and docs say how"

    def test_a_zynq_has_a_processor(self, name: str) -> None:
        board = Board.find(name)
        assert (board.processor is not None) == board.device.startswith("xc7z")

    def test_it_has_multipliers_that_we_leave_alone(self, name: str) -> None:
        assert Board.find(name).resources.dsp > 0


def test_boards_are_found_however_their_name_is_written() -> None:
    for name in ("ulx3s-85f", "ULX3S_85F", "ulx3s 85f"):
        assert Board.find(name).title == "ULX3S 85F"


def test_an_unknown_board_is_told_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no board 'de10': the boards are .*icebreaker.*pynq-z2"):
        Board.find("de10")


def test_listing_boards_needs_no_platform() -> None:
    code = "import sys, spikeloom.hw.boards; sys.exit(any('amaranth' in m for m in sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True)
