"""Sweeps: whole ones, with small trainings in processes that are killed."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.report import embedded
from support.spaces import TABLE, small

from spikeloom.hw.planning import PlanFile
from spikeloom.sw import network as contract
from spikeloom.sw.cli import main
from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.locks import locked
from spikeloom.sw.sweep import OBJECTIVES, Answer, LocalCrew, Lost, Point, Sweep, Task, sweep
from spikeloom.sw.sweep.crew import Crew
from spikeloom.sw.tables import to_toml


def killing(folder: Path, space_folder: Path, trials: int, after: int, **changes: Any) -> Sweep:
    """Return a sweep on two workers, one of which is killed at work after some trials."""
    ended: list[Point] = []
    space = small(space_folder, trials=trials, **changes)

    with LocalCrew(2, folder) as crew:

        def told(point: Point) -> None:
            ended.append(point)
            at_work = [worker for worker in crew.workers if worker.number >= 0]
            if len(ended) >= after and at_work and not killed:
                killed.append(at_work[0].number)
                os.kill(at_work[0].process.pid, signal.SIGKILL)

        killed: list[int] = []
        found = sweep(space, folder, crew=crew, progress=False, told=told)
    (number,) = killed
    # The trial of the killed worker was run again, and has ended by itself.
    again = found.points[number]
    assert "lost" not in again.reason
    # Each trial was told of once, and is stored as it was told of.
    tested = {point.number: point.test_accuracy for point in found.front}
    told_of = [replace(point, test_accuracy=tested.get(point.number)) for point in ended]
    assert sorted(told_of, key=lambda point: point.number) == found.points
    states = [point.state for point in found.points]
    print(
        f"{len(states)} trials on 2 workers: {states.count('complete')} complete, "
        f"{states.count('failed')} failed; the front has {len(found.front)}\n"
        f"worker killed at work on trial {number:04}, after {after} trials; workers lost: "
        f"{found.lost}; this trial was run again: {again.state} {again.reason}"
    )
    return found


def require_whole(found: Sweep, trials: int) -> None:
    """Require that every trial has ended by itself, and that the front's files fit."""
    assert [point.number for point in found.points] == list(range(trials))
    assert found.lost == 1
    for point in found.points:
        if point.values["levels.weight_bits"] == 20:
            assert (point.state, point.reason) == (
                "failed",
                "weight bits must be from 2 to 16, not 20",
            )
        else:
            assert point.state == "complete"
            assert point.figures.keys() == OBJECTIVES.keys()
            assert point.figures["timesteps"] == point.values["levels.timesteps"]
    assert found.front
    for point in found.front:
        network = contract.load(found.network(point))
        plan = PlanFile.load(found.network(point).with_name("plan.json"))
        assert plan.for_network(network).budget
        assert plan.about["cycles"] == point.figures["cycles"]
        assert point.test_accuracy is not None
    stored = json.loads((found.folder / "sweep.json").read_text())
    assert stored == json.loads(json.dumps(found.content()))
    assert (found.folder / "front.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    folder = tmp_path_factory.mktemp("sweep")
    return killing(folder / "out", folder, 6, 1)


def test_a_killed_worker_loses_nothing(done: Sweep) -> None:
    require_whole(done, 6)
    assert {point.state for point in done.points} == {"complete", "failed"}


@pytest.mark.sweep
def test_a_hundred_trials_on_two_workers_one_killed_midway(tmp_path: Path) -> None:
    # By its seed, each trial differs from all others, and is trained.
    space = {**TABLE["space"], "seed": {"low": 0, "high": 1_000_000}}
    found = killing(tmp_path / "out", tmp_path, 100, 50, space=space)
    require_whole(found, 100)
    assert all(point.same_as is None for point in found.points)


def test_only_what_is_needed_is_kept_of_a_training(done: Sweep) -> None:
    (first, *_) = done.front
    files = {path.name for path in (done.folder / "trials" / f"{first.number:04}").iterdir()}
    assert files == {
        *("recipe.toml", "log.jsonl", "trained.safetensors", "network.safetensors"),
        *("result.json", "plan.json", "notes.txt"),
    }


def test_the_command_goes_on_and_shows_the_front(done: Sweep) -> None:
    # Nothing is left to be trained.
    path = done.folder.parent / "space.toml"
    path.write_text(to_toml(done.space.plain()))
    shown = CliRunner().invoke(main, ["sweep", str(path), "--out", str(done.folder)])
    assert shown.exit_code == 0, shown.output
    failed = sum(point.state == "failed" for point in done.points)
    assert shown.output.startswith(f"6 trials: {6 - failed} complete, {failed} failed")
    for point in done.front:
        assert f"\n {point.number:04} " in shown.output
    assert "failed: weight bits must be from 2 to 16, not 20" in shown.output
    asked = CliRunner().invoke(main, ["sweep", str(path), "--out", str(done.folder), "--json"])
    content = json.loads(asked.stdout)
    assert content["front"] == done.content()["front"]
    assert content["trials"] == done.content()["trials"]


def test_the_folder_has_a_report(done: Sweep) -> None:
    told = CliRunner().invoke(main, ["report", str(done.folder)])
    assert told.exit_code == 0, told.output
    (shown,) = embedded((done.folder / "report.html").read_text(encoding="utf-8"))["runs"]
    assert shown["sweep"] == json.loads((done.folder / "sweep.json").read_text())
    assert shown["sweep"]["measures"]["accuracy"] == {"title": "accuracy", "better": "larger"}
    assert shown["sweep"]["measures"]["cycles"] == {"title": "cycles/image", "better": "smaller"}


def test_no_two_sweeps_are_at_work_in_a_folder(done: Sweep) -> None:
    with locked(done.folder, "sweep"), pytest.raises(FileFormatError, match="another sweep is at"):
        sweep(done.space, done.folder, progress=False)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigError, match="out is a file: a sweep writes into a folder"):
        sweep(small(tmp_path), tmp_path / "out", progress=False)


def test_workers_are_positive(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the number of workers must be at least 1, not 0"):
        LocalCrew(0, tmp_path)


class Losing(Crew):
    """A crew whose only worker is always lost."""

    size = 1
    tasks: list[Task]

    def __init__(self) -> None:
        self.tasks = []

    def begin(self, task: Task) -> None:
        self.tasks.append(task)

    def ended(self) -> list[tuple[int, Answer | Lost]]:
        return [(self.tasks[-1].number, Lost("killed by signal 9"))]

    def close(self) -> None:
        """Release nothing."""


def test_a_trial_that_kills_its_workers_fails(tmp_path: Path) -> None:
    crew = Losing()
    space = small(tmp_path, trials=2, space={"seed": {"low": 0, "high": 1000}})
    found = sweep(space, tmp_path / "out", crew=crew, progress=False)
    assert [task.number for task in crew.tasks] == [0, 0, 0, 1, 1, 1]
    assert (found.lost, found.front) == (6, [])
    assert {point.reason for point in found.points} == {
        "it has lost 3 workers, the last one killed by signal 9: memory may be short for so many"
    }
