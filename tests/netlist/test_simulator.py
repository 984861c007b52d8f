"""A board in Icarus: its pins are read, and faults are reported."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netlist import cells
from netlist.simulator import MismatchError, NetlistBoard, Pins, compiled, require
from spikeloom.sw.errors import ToolError


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ToolError) as raised:
        require("iverilog", "icebox_vlog")
    assert str(raised.value) == (
        "this needs iverilog, icebox_vlog, which is not on PATH: on Debian, "
        "apt install fpga-icestorm iverilog"
    )


def test_pins_are_connected_by_name() -> None:
    pins = Pins("c", "r", "t", "p", "f", idle=("b",))
    assert pins.connected() == (
        ".\\c (clock), .\\r (receive), .\\t (tx), .\\p (passed), .\\f (failed), .\\b (high)"
    )


UNKNOWN = (
    "module top(input c, r, output t, p, f); reg q; assign {t, p, f} = {1'b1, q, q}; endmodule"
)


@pytest.mark.boards
def test_a_pin_that_is_x_is_refused(tmp_path: Path) -> None:
    (tmp_path / "top.v").write_text(UNKNOWN)
    files = [cells.FOLDER / "tb.v", tmp_path / "top.v"]
    defines = {"TOP": "top", "PORTS": Pins("c", "r", "t", "p", "f").connected()}
    program = compiled(files, tmp_path / "x.vvp", defines)
    with (
        NetlistBoard(program, 4, 1) as board,
        pytest.raises(MismatchError, match="cycle 0: tx, passed and failed are 1xx"),
    ):
        board.step(3)


#: Stands in for Icarus: it answers each line of levels with the next line of a file.
VVP = """\
#!{python}
import sys
with open(sys.argv[2]) as answers:
    for _ in sys.stdin:
        sys.stdout.write(answers.readline())
        sys.stdout.flush()
"""


@pytest.fixture
def answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., NetlistBoard]:
    """Maker of boards with 4 cycles per bit, which answer with given lines."""
    program = tmp_path / "vvp"
    program.write_text(VVP.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    def board(*lines: str, dark: str = "0") -> NetlistBoard:
        (tmp_path / "answers").write_text("".join(f"{line}\n" for line in lines))
        return NetlistBoard(tmp_path / "answers", 4, 1, dark)

    return board


@pytest.mark.parametrize("dark", ["0", "1"])
def test_levels_of_pins_are_read(answering: Callable[..., NetlistBoard], dark: str) -> None:
    light = "1" if dark == "0" else "0"
    # The byte 5 with its lowest bit first, between a start bit and a stop bit.
    byte = [f"{bit}{dark}{dark}" * 4 for bit in "0101000001"]
    after = f"1{light}{dark}" * 40
    with answering("".join(byte) + after, dark=dark) as board:
        board.write(b"\x05")
        assert board.read(20) == b"\x05"
        assert (board.now, board.time()) == (80, 20.0)
        assert (board.passed, board.failed) == (True, False)


def test_a_light_that_failed_once_has_failed(answering: Callable[..., NetlistBoard]) -> None:
    with answering("100101100", "110110110") as board:
        for passed in (False, True):
            board.step(3)
            assert (board.passed, board.failed) == (passed, True)


def test_places_of_pins() -> None:
    pins = Pins("c", "r", "t", "p", "f", pads={"clk": "35", "tx": "9"})
    assert pins.places() == "set_io c 35\nset_io t 9\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("1001001xx", "cycle 2: tx, passed and failed are 1xx"),
        ("1001z0100", "cycle 1: tx, passed and failed are 1z0"),
        ("100", "the simulation has ended at cycle 1"),
        ("100error: top.ram: port A is controlled by X", "within 3 cycles of 0: error: top.ram"),
    ],
)
def test_impossible_answers_are_refused(
    answering: Callable[..., NetlistBoard], answer: str, said: str
) -> None:
    with answering(answer) as board, pytest.raises(MismatchError, match=said):
        board.step(3)


@pytest.mark.boards
def test_a_cell_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "top.v").write_text("module bench; MULT18X18D product(); endmodule")
    with pytest.raises(ToolError, match=r"iverilog refuses x\.vvp:\n.*Unknown module type"):
        compiled([tmp_path / "top.v"], tmp_path / "x.vvp", {}, "bench")
