"""A shortened demo: the files it writes, the tables it prints, the accuracy it must reach."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.progress import Progress

from spikeloom.sw import datasets
from spikeloom.sw import network as contract
from spikeloom.sw.cli import main
from spikeloom.sw.cli.common import EPOCHS, TUNE_EPOCHS
from spikeloom.sw.cli.demo import DATA, Demo
from spikeloom.sw.report import Run, read_folder, require_one


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder and the printed text of a demo with less training and few images."""
    out = tmp_path_factory.mktemp("demo")
    short = ["--epochs", "15", "--tune-epochs", "10", "--limit", "90"]
    result = CliRunner().invoke(main, ["demo", "--out", str(out), *short])
    assert result.exit_code == 0, result.output
    return out, result.stdout


def test_report(demo: tuple[Path, str]) -> None:
    report = json.loads((demo[0] / "report.json").read_text())
    accuracy = report["accuracy"]
    assert list(accuracy) == ["float", "quantized", "golden", "hardware"]
    assert accuracy["quantized"] == accuracy["golden"] == accuracy["hardware"]
    assert accuracy["hardware"] > 0.9
    assert accuracy["hardware"] >= accuracy["float"] - 2.5 / 90
    assert report["images"] == 90
    assert report["differing"] == report["stalled"]["differing"] == 0
    assert report["cycles_per_image"] > 0
    for layer in report["layers"]:
        assert {"name", "compared", "differing", "events", "cycles", "utilisation"} <= layer.keys()
        assert (layer["compared"] > 0, layer["differing"]) == (True, 0)
        assert layer["events"] > 1000
        assert 0.8 <= layer["utilisation"] <= 1


@pytest.mark.sweep
def test_hardware_is_within_half_a_point_of_the_float_model(tmp_path: Path) -> None:
    """Other seeds stand for other processors, on which the same seed trains otherwise."""
    test, train = datasets.load(DATA, "test"), datasets.load(DATA, "train")
    losses = []
    for seed in range(12):
        demo = Demo(tmp_path, test, seed)
        with Progress(disable=True) as progress:
            trained = demo.train(train, EPOCHS, TUNE_EPOCHS, progress)
            network = demo.convert(trained, progress)
        golden = demo.golden_accuracy(network)
        assert trained.float_accuracy is not None
        assert trained.float_accuracy > 0.985
        losses.append(trained.float_accuracy - golden)
        print(f"seed {seed}: float {trained.float_accuracy:.2%}, hardware {golden:.2%}")
    assert max(losses) <= 0.005
    assert sum(losses) / len(losses) < 0.002


def test_files(demo: tuple[Path, str]) -> None:
    out, printed = demo
    network = contract.load(out / "network.safetensors")
    sidecar = json.loads((out / "network.json").read_text())
    report = json.loads((out / "report.json").read_text())
    assert sidecar["network"]["digest"] == report["network"]["digest"] == network.digest
    assert f"module {sidecar['top']}" in (out / "network.v").read_text()
    assert [layer["name"] for layer in report["layers"]] == [x.name for x in network.layers]
    for path in out.glob("*.*"):
        assert path.name in printed


def test_the_folder_can_be_shown(demo: tuple[Path, str]) -> None:
    out, printed = demo
    run = Run(str(out))
    read_folder(out, run)
    require_one(run, run.model)
    assert sorted(run.files.values()) == ["demo", "network", "sidecar", "trained model"]
    assert run.trained is not None
    assert run.trained["thresholds"].keys() == {"conv1", "conv2", "conv3"}
    assert printed.splitlines()[-1] == f"see it in the browser: spikeloom report {out}"


def test_tables(demo: tuple[Path, str]) -> None:
    out, printed = demo
    report = json.loads((out / "report.json").read_text())
    percentage = f"{report['accuracy']['hardware']:.2%}".replace("%", " %")
    for model in ("quantized ANN", "integer golden model", "hardware"):
        (line,) = [x for x in printed.splitlines() if x.strip().startswith(f"{model} ")]
        assert line.strip().endswith(percentage)
    assert f"90 images: {report['compared']:,} values compared, 0 differ" in printed
    assert f"{report['cycles_per_image']:,.1f} clock cycles per image" in printed
