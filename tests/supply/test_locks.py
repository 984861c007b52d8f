"""Locks: what they hold, and that pip refuses a file that they do not list."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from supply.locks import ALL, APART, CPU, DEV, EXCLUDED, ROOT, RUN, TOOLS, Pin, normal, read, write

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def names(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[<>=!~]", line)[0]) for line in requirements}


@pytest.mark.parametrize("lock", ALL, ids=lambda path: path.stem)
def test_every_line_is_an_exact_version_with_hashes(lock: Path) -> None:
    pins = read(lock)
    assert pins
    assert all(pin.hashes for pin in pins.values())
    assert not pins.keys() & set(EXCLUDED)
    # Nothing names the index that the lock was made with.
    assert "://" not in lock.read_text(encoding="utf-8")


def test_every_requirement_is_locked() -> None:
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    run, dev = read(RUN).keys(), read(DEV).keys()
    assert names(project["dependencies"] + PROJECT["build-system"]["requires"]) <= run
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    assert names(extras) <= run | dev
    assert not run & dev
    for name, lock in APART.items():
        assert names(groups[name]) == read(lock).keys()
    assert names(groups["tools"]) <= read(TOOLS).keys()


def test_versions_that_are_required_exactly_are_those_of_the_locks() -> None:
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    lists = [project["dependencies"], *project["optional-dependencies"].values(), *groups.values()]
    locked = {name: pin.version for lock in ALL if lock != CPU for name, pin in read(lock).items()}
    exact = [line.split("==") for lines in lists for line in lines if "==" in line]
    assert exact
    assert [(name, version) for name, version in exact if locked[normal(name)] != version] == []
    assert read(CPU)["torch"].version == f"{locked['torch']}+cpu"


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    hashes = tuple(f"sha256:{digit * 64}" for digit in "ab")
    pins = {
        "one": Pin("one", "1.0+cpu", "", hashes),
        "two": Pin("two", "2.post1", "sys_platform == 'linux'", hashes[:1]),
    }
    write(tmp_path / "lock.txt", pins, "A lock.")
    assert read(tmp_path / "lock.txt") == pins
    (tmp_path / "lock.txt").write_text("one>=1.0\n")
    with pytest.raises(ValueError, match=r"'one>=1\.0' is no pin"):
        read(tmp_path / "lock.txt")


@pytest.mark.parametrize("right", [True, False])
def test_pip_refuses_a_file_with_another_hash(tmp_path: Path, right: bool) -> None:
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    made = subprocess.run([sys.executable, "-c", _WHEEL, wheel], capture_output=True, text=True)
    digest = made.stdout.strip() if right else "0" * 64
    write(tmp_path / "lock.txt", {"tiny": Pin("tiny", "1.0", "", (f"sha256:{digest}",))}, "A lock.")
    # The options of the Makefile, without an index.
    (line,) = [x for x in (ROOT / "Makefile").read_text().splitlines() if "LOCKED_WHEELS :=" in x]
    options = line.partition("$(PIP) ")[2].split()
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index"]
    command += ["--find-links", str(tmp_path), "--target", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, *options, str(tmp_path / "lock.txt")], capture_output=True, text=True
    )
    assert (done.returncode == 0) == right, done.stderr
    assert (tmp_path / "out" / "tiny.py").exists() == right
    assert ("DO NOT MATCH THE HASHES" in done.stderr) != right


#: Writes a wheel of one module, and prints its digest.
_WHEEL = """
import hashlib, sys, zipfile
about = "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n"
tags = "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
folder = "tiny-1.0.dist-info/"
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("tiny.py", "")
    for name, text in (("METADATA", about), ("WHEEL", tags), ("RECORD", "")):
        wheel.writestr(folder + name, text)
print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())
"""
