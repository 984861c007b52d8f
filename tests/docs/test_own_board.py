"""``docs/boards``: the table of a board that is not ours builds as it stands on the page."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.build.stub_tools import Tools, two_layers

from spikeloom.hw.boards import Board, Processor, Resources
from spikeloom.hw.boards.chips import families
from spikeloom.hw.boards.table import KEYS
from spikeloom.hw.build import build
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sw import network as contract
from spikeloom.sw.cli import main
from spikeloom.sw.cli.networks import FOLDER
from spikeloom.sw.link.manifest import Manifest

pytest.importorskip("amaranth_boards")

PAGE = (Path(__file__).parents[2] / "docs/boards/README.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## A board of your own") : PAGE.index("## When it does not answer")]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return the page's table, as a file under the name that the page gives it."""
    (text,) = re.findall(r"^```toml\n(.*?)^```", SECTION, re.M | re.S)
    path = tmp_path / "hx8k-breakout.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_board_is_none_of_ours(table: Path) -> None:
    board = Board.load(table)
    assert board.name not in Board.names()
    assert board.device not in {Board.find(name).device for name in Board.names()}


def test_its_pins_are_those_of_amaranth_s_collection(table: Path) -> None:
    other = Board.find("amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform")
    board, known = Board.load(table), other.platform()
    assert (board.device, board.clock) == (other.device, other.clock)
    assert (board.link.rx, board.link.tx) == (other.link.rx, other.link.tx)
    platform = board.platform()
    ours = platform.request(platform.default_clk, dir="-").io.metadata[0].name
    assert ours == known.request(known.default_clk, dir="-").io.metadata[0].name
    # D2 to D9 are the LEDs 0 to 7.
    for number, light in enumerate(board.lights.values()):
        pin = platform.request("led", number, dir="-").io.metadata[0].name
        led = int(light.label.removeprefix("D")) - 2
        assert pin == known.request("led", led, dir="-").io.metadata[0].name


def test_it_builds_with_stand_ins_for_the_tools(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = Tools.installed(monkeypatch)
    network = tmp_path / "net.safetensors"
    contract.save(two_layers(), network)
    arguments = ["build", network, "--board", table, "--lanes", "1", "--out", tmp_path / "out"]
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    assert tools.names == ["yosys", "nextpnr-ice40", "icepack"]
    place = tools.commands[1]
    assert place[place.index("--hx8k") :][:3] == ["--hx8k", "--package", "ct256"]
    made = tmp_path / "out" / "two-layers-hx8k-breakout.json"
    assert f"load it with: spikeloom program {made} --board {table}" in done.output
    pins = (tmp_path / "out/work/top.pcf").read_text()
    assert {line.split()[-1] for line in pins.splitlines() if "set_io" in line} == {
        *("J3", "B10", "B12"),
        *("B5", "B4", "A2"),
    }
    assert Manifest.load(made).content["device"] == "iCE40HX8K-CT256"


@pytest.mark.boards
def test_it_builds_with_the_real_tools(table: Path, tmp_path: Path) -> None:
    manifest = build(
        contract.load(FOLDER / "digits-conv-2bit.safetensors"),
        Board.load(table),
        tmp_path / "out",
        config=HardwareConfig(lanes=1, slots=2),
        source="yowasp",
    )
    assert manifest.require_bitstream().stat().st_size > 100_000
    assert manifest.content["fmax_mhz"] >= 12
    assert manifest.content["resources"]["dsp"] == {"used": 0, "available": 0}


def test_the_page_explains_every_key(table: Path) -> None:
    rows = [line.split("|")[1] for line in SECTION.splitlines() if line.startswith("| `")]
    told = {key for row in rows for key in re.findall(r"`([\w.]+)`", row)}
    assert {key.partition(".")[0] for key in told} == set(KEYS)
    assert {f"clock.{key}" for key in ("mhz", "pin", "attributes")} <= told
    assert {f"link.{key}" for key in ("rx", "tx", "over", "baud", "attributes")} <= told
    assert {f"lights.{key}" for key in ("passed", "failed", "alive")} <= told
    for family, chips in families().items():
        assert f"`{family}`" in SECTION
        assert f"`{chips.example}`" in SECTION
        assert all(f"`{option}`" in SECTION for option in chips.options if family != "xilinx")
    for kind in (Resources, Processor):
        assert all(f"`{field.name}`" in SECTION for field in fields(kind))


def test_the_page_and_the_template_say_that_python_files_are_run() -> None:
    assert "**A Python file that `--board` or a table names is run**" in SECTION
    for name in ("build", "board", "boards", "program"):
        shown = CliRunner().invoke(main, [name, "--help"]).output
        assert "A Python file that is named here or in a table is run." in " ".join(shown.split())
    assert set(tomllib.loads(Board.template())) <= set(KEYS)
