"""Trials: whatever fails becomes the answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.spaces import small

from spikeloom.hw.planning import PlanFile, plan
from spikeloom.hw.prediction import activity, predict
from spikeloom.sw import network as contract
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.sweep.hardware import HardwarePart, measured
from spikeloom.sw.sweep.trial import Task, carry_out

NETWORK = Path(contract.__file__).parents[1] / "pretrained" / "digits-conv.safetensors"


@pytest.fixture
def task(tmp_path: Path) -> Task:
    recipe, _ = small(tmp_path).chosen({})
    return Task(3, recipe.plain(), {}, 0.2, 0, str(tmp_path / "trial"), str(tmp_path))


def test_a_model_that_breaks_down_fails_in_one_line(task: Task, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("def net():\n    raise MemoryError('too\\nlarge')\n")
    recipe = {**task.recipe, "model": {"name": f"{tmp_path / 'net.py'}:net"}}
    answer = carry_out(replace(task, recipe=recipe))
    assert answer.figures is None
    assert "too large" in answer.reason
    assert "\n" not in answer.reason


def test_a_defect_leaves_its_traceback(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr("spikeloom.sw.sweep.trial.split", broken)
    answer = carry_out(task)
    assert answer.reason == "RuntimeError: out of memory (see error.txt of the trial)"
    assert "in broken" in (Path(task.folder) / "error.txt").read_text()


def test_a_design_without_room_is_refused() -> None:
    network, images = contract.load(NETWORK), np.zeros((1, 1, 8, 8), np.int64)
    with pytest.raises(ConfigError, match=r"does not fit on .*: it takes about .* look-up tables"):
        measured(network, HardwarePart(lanes=1, max_luts=100), images)
    with pytest.raises(ConfigError, match=r"does not fit on .*: its smallest design takes"):
        measured(network, HardwarePart(max_luts=100), images)


def test_figures_are_those_of_the_plan_file(tmp_path: Path) -> None:
    network = contract.load(NETWORK)
    images = np.random.default_rng(0).integers(0, 16, (2, 1, 8, 8))
    figures, choices = measured(network, HardwarePart(budget=8, time="fold"), images)
    choices.save(tmp_path / "plan.json")
    config = PlanFile.load(tmp_path / "plan.json").for_network(network)
    again = np.concatenate([images, images[:1]])
    found = predict(plan(network, config), activity(network, again))
    assert (found.interval, found.latency) == (figures["cycles"], figures["latency"])
    assert all(value > 0 for value in figures.values())


def tiny() -> contract.Network:
    """A linear layer of eight neurons, and one of three logits, on sixteen pixels."""
    weights = np.random.default_rng(0).integers(-7, 8, (8, 16))
    first = contract.Layer(
        "hidden",
        3,
        contract.Ladder(np.full((8, 3), 20) * np.arange(1, 4)),
        (contract.Connection(contract.INPUT, "count", contract.Linear(weights)),),
    )
    last = contract.Layer(
        "fc",
        1,
        contract.Logits(np.array([4, -5, 0]), 2),
        (contract.Connection("hidden", "count", contract.Linear(np.eye(3, 8, dtype=np.int64))),),
    )
    return contract.Network(contract.DirectInput((1, 4, 4), 2), (first, last), name="tiny")


def test_a_plan_is_searched_for_within_limits() -> None:
    images = np.random.default_rng(0).integers(0, 4, (1, 1, 4, 4))
    free, _ = measured(tiny(), HardwarePart(max_luts=100_000), images)
    limit = round(free["luts"]) - 1
    narrow, _ = measured(tiny(), HardwarePart(max_luts=limit), images)
    assert narrow["luts"] <= limit
    assert narrow["cycles"] >= free["cycles"]
