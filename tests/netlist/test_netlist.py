"""Netlists against golden, and what the proof says when something differs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from components import showcase, showcase_images
from network_board import NetworkBoard, planned

from netlist import __main__ as command
from netlist.__main__ import DESIGNS, main, proved
from netlist.comparison import Comparison, compare, conversation
from netlist.design import Made, Verilog, made, netlist
from netlist.network import images
from netlist.simulator import MismatchError, Pins
from spikeloom.hw.boards import Board
from spikeloom.hw.build.family import Family
from spikeloom.sw.golden import Golden


@pytest.fixture(scope="module")
def gowin(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The fastest of the designs, after synthesis."""
    design, _ = DESIGNS["gowin"]
    folder = tmp_path_factory.mktemp("netlist") / "gowin"
    return made(design, images(design.network(), 1), folder)


# The UART of ULX3S has pins that are not asked for.
@pytest.mark.filterwarnings("ignore:Using platform.request:DeprecationWarning")
@pytest.mark.boards
@pytest.mark.parametrize("family", ["ice40", "ecp5"])
def test_what_place_and_route_reads_is_golden(family: str, tmp_path: Path) -> None:
    found = {what: comparison for what, _, comparison in proved(family, 1, tmp_path)}
    assert list(found) == [way.__name__ for way in DESIGNS[family][1]]
    for comparison in found.values():
        assert (comparison.images, comparison.logits, comparison.values) == (1, 10, 12)


@pytest.mark.boards
def test_a_netlist_of_gowin_is_golden(gowin: Made) -> None:
    found = compare(gowin, netlist(gowin).path, images(gowin.plan.network, 1))
    assert (found.images, found.logits, found.values) == (1, 10, 12)


@pytest.mark.boards
def test_a_wrong_row_of_a_memory_is_found(gowin: Made) -> None:
    # Weights of pixels in the middle of the image are zero.
    text, changed = re.subn(
        r"(\.INIT_RAM_1A\(288'h)\w*[1-9a-f]\w*", r"\g<1>0", netlist(gowin).path.read_text()
    )
    assert changed == 1
    wrong = gowin.folder / "wrong.v"
    wrong.write_text(text)
    with pytest.raises(MismatchError, match=r"image 0: logits|the self test: passed False"):
        compare(gowin, wrong, images(gowin.plan.network, 1))


@pytest.mark.parametrize(
    ("board", "pins"),
    [
        ("ulx3s-85f", ("clk25_0__io", "led_0__io", "led_1__io", "0")),
        ("tang-nano-9k", ("clk27_0__io", "led_0__io", "led_1__io", "1")),
        ("icebreaker", ("clk12_0__io", "led_g_0__io", "led_r_0__io", "1")),
    ],
)
def test_pins_of_boards(board: str, pins: tuple[str, str, str, str]) -> None:
    found = Board.find(board)
    none: Any = None
    design = Made(found, Family.find(found.family), none, none, Path(), 0, [])
    clk, passed, failed, dark = pins
    assert design.pins == Pins(clk, "uart_0__rx__io", "uart_0__tx__io", passed, failed, dark)


class Lying(NetworkBoard):
    """A board with a wrong last logit, which leaves the label as it is."""

    def logits(self, image: bytes) -> list[int]:  # type: ignore[override]
        logits = super().logits(image)
        wrong = logits.index(min(logits))
        return [value - (k == wrong) for k, value in enumerate(logits)]


class Deaf(NetworkBoard):
    """A board that loses the first message."""

    heard = False

    def write(self, data: bytes) -> None:
        if self.heard:
            super().write(data)
        self.heard = True


def conversed(kind: type[NetworkBoard]) -> tuple[list[list[int]], int]:
    """Return what golden says of two images, and what was compared of a board's answers."""
    network = showcase()
    found, link = planned(network)
    pixels = showcase_images(2)
    logits = Golden(network).run(pixels).logits.tolist()
    return logits, conversation(kind(found, link), network, link, pixels)


def test_a_conversation_compares_all_that_comes() -> None:
    logits, compared = conversed(NetworkBoard)
    assert compared == 2 * (len(logits[0]) + 2)


def test_a_wrong_logit_ends_a_conversation() -> None:
    with pytest.raises(MismatchError, match=r"image 0: logits, label and CRC are \[.*\], not \["):
        conversed(Lying)


def test_what_is_sent_again_ends_a_conversation() -> None:
    with pytest.raises(MismatchError, match=r"the link lost something: Traffic\(.*resent=1,"):
        conversed(Deaf)


def test_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def found(family: str) -> Iterator[tuple[str, Verilog, Comparison]]:
        yield "netlist", Verilog(Path("netlist.v"), 4126), Comparison(5, 50, 60, 41000)
        if family == "gowin":
            raise MismatchError("image 3: ...")

    monkeypatch.setattr(command, "proved", found)
    assert command.report("ecp5")
    assert not command.report("gowin")
    row = " netlist     4,126      5     50     60   41,000  EQUAL\n"
    assert capsys.readouterr().out == f"ecp5   {row}gowin  {row}gowin   DIFFERS: image 3: ...\n"


@pytest.mark.parametrize(("equal", "status"), [(True, 0), (False, 1)])
def test_the_exit_status(equal: bool, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "require", lambda *programs: None)
    monkeypatch.setattr(command, "digits", lambda: None)
    monkeypatch.setattr(command, "report", lambda family: equal or family != "ecp5")
    assert main([]) == status


def test_without_icarus_the_command_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert main([]) == 2
    assert "apt install fpga-icestorm iverilog" in capsys.readouterr().err


def test_an_unknown_family(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xilinx"]) == 2
    assert capsys.readouterr().err == "there is no xilinx, only ice40, ecp5, gowin\n"


def test_designs_are_of_their_families() -> None:
    assert {family: Board.find(DESIGNS[family][0].board).family for family in DESIGNS} == {
        "ice40": "ice40",
        "ecp5": "ecp5",
        "gowin": "gowin",
    }
