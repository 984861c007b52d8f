"""docs/papers.md has every table of its command, each with the rows that belong to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.models import small
from torch import fx

from benchmarks import page, papers
from benchmarks.papers import FACTORS, LEVELS, NEAR, STEPS, TABLES, UNPENALISED, WEIGHTINGS, Work
from spikeloom.sw.quantized import settle
from spikeloom.sw.training.phases import FitPhase


def rows(text: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]


@pytest.mark.parametrize("name", TABLES)
def test_the_page_has_every_table(name: str) -> None:
    _, between, _ = page.parts(papers.PAGE.read_text(encoding="utf-8"), name)
    if between == "Not run.":
        assert name not in ("qac-5-digits", "qac-8-digits", "negative-4-digits")
        return
    found = rows(between)
    expected = {"qac-5": 1, "qac-8": 2 * len(LEVELS), "negative-4": 4, "negative-5": 5}
    assert len(found) == expected[name.rpartition("-")[0]]


def test_a_training_has_no_calibration_and_the_changes_that_it_is_given() -> None:
    recipe = Work("digits-negative", seed=3).described(UNPENALISED)
    phases = [phase for phase in recipe.phase if isinstance(phase, FitPhase)]
    assert [phase.kind for phase in recipe.phase] == ["float", "quantized"]
    assert recipe.seed == 3
    assert not any(phase.penalties for phase in phases)
    fixed = Work("cifar10-resnet20-public").described({**papers.FIXED, "levels.timesteps": 16})
    assert (fixed.levels.timesteps, fixed.levels.learn) == (16, "")


def test_a_finished_training_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = {"phase.1.epochs": 1, "phase.2.epochs": 1, "data.limit": 256}
    work = Work("digits-negative", short, limit=8, folder=tmp_path)
    first = work.trained("-a", {})
    monkeypatch.setattr(papers, "run", None)
    again = work.trained("-a", {})
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)
    )
    with pytest.raises(TypeError):
        work.trained("-a", UNPENALISED)
    assert (len(work.split("test")), len(work.split("train"))) == (8, 1437)
    capsys.readouterr()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small models in place of trainings, and few T."""
    monkeypatch.setattr(papers, "STEPS", (1, 2))
    monkeypatch.setattr(papers, "LEVELS", (4,))
    monkeypatch.setattr(papers, "FEW", (1, 2))
    monkeypatch.setattr(papers, "IMAGES", 16)
    monkeypatch.setattr(papers, "COUNTED", 8)

    def trained(work: Work, name: str, changes: Any) -> fx.GraphModule:
        model = "digits-leaky" if work.recipe == "digits-negative" else "digits-mlp"
        return settle(small.trained(model).prepared).eval()

    monkeypatch.setattr(Work, "trained", trained)


@pytest.mark.usefixtures("quick")
def test_k_times_the_timesteps_and_t_beside_l() -> None:
    work = Work("digits-qac", limit=40)
    ((name, average, exact, *scaled),) = rows(papers.scaling(work))
    assert (name, float(average), len(scaled)) == ("digits-qac", 4, len(FACTORS))
    # At the timesteps of the training, counts lose nothing.
    assert scaled[0] == exact
    spikes, counts = rows(papers.averaging(Work("digits-conv", limit=40)))
    assert (spikes[:2], counts[:2]) == (["4", "QCFS"], ["4", "QCFS+aver"])
    # One timestep is one, however it is carried.
    assert spikes[3] == counts[3]
    assert len(spikes) == 3 + len(papers.STEPS) < 3 + len(STEPS)


@pytest.mark.usefixtures("quick")
def test_rates_and_weightings(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work("digits-negative", limit=8)
    found = rows(papers.rates(work))
    assert [row[:2] for row in found] == [
        [penalties, thresholds]
        for penalties in ("with", "without")
        for thresholds in ("largest input", "learned")
    ]
    assert all(0 < float(rate) < 1 for row in found for rate in row[2:-1])
    # With wider thresholds, layers fire less.
    assert float(found[0][2]) < float(found[1][2])
    monkeypatch.setattr(papers, "WEIGHTINGS", (None, "cosine"))
    assert [row[0] for row in rows(papers.weightings(work))] == ["no calibration", "cosine"]
    assert len(WEIGHTINGS) == 5


def test_the_fewest_timesteps() -> None:
    assert papers.fewest(["90.00", "92.61", "92.70", "92.50"], 92.61 + NEAR / 2) == "2"
    assert papers.fewest(["90.00", "90.00", "90.00", "90.00"], 92.0) == "more than 8"


def test_larger_data_are_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written = tmp_path / "papers.md"
    written.write_text("<!-- qac-5-digits -->\n<!-- /qac-5-digits -->\n", encoding="utf-8")
    monkeypatch.setattr(papers, "PAGE", written)
    made = (lambda work: f"| {work.recipe} |", "digits-qac")
    monkeypatch.setattr(papers, "TABLES", {**TABLES, "qac-5-digits": made})
    papers.main(["--only", "qac-5-digits", "qac-8-cifar10"])
    assert "qac-8-cifar10: not run, since --data is not given" in capsys.readouterr().out
    assert "\n| digits-qac |\n" in written.read_text(encoding="utf-8")
    papers.main(["--only", "qac-5-digits", "--seed", "1"])
    assert "qac-5-digits" in capsys.readouterr().out
