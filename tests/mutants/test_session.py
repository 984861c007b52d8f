from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from mutants import records
from mutants.records import Result, TestRecord
from mutants.session import in_order, mirror

#: A project with a test that misses a bound, and one that never ends if a step is left out.
MODULE = """\
def clipped(value, most):
    if value < 0:
        return 0
    return most if value > most else value


def count(number):
    steps = 0
    while steps < number:
        steps += 1
    return steps


def unused(a):
    return a + 1
"""
TESTS = """\
import gc

from small import clipped, count

gc.freeze()  # as a conftest may do

def test_clips():
    assert [clipped(value, 5) for value in (-1, 1, 5, 9)] == [0, 1, 5, 5]


def test_counts():
    assert count(3) == 3
"""
RUN = """\
import sys
from pathlib import Path
import pytest
from mutants.choice import possible
from mutants.session import Run

root = Path(sys.argv[1])
run = Run(root, ["sw/small.py"], possible(root, "sw/small.py"), root / "build", grace=4)
sys.path.insert(0, str(root / "sw"))
options = ["-q", "-p", "no:cacheprovider", f"--rootdir={root}", f"--basetemp={root / 'tmp'}"]
pytest.main([*options, str(root)], plugins=[run])
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """What became of the mutants of a small project, by line and change."""
    root = tmp_path_factory.mktemp("project")
    for name, text in {"sw/small.py": MODULE, "tests/sw/test_small.py": TESTS}.items():
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    run = [sys.executable, "-c", RUN, str(root)]
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(run, capture_output=True, text=True, env={"PYTHONPATH": tests})
    assert "17/17 " in done.stdout, done.stdout + done.stderr
    assert (root / "sw/small.py").read_text() == MODULE
    found = records.results(root / "build/results.jsonl").values()
    return {f"{one.mutant.split(':')[1]}: {one.before} -> {one.after}": one for one in found}


def test_a_fault_that_a_test_notices_is_killed(results: dict[str, Result]) -> None:
    one = results["4: most if value > most else value -> value if value > most else most"]
    assert (one.outcome, one.by) == ("killed", "tests/sw/test_small.py::test_clips")
    assert results["9: steps < number -> steps <= number"].by.endswith("::test_counts")


def test_a_fault_that_no_test_notices_survives(results: dict[str, Result]) -> None:
    """At a bound both branches are the same, and no test clips 0.5 or counts to 0."""
    survived = {change for change, one in results.items() if one.outcome == "survived"}
    at_bounds = {"2: value < 0 -> value <= 0", "4: value > most -> value >= most"}
    assert survived == at_bounds | {"2: 0 -> 1", "8: 0 -> 1"}


def test_a_fault_that_runs_for_ever_is_ended_by_the_clock(results: dict[str, Result]) -> None:
    assert results["10: steps += 1 -> pass"].outcome == "clock"


def test_a_fault_that_no_test_runs_has_met_none(results: dict[str, Result]) -> None:
    one = results["15: a + 1 -> a - 1"]
    assert (one.outcome, one.tried) == ("unrun", 0)


def record(name: str, seconds: float, lines: list[int], outcome: str = "passed") -> TestRecord:
    return TestRecord(name, "", outcome, seconds, {"hw/engine/pe.py": lines})


def test_the_files_own_tests_come_first_and_then_all_files_take_turns() -> None:
    tests = [
        record("tests/hw/engine/test_pe.py::slow", 2, [7]),
        record("tests/hw/engine/test_pe.py::quick", 1, [7]),
        record("tests/hw/engine/test_pe.py::other", 0, [8]),
        record("tests/hw/engine/test_pe.py::broken", 0, [7], "failed"),
        record("tests/hw/engine/test_pe.py::program", 0, [7], "starts a program"),
        record("tests/hw/engine/test_rom.py::a", 0.1, [7]),
        record("tests/hw/engine/test_rom.py::b", 0.2, [7]),
        record("tests/hw/engine/test_select.py::c", 0.3, [7]),
        record("tests/hw/test_device.py::d", 0.1, [7], "long"),
        record("tests/hw/test_device.py::e", 9, [7]),
    ]
    chosen = [test.name.split("::")[1] for test in in_order("hw/engine/pe.py", 7, tests, 6)]
    assert chosen == ["quick", "slow", "a", "c", "b", "d"]


def test_mirror() -> None:
    assert mirror("hw/engine/pe.py") == "tests/hw/engine/test_pe.py"


def test_records_outlive_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "tests.jsonl"
    records.add(path, record("one", 1, []))
    records.add(path, dataclasses.replace(record("one", 1, []), seconds=2))
    with path.open("a") as file:
        file.write('{"name": "tw')
    assert [test.seconds for test in records.tests(path).values()] == [2]
