from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from spikeloom.hw.build.tools import Tool, Toolset
from spikeloom.sw.errors import ConfigError, ToolError

YOSYS, OTHER = Tool("yosys", "numpy", "wheel-yosys"), Tool("packer", "numpy", "wheel-packer")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    return tmp_path


def program(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def test_native_programs_are_taken_if_all_are_there(path: Path) -> None:
    program(path, "yosys", "echo Yosys 0.70 built for a test")
    program(path, "packer", "echo packer 1.2 >&2")
    found = Toolset.find([YOSYS, OTHER])
    assert found.programs["yosys"] == str(path / "yosys")
    assert found.versions == {"yosys": "Yosys 0.70 built for a test", "packer": "packer 1.2"}


@pytest.mark.parametrize("version", ["0.23", "nothing"])
def test_an_old_yosys_is_left_for_the_wheels(path: Path, version: str) -> None:
    program(path, "yosys", f"echo Yosys {version}")
    program(path, "wheel-yosys", "")
    assert Toolset.find([YOSYS]).programs["yosys"] == str(path / "wheel-yosys")
    assert Toolset.find([YOSYS]).versions["yosys"].startswith("numpy ")
    with pytest.raises(ToolError, match=r"is too old: it takes 0.45"):
        Toolset.find([YOSYS], "native")


def test_programs_are_never_mixed(path: Path) -> None:
    program(path, "yosys", "echo Yosys 0.70")
    for name in ("wheel-yosys", "wheel-packer"):
        program(path, name, "")
    found = Toolset.find([YOSYS, OTHER])
    assert set(found.programs.values()) == {str(path / n) for n in ("wheel-yosys", "wheel-packer")}


def test_what_is_missing_is_named(path: Path) -> None:
    with pytest.raises(ToolError, match=r"building needs yosys: pip install 'spikeloom\[boards\]'"):
        Toolset.find([YOSYS])
    with pytest.raises(ToolError, match="yosys, packer not on PATH"):
        Toolset.find([YOSYS, OTHER], "native")
    with pytest.raises(ConfigError, match="tools must be auto, native, yowasp, not 'vivado'"):
        Toolset.find([YOSYS], "vivado")


def test_output_goes_to_a_log_whose_end_is_told_on_failure(tmp_path: Path) -> None:
    tools = Toolset({"tool": sys.executable}, {"tool": "1"})
    tools.run(["tool", "-c", "print('fine')"], tmp_path, "tool.log")
    assert (tmp_path / "tool.log").read_text() == "fine\n"
    with pytest.raises(ToolError, match=r"tool failed; the end of .*tool.log says:\n.*no place"):
        tools.run(["tool", "-c", "raise SystemExit('no place')"], tmp_path, "tool.log")


def test_a_tool_that_fails_on_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(path, "yosys", "[ $1 = --version ] && { echo Yosys 0.70; exit; }; exit 1")
    found = Toolset.find([YOSYS])
    with pytest.raises(ToolError, match="yosys failed"):
        found.run(["yosys", "script"], path, "log")
    usage = shutil.disk_usage(path)._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(OSError, match="No space left"):
        found.run(["yosys", "script"], path, "log")
