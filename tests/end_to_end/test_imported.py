"""Trained graphs of other toolkits, on all test images of MNIST (``make test-data``)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from spikeloom.sw.cli import main

pytestmark = pytest.mark.data


def run(*arguments: str | Path) -> None:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("graph", "options", "float_accuracy"),
    [
        ("trained-mnist-snntorch-beta0.875-subtract-T10", ["--reset", "subtract"], 0.9689),
        ("trained-mnist-spikingjelly-LIF-tau2-hard-T10", [], 0.9496),
    ],
)
def test_a_trained_graph_labels_as_its_toolkit_does_and_runs_in_hardware(
    graph: str,
    options: list[str],
    float_accuracy: float,
    data_root: Path,
    tmp_path: Path,
    build_dir: Path,
) -> None:
    file = data_root / "nir" / f"{graph}.nir"
    network, report = tmp_path / "net.safetensors", tmp_path / "report.json"
    data: list[str | Path] = ["--data", "mnist", "--data-root", data_root]
    arguments = ["import", file, *options, "--timesteps", "10", *data, "--out", network, "--json"]
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["agreement"]
    assert found["images"] == 10_000
    # The accuracy that the toolkit itself has, to within a few images that its float32 tips.
    assert found["accuracy"]["float"] == pytest.approx(float_accuracy, abs=2e-4)
    assert found["labels"] >= 0.995
    assert abs(found["accuracy"]["network"] - found["accuracy"]["float"]) <= 0.001
    hidden = next(iter(found["layers"].values()))
    assert hidden["spikes"] <= 0.01
    run("cosim", network, *data, "--limit", "100", "--build-dir", build_dir, "--report", report)
    figures = json.loads(report.read_text())
    assert (figures["images"], figures["differing"]) == (100, 0)


def test_every_other_graph_is_imported_or_refused_in_one_line(
    data_root: Path, tmp_path: Path
) -> None:
    files = sorted((data_root / "nir").rglob("*.nir"))
    assert len(files) > 20
    refused = []
    for file in files:
        for choice in ([], ["--reset", "subtract"], ["--origin", "sinabs"]):
            arguments = ["import", file, *choice, "--timesteps", 10, "--out", tmp_path / "net.st"]
            done = CliRunner().invoke(main, [str(argument) for argument in arguments])
            if done.exit_code == 0:
                break
            lines = done.stderr.strip().splitlines()
            assert (done.exit_code, len(lines)) == (2, 1), done.output
            assert file.name in lines[0]
        else:
            refused.append(file.parent.name)
    assert set(refused) == {"broken"}
