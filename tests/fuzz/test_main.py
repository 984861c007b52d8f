"""The run of all targets: counts are honest, processes that die or stick are found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from fuzz import __main__ as runner
from fuzz.status import Counts, Status
from fuzz.targets import CORPUS, Target


def test_every_reader_that_is_named_has_a_target_and_a_corpus() -> None:
    assert {
        name: target.runs for name, target in Target.kinds.items() if target.runs > 100_000
    } == {
        "network": 1_000_000,
        "frames": 1_000_000,
    }
    assert {path.name for path in CORPUS.iterdir()} == set(Target.kinds)
    assert len(Target.kinds) == 29
    assert all(target.runs >= 100_000 for target in Target.kinds.values())


def test_one_target_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "FOLDER", tmp_path)
    assert runner.main(["verilog", "--runs", "60"]) == 0
    last = capsys.readouterr().out.splitlines()[-1].split()
    assert last[:4] == ["verilog", "60", "60", "0"]


def _stub(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    """Let processes of targets run some other code, which writes into the status."""
    real = subprocess.Popen
    head = (
        "import sys, time, os; from pathlib import Path; from fuzz.status import *\n"
        "runs, folder = int(sys.argv[1]), Path(sys.argv[2]); status = Status(folder / 'status')\n"
    )

    def started(command: list[str], **options: object) -> object:
        runs, place = command[4], command[6]
        return real([sys.executable, "-c", head + code, runs, place], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(runner, "FOLDER", folder)
    monkeypatch.setattr(subprocess, "Popen", started)


def test_a_process_that_dies_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "status.write(Counts(min(runs, 40), 30, 9, 2, 0), b'bad'); os._exit(7 * (runs > 40))"
    _stub(monkeypatch, tmp_path, code)
    result = runner.fuzz("verilog", 100, 1)
    assert result.counts == Counts(100, 90, 27, 2, 2)
    assert (tmp_path / "verilog/failures/process-40").read_bytes() == b"bad"


def test_a_process_that_sticks_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PATIENCE", 0.2)
    code = (
        "\nif runs == 50:\n    status.write(Counts(10), b'for ever')\n    while True: pass\n"
        "status.write(Counts(runs), b'')"
    )
    _stub(monkeypatch, tmp_path, code)
    result = runner.fuzz("verilog", 50, 1)
    assert (result.counts.executions, result.counts.failures) == (50, 1)
    assert (tmp_path / "verilog/failures/process-10").read_bytes() == b"for ever"
    assert "does not return" in (tmp_path / "verilog/failures/process-10.txt").read_text()


def test_no_execution_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stub(monkeypatch, tmp_path, "sys.exit(1)")
    assert runner.fuzz("verilog", 50, 1).counts == Counts(failures=1)


def test_one_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = CORPUS / "network" / "tiny"
    assert runner.main(["network", "--input", str(path)]) == 0
    assert capsys.readouterr().out == "accepted\n"
    (tmp_path / "x").write_bytes(Random(0).randbytes(9))
    assert runner.main(["network", "--input", str(tmp_path / "x")]) == 0
    assert "is damaged or no safetensors file" in capsys.readouterr().out


def test_status(tmp_path: Path) -> None:
    status = Status(tmp_path / "status")
    status.write(Counts(3, 1, 1, 1, 1), b"input")
    other = Status(tmp_path / "status")
    assert (other.counts(), other.input()) == (Counts(3, 1, 1, 1, 1), b"input")
