"""Studies: what is stored when a trial begins and ends, and what a later call finds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.spaces import small

from spikeloom.sw.errors import ConfigError, FileFormatError, ToolError
from spikeloom.sw.sweep import OBJECTIVES, Answer, Study, require_optuna


def figures(accuracy: float, cycles: float) -> Answer:
    return Answer({**dict.fromkeys(OBJECTIVES, 1.0), "accuracy": accuracy, "cycles": cycles})


def test_trials_that_had_begun_are_found_again(tmp_path: Path) -> None:
    space = small(tmp_path)
    study = Study(space, tmp_path)
    begun = dict(study.begin() for _ in range(3))
    done = study.end(1, figures(0.5, 100))
    assert (done.state, done.values, done.figures["cycles"]) == ("complete", begun[1], 100)
    assert study.unfinished() == []
    later = Study(small(tmp_path, trials=9, about="more"), tmp_path)
    assert (len(later), later.unfinished()) == (3, [0, 2])
    assert later.begin(2) == (2, begun[2])
    failed = later.end(2, Answer(reason="it does not fit"))
    assert (failed.state, failed.reason, failed.figures) == ("failed", "it does not fit", {})
    assert [point.state for point in later.points()] == ["running", "complete", "failed"]
    assert [point.number for point in later.front()] == [1]


def test_the_front_has_what_nothing_beats(tmp_path: Path) -> None:
    study = Study(small(tmp_path, sampler="tpe"), tmp_path)
    for accuracy, cycles in ((0.5, 100), (0.9, 200), (0.4, 150), (0.9, 50)):
        number, _ = study.begin()
        study.end(number, figures(accuracy, cycles))
    study.tested(3, 0.8)
    assert [(point.number, point.test_accuracy) for point in study.front()] == [(3, 0.8)]


def test_equal_values_are_found_once_they_are_complete(tmp_path: Path) -> None:
    study = Study(small(tmp_path, space={"seed": [7]}), tmp_path)
    first, _ = study.begin()
    second, values = study.begin()
    assert values == {"seed": 7}
    assert study.equal(second) is None
    study.end(first, figures(0.5, 100))
    found = study.equal(second)
    assert found is not None
    assert found.number == first
    assert study.end(second, Answer(found.figures), first).same_as == first
    assert [point.number for point in study.front()] == [first]


def test_a_folder_keeps_to_its_space(tmp_path: Path) -> None:
    Study(small(tmp_path), tmp_path)
    with pytest.raises(ConfigError, match="is the study of another space, with another 'holdout'"):
        Study(small(tmp_path, holdout=0.5), tmp_path)


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"something else" * 1000)
    with pytest.raises(FileFormatError, match=r"study\.db cannot be read as a study"):
        Study(small(tmp_path), tmp_path)


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ToolError, match=r"pip install 'spikeloom\[sweep\]'"):
        require_optuna()
