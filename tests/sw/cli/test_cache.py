"""``spikeloom cache``: what is kept is listed and cleared."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.kept import HASH, leave

from spikeloom.sw.cli import main
from spikeloom.sw.cli.common import age_text, size_text
from spikeloom.sw.locks import workplace

DAY = 86_400


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["cache", *map(str, arguments)])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with simulators of 0, 10, ... 40 days, and notes of 100 days."""
    notes = tmp_path / "cache" / "spikeloom" / "published.json"
    notes.parent.mkdir(parents=True)
    notes.write_text("{}")
    used = time.time() - 100 * DAY
    os.utime(notes, (used, used))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    leave(tmp_path / "build" / "sim", time.time(), 10 * DAY)
    return tmp_path


def test_the_list_says_what_for_how_much_and_how_old(folder: Path) -> None:
    leave(folder / "build" / "demo" / "sim", time.time())
    result = run()
    assert result.exit_code == 0, result.output
    rows = [line.split("  ") for line in result.output.splitlines() if "  " in line]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    cells = [row for row in cells if len(row) > 5]
    assert cells[0] == ["kept", "in", "number", "size", "last used", "for"]
    assert [*cells[4][:5]] == ["simulator", "build/sim", "1", "0.4 kB", "10 days ago"]
    assert cells[4][5].startswith("programs that Verilator")
    assert ["design", "build/demo/sim", "1", "5.0 kB", "now"] in [row[:5] for row in cells]
    assert result.output.endswith("11 entries, 10.9 kB; `spikeloom cache --clear` removes it\n")


def test_what_was_not_used_is_removed_alone(folder: Path) -> None:
    assert run("--clear", "--unused", 25).output == "removed 3 entries, 0.0 kB\n"
    left = {path.name for path in (folder / "build/sim").iterdir()}
    assert left == {f".runtime-{HASH}", f"harness-{HASH}", f"design-{HASH}"}
    assert not (folder / "cache/spikeloom/published.json").exists()
    assert run("--clear", "--only", "design", "--only", "notes").output == (
        "removed 1 entry, 5.0 kB\n"
    )
    assert run("--clear").output == "removed 2 entries, 0.4 kB\n"
    assert run().output == "nothing is kept\n"


def test_another_folder(folder: Path) -> None:
    leave(folder / "mine")
    assert run("--clear", "--build-dir", folder / "mine", "--only", "log").exit_code == 0
    assert not (folder / "mine" / f"harness-{HASH}.log").exists()
    assert (folder / "build/sim" / f"harness-{HASH}.log").exists()


def test_a_running_simulator_stays(folder: Path) -> None:
    simulator = folder / "build/sim" / f"harness-{HASH}"
    with workplace(simulator, "run-"):
        result = run("--clear", "--only", "simulator")
    assert result.output == (
        f"build/sim/harness-{HASH} stays: a simulation runs in it\nremoved 0 entries, 0.0 kB\n"
    )
    assert simulator.is_dir()


def test_json_has_every_entry(folder: Path) -> None:
    found = json.loads(run("--json").stdout)
    assert (found["removed"], found["freed"]) == (0, 0)
    assert [entry["kind"] for entry in found["entries"]] == (
        ["leftover", "log", "library", "simulator", "design", "notes"]
    )
    notes = found["entries"][-1]
    assert notes["path"] == str(folder / "cache/spikeloom/published.json")
    assert (notes["bytes"], notes["busy"]) == (2, False)
    assert notes["unused_days"] == pytest.approx(100, abs=0.1)
    cleared = json.loads(run("--clear", "--json").stdout)
    assert (cleared["removed"], cleared["freed"]) == (6, 5435)


def test_sizes_and_ages() -> None:
    assert [size_text(n) for n in (0, 1_500, 2_000_000, 3_210_000_000)] == (
        ["0.0 kB", "1.5 kB", "2.0 MB", "3.2 GB"]
    )
    assert [age_text(n) for n in (-5, 59, 60, 7_199, 7_200, 86_400, 200_000)] == (
        ["now", "now", "1 minute ago", "1 hour ago", "2 hours ago", "1 day ago", "2 days ago"]
    )
