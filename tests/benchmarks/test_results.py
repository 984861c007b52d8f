"""docs/results.md agrees with the records, which agree with recipes and committed networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import page, results
from benchmarks.rows import ROWS, Row
from spikeloom.sw import datasets
from spikeloom.sw.cli.networks import FOLDER, SUFFIX, committed
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import load
from spikeloom.sw.training.recipe import recipe_of

BY_NAME = {row.name: row for row in ROWS}
RESULT: dict[str, Any] = {
    "timesteps": {"conv1": 4, "conv2": 2},
    "average_timesteps": 3.0,
    "neurons": {"conv1": "ladder", "conv2": "ladder"},
    "weight_bits": {"conv1": 8, "conv2": 8, "fc": 4},
    "float_accuracy": 0.9975,
    "quantized_accuracy": 0.99,
    "integer_accuracy": 0.99,
    "differing_labels": 0,
    "differing_spiking_labels": None,
    "network": "0123456789abcdef0123",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(results, "RECORDS", tmp_path)
    return tmp_path


def record(folder: Path, row: Row, seed: int, **changes: Any) -> Path:
    place = folder / f"{row.name}-{seed}"
    place.mkdir()
    (place / "recipe.toml").write_text(recipe_of(row.table(seed)).to_toml())
    (place / "result.json").write_text(json.dumps(RESULT | changes))
    (place / "log.jsonl").write_text("")
    return place


def test_the_page_agrees_with_the_records() -> None:
    content = results.PAGE.read_text(encoding="utf-8")
    for name, text in results.tables().items():
        assert page.parts(content, name)[1] == text, f"make results ARGS=--page: {name}"


def test_every_record_belongs_to_a_row_and_its_present_recipe() -> None:
    wanted = {
        f"{row.name}-{seed}": recipe_of(row.table(seed)).to_toml()
        for row in ROWS
        for seed in row.seeds
    }
    found = {
        place.name: (place / "recipe.toml").read_text(encoding="utf-8")
        for place in results.RECORDS.iterdir()
    }
    assert found
    assert found == {name: wanted.get(name) for name in found}


@pytest.mark.parametrize("name", committed())
def test_networks_are_those_of_the_records(name: str) -> None:
    row = BY_NAME[name]
    assert row.network
    first, *_ = results.records(row)
    assert load(FOLDER / f"{name}{SUFFIX}").digest == first.result["network"]


@pytest.mark.parametrize("name", [name for name in committed() if name.startswith("digits")])
def test_networks_reach_the_recorded_accuracy(name: str) -> None:
    require_accuracy(name, None)


@pytest.mark.data
@pytest.mark.parametrize("name", [name for name in committed() if not name.startswith("digits")])
def test_networks_for_other_data_reach_the_recorded_accuracy(name: str, data_root: Path) -> None:
    require_accuracy(name, data_root)


def require_accuracy(name: str, root: Path | None) -> None:
    first, *_ = results.records(BY_NAME[name])
    network = load(FOLDER / f"{name}{SUFFIX}")
    # With as many bits as the network's input has.
    images, right = datasets.images_to_run(first.result["data"], network.input, root)
    # No counts are kept: those of all layers of a deep network would take gigabytes.
    labels = Golden(network).run(images, counts=()).labels
    assert right is not None
    found = (labels.numpy() == np.asarray(right)).sum()
    assert found == round(first.result["integer_accuracy"] * len(right))


def test_a_row_gives_means_and_the_spread_of_its_seeds(folder: Path) -> None:
    row = BY_NAME["digits-conv"]
    record(folder, row, 0)
    record(folder, row, 2, integer_accuracy=0.98, differing_labels=3, float_accuracy=None)
    line = dict(zip(results.HEADER, results.line(row), strict=True))
    assert line["#integer network"] == "98.50 (98.00 to 99.00)"
    assert line["#float ANN"] == "99.75"
    assert line["#quantized ANN"] == "99.00"
    assert (line["neuron"], line["weight bits"], line["T per layer"]) == (
        "ladder",
        "8, 8, 4",
        "4, 2",
    )
    assert (line["#seeds"], line["#labels that differ"], line["#average T"]) == (
        "2",
        "0, 3",
        "3.00",
    )


def test_labels_are_compared_with_the_network_that_was_trained(folder: Path) -> None:
    row = BY_NAME["digits-qblif"]
    record(folder, row, 0, differing_labels=9, differing_spiking_labels=1)
    assert results.line(row)[-2] == "1"


def test_a_row_without_records_was_not_run(folder: Path) -> None:
    line = results.line(BY_NAME["cifar10-vgg16"])
    assert "not run" in line
    assert line[-1].startswith("QAC")


def test_a_record_of_another_recipe_is_none(folder: Path) -> None:
    row = BY_NAME["digits-conv"]
    place = record(folder, row, 1)
    assert len(results.records(row)) == 1
    recipe = place / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 40", "epochs = 41"))
    assert results.records(row) == []


def test_changes_of_a_row_reach_its_recipe() -> None:
    row = Row("x", "bits", "digits-conv", {"levels.weight_bits": 2, "phase.2.epochs": 7})
    recipe = recipe_of(row.table(5))
    assert (recipe.seed, recipe.levels.weight_bits, recipe.phase[1].epochs) == (5, 2, 7)  # type: ignore[attr-defined]
    assert recipe_of(Row("digits-conv", "images").table(0)).levels.weight_bits == 8
    longer = Row("x", "methods", "digits-conv", {"phase.3": {"kind": "calibrate"}}).table(0)
    assert [phase["kind"] for phase in longer["phase"]] == ["float", "quantized", "calibrate"]


def test_data_that_is_not_there_is_not_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results.measure(BY_NAME["mnist-mlp"], 0, None)
    assert capsys.readouterr().out == "mnist-mlp, seed 0: not run, since --data is not given\n"


def test_a_record_is_kept_without_health(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = folder / "networks"
    monkeypatch.setattr(results, "PRETRAINED", networks)
    work = folder / "work"
    work.mkdir()
    row = BY_NAME["digits-conv"]
    for name in results.FILES:
        (work / name).write_text(name)
    (work / "log.jsonl").write_text('{"epoch": 0, "health": [1, 2]}\n{"epoch": 1}\n')
    (work / "network.safetensors").write_bytes(b"network")
    results.keep(row, 1, work)
    assert not networks.exists()
    results.keep(row, 0, work)
    assert (networks / "digits-conv.safetensors").read_bytes() == b"network"
    place = folder / "digits-conv-1"
    assert (place / "result.json").read_text() == "result.json"
    assert (place / "log.jsonl").read_text() == '{"epoch": 0}\n{"epoch": 1}\n'
