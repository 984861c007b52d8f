"""Commands for boards: ``boards``, ``build``, ``program``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from spikeloom.hw.boards import Board
from spikeloom.hw.build.tools import SOURCES
from spikeloom.sw.cli import build, main
from spikeloom.sw.manifest import FORMAT, Manifest, digest


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_boards_lists_all_and_says_that_none_was_tried() -> None:
    code, output = run("boards")
    assert code == 0
    assert all(name[:8] in output for name in Board.names())
    assert "None of them has been tried on real hardware yet" in output


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
    assert [entry["bitstream"] for entry in entries.values()].count(False) == 2
    assert all(entry["tried"] is None for entry in entries.values())


def test_choices_of_tools_are_those_of_the_build() -> None:
    assert build.SOURCES == SOURCES


def test_building_for_an_unknown_board(tmp_path: Path) -> None:
    code, output = run("build", "digits-conv", "--board", "de10", "--out", tmp_path)
    assert code == 2
    assert output.startswith("error: there is no board 'de10': the boards are ")


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    (tmp_path / "net.bit").write_bytes(b"bits")
    content = {
        "format": FORMAT,
        "version": 1,
        "board": "ulx3s-85f",
        "network": {},
        "bitstream": {"file": "net.bit", "sha256": digest(b"bits")},
    }
    made = Manifest(content, tmp_path / "net.json")
    made.save()
    return made


def test_a_dry_run_prints_the_loader_s_command(manifest: Manifest, tmp_path: Path) -> None:
    bit = tmp_path / "net.bit"
    assert run("program", manifest.path, "--dry-run") == (0, f"openFPGALoader -b ulx3s {bit}\n")
    code, output = run("program", manifest.path, "--dry-run", "--flash")
    assert (code, output) == (0, f"openFPGALoader -b ulx3s -f {bit}\n")


def test_a_changed_bitstream_is_not_loaded(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "net.bit").write_bytes(b"bats")
    code, output = run("program", manifest.path, "--dry-run")
    assert code == 2
    assert "is not the bitstream of its manifest" in output


def test_without_a_loader_it_says_what_to_install(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    code, output = run("program", manifest.path)
    assert code == 2
    assert output.startswith("error: loading needs openFPGALoader: install it")


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (3, 2)])
def test_the_loader_is_run(
    manifest: Manifest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    expected: int,
) -> None:
    loader = tmp_path / "openFPGALoader"
    loader.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\nexit {status}\n')
    loader.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    code, output = run("program", manifest.path)
    assert code == expected
    assert (tmp_path / "called").read_text() == f"-b ulx3s {tmp_path}/net.bit\n"
    assert ("openFPGALoader ended with 3: is ULX3S 85F connected" in output) == bool(status)
