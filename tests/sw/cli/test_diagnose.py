"""``spikeloom diagnose``: what it measures, reads, prints and draws."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
import torch
from click.testing import CliRunner, Result
from support.models import small

from spikeloom.sw import network as contract
from spikeloom.sw.cli import main
from spikeloom.sw.conversion import convert
from spikeloom.sw.diagnostics import measure
from spikeloom.sw.spiking import spiking
from spikeloom.sw.training import Trained, checkpoint


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["diagnose", *(str(a) for a in arguments)])


def changed(factor: float) -> Trained:
    """The trained model, with another λ in its first layer."""
    trained = small.trained("digits-mlp")
    model = copy.deepcopy(trained.model)
    activation: Any = next(m for m in model.modules() if hasattr(m, "log_threshold"))
    activation.set_threshold(activation.threshold * factor)
    return replace(trained, model=model)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "trained.safetensors"
    checkpoint.save(replace(changed(1), start={"fc1": 1.0, "fc2": 2.0}), path)
    return path


def test_a_trained_model_is_measured(model_file: Path) -> None:
    result = run(model_file, "--images", "200")
    assert result.exit_code == 0, result.output
    assert "trained.safetensors, 200 training images of digits" in result.output
    for heading in ("layer", "λ start", "λ now", "moved", "|∇λ|", "|∇W|", "ratio", "clipped"):
        assert heading in result.output
    assert "fc1" in result.output
    assert "no known failure" in result.output


def test_figures_are_those_of_the_library(model_file: Path) -> None:
    result = run(model_file, "--images", "100", "--json")
    assert result.exit_code == 0, result.output
    data = small.digits("train").head(100)
    layers = measure(
        checkpoint.load(model_file).model,
        data.inputs(),
        data.targets(),
        start={"fc1": 1.0, "fc2": 2.0},
    )
    assert json.loads(result.output) == [
        {
            "phase": "trained.safetensors, 100 training images of digits",
            "epochs": [[json.loads(json.dumps(layer.to_json())) for layer in layers]],
            "findings": [],
        }
    ]


def test_a_failure_is_named_and_sets_the_exit_status(tmp_path: Path) -> None:
    path = tmp_path / "far.safetensors"
    checkpoint.save(changed(0.01), path)
    result = run(path, "--images", "100")
    assert result.exit_code == 1
    assert "far-threshold: λ is far from the range of the layer's inputs (fc1: λ" in result.output
    assert "λ start" not in result.output  # nothing is known of it
    (record,) = json.loads(run(path, "--images", "100", "--json").output)
    assert "far-threshold" in {finding["name"] for finding in record["findings"]}


def test_a_spiking_model_is_measured_through_time(tmp_path: Path) -> None:
    trained = small.trained("digits-mlp")
    model: Any = copy.deepcopy(trained.model)
    network = spiking(model, transport="spikes", neuron="burst", largest=2, timesteps=3).eval()
    path = tmp_path / "spiking.safetensors"
    checkpoint.save(replace(trained, model=network), path)
    result = run(path, "--images", "64", "--json")
    assert result.exit_code in (0, 1), result.output
    (record,) = json.loads(result.output)
    assert [(x["timesteps"], x["largest"]) for x in record["epochs"][0]] == [(3, 2), (3, 2)]
    assert all(x["gradient"] for x in record["epochs"][0])


def test_a_network_shows_its_spikes(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    contract.save(convert(small.trained("digits-mlp").model), path)
    result = run(path, "--images", "64", "--data", "digits")
    assert result.exit_code == 0, result.output
    assert "rate" in result.output
    assert "∇" not in result.output
    assert "clipped" not in result.output
    unknown = convert(small.trained("digits-mlp").model, about={"dataset": ""})
    contract.save(unknown, path)
    result = run(path)
    assert result.exit_code == 2
    assert "does not say what it was trained on: choose images with --data" in result.output


def test_a_folder_tells_its_phases_and_draws_them(tmp_path: Path) -> None:
    data = small.digits("train").head(64)
    torch.manual_seed(0)
    layers = measure(copy.deepcopy(changed(1).model), data.inputs(), data.targets())
    frozen = [replace(x, steps=99, start=x.threshold, wanted=40.0) for x in layers]
    lines = [
        {"phase": 1, "kind": "float", "epoch": 0},
        *(
            {"phase": 2, "kind": "quantized", "epoch": e, "health": [x.to_json() for x in layers]}
            for e in range(3)
        ),
        {"phase": 3, "kind": "spiking", "epoch": 0, "health": [x.to_json() for x in frozen]},
    ]
    log = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "log.jsonl").write_text(log)
    picture = tmp_path / "layers.png"
    result = run(tmp_path, "--draw", picture)
    assert result.exit_code == 1, result.output
    before, after = result.output.split("3 spiking")
    assert "2 quantized" in before
    assert "no known failure" in before
    assert "frozen-threshold" in after
    assert f"wrote {picture}" in after
    assert matplotlib.image.imread(picture).ndim == 3
    assert (tmp_path / "log.jsonl").read_text() == log


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing", None, "missing does not exist: check the path"),
        ("empty", b"", "empty"),
        ("text", b"hello, this is no network", "text"),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = run(tmp_path / name)
    assert result.exit_code == 2
    assert result.output.startswith("error: ")
    assert message in result.output


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 2
    assert "log.jsonl does not exist" in result.output
