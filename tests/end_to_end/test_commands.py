"""The commands in sequence, each on the files that the one before it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from spikeloom.sw import datasets
from spikeloom.sw import network as contract
from spikeloom.sw.cli import main

MODEL = """
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 4, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 10),
        )


class Peaks(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 10)
        )
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def succeed(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def error_of(*arguments: str | Path) -> str:
    """Run a command that must fail with one line and no traceback; return that line."""
    result = run(*arguments)
    assert isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert result.stderr.startswith("error: ")
    return result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, briefly trained, then converted, and its generated Verilog."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "mynet.py").write_text(MODEL)
    trained, network = folder / "trained.safetensors", folder / "net.safetensors"
    few = ("--epochs", "1", "--tune-epochs", "1", "--limit", "200", "--timesteps", "3")
    printed = succeed("train", f"{folder}/mynet.py:Net", *few, "--out", trained)
    assert "quantized ANN" in printed
    assert f"wrote {trained}" in printed
    printed = succeed("convert", trained, "--out", network)
    assert "layer_0 (ladder, T=3)" in printed
    taps = ("--debug", "--counters", "--lanes", "layer_0=3", "--events", "layer_4=2")
    printed = succeed("generate", network, "--out", folder / "net.v", *taps)
    assert "spikeloom_accelerator" in printed
    return folder


def test_the_network_is_as_trained(folder: Path) -> None:
    summary = json.loads(succeed("inspect", folder / "net.safetensors", "--json"))
    first, last = summary["layers"]
    assert (first["shape"], first["timesteps"], first["neuron"]["kind"]) == ([4, 4, 4], 3, "ladder")
    assert first["connections"][0]["synapses"]["stride"] == [2, 2]
    assert last["connections"][0]["pool"] == {"kind": "sum", "size": [2, 2]}
    assert summary["input"] == {"kind": "direct", "shape": [1, 8, 8], "bits": 5}


def test_generating_again_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    taps = ("--debug", "--counters", "--lanes", "layer_0=3", "--events", "layer_4=2")
    succeed("generate", folder / "net.safetensors", "--out", tmp_path / "again.v", *taps)
    for end in (".v", ".json"):
        again = (tmp_path / "again.v").with_suffix(end).read_bytes()
        assert again == (folder / "net.v").with_suffix(end).read_bytes()


def test_cosim_simulates_the_generated_verilog(folder: Path, build_dir: Path) -> None:
    report = folder / "report.json"
    options = ("--data", "digits", "--limit", "6", "--report", report, "--build-dir", build_dir)
    printed = succeed("cosim", folder / "net.safetensors", "--verilog", folder / "net.v", *options)
    assert "6 images" in printed
    assert ", 0 differ" in printed
    assert "accuracy of the hardware" in printed
    figures = json.loads(report.read_text())
    assert (figures["images"], figures["differing"]) == (6, 0)
    first, last = figures["layers"]
    # 4x4x4 neurons, 3 timesteps, 6 images: spikes and potentials of each step, and one count.
    assert first["compared"] == 6 * 64 * (3 + 3 + 1)
    assert last["compared"] == 6 * 10 * 3
    assert first["cycles"] > 0


def test_own_images_with_stalls(folder: Path, build_dir: Path) -> None:
    digits = datasets.load("digits", "test").head(3)
    np.save(folder / "mine.npy", digits.images[:, 0])
    np.save(folder / "labels.npy", digits.labels)
    network, verilog = folder / "net.safetensors", folder / "net.v"
    mine = ("--images", folder / "mine.npy", "--labels", folder / "labels.npy")
    hardware = ("--verilog", verilog, "--build-dir", build_dir, "--stalls", "0.4,0.2")
    printed = succeed("cosim", network, *mine, *hardware)
    assert "3 images, stalls 0.4 in, 0.2 out" in printed
    assert ", 0 differ" in printed
    assert "cycles per image" not in printed


def test_a_difference_is_named_and_fails(folder: Path, build_dir: Path) -> None:
    network = contract.load(folder / "net.safetensors")
    first = network.layers[0]
    weight = first.connections[0].synapses.weight.copy()
    weight[2, 0, 1, 1] += 1
    synapses = contract.Conv2d(weight, stride=(2, 2), padding=(1, 1))
    connection = contract.Connection(contract.INPUT, "count", synapses)
    other = contract.Network(
        network.input,
        (contract.Layer(first.name, 3, first.neuron, (connection,)), network.layers[1]),
        name=network.name,
    )
    contract.save(other, folder / "other.safetensors")
    options = ("--data", "digits", "--limit", "2", "--build-dir", build_dir)

    message = error_of(
        "cosim", folder / "other.safetensors", "--verilog", folder / "net.v", *options
    )
    assert "generated from another network" in message

    sidecar = json.loads((folder / "net.json").read_text())
    sidecar["network"]["digest"] = other.digest
    (folder / "forged.json").write_text(json.dumps(sidecar))
    (folder / "forged.v").write_text((folder / "net.v").read_text())
    result = run("cosim", folder / "other.safetensors", "--verilog", folder / "forged.v", *options)
    assert result.exit_code == 1, result.stderr
    assert "first: image 0, layer layer_0, timestep 0, neuron (channel, y, x) = (2, " in (
        result.stdout
    )


def test_spikes_instead_of_counts(folder: Path, tmp_path: Path) -> None:
    network = tmp_path / "spikes.safetensors"
    options = ("--transport", "spikes", "--timesteps", "5", "--name", "spiking")
    succeed("convert", folder / "trained.safetensors", *options, "--out", network)
    loaded = contract.load(network)
    assert loaded.name == "spiking"
    assert [(x.neuron.kind, x.timesteps) for x in loaded.layers] == [("if", 5), ("logits", 5)]
    assert loaded.layers[1].connections[0].transport == "spikes"


def test_untrained_max_pools_have_no_spike_transport(folder: Path, tmp_path: Path) -> None:
    trained, network = tmp_path / "peaks.safetensors", tmp_path / "net.safetensors"
    none = ("--epochs", "0", "--tune-epochs", "0", "--limit", "20")
    succeed("train", f"{folder}/mynet.py:Peaks", *none, "--out", trained)
    message = error_of("convert", trained, "--transport", "spikes", "--out", network)
    assert "max-pool" in message
    assert not network.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("convert", "{net}", "--out", "x"), "is no trained model"),
        (("convert", "{folder}/none", "--out", "x"), "does not exist"),
        (("inspect", "{trained}"), "is no network file"),
        (
            ("convert", "{trained}", "--transport", "spikes", "--neuron", "ladder", "--out", "x"),
            "'ladder' neurons take no spikes transport",
        ),
        (("generate", "{net}", "--out", "x.v", "--lanes", "conv=2"), "the network's layers are"),
        (("generate", "{net}", "--out", "x.v", "--lanes", "two"), "lanes must be a number"),
        (("generate", "{net}", "--out", "x.v", "--events", "0"), "events must be"),
        (("generate", "{net}", "--out", "{folder}/net.v/x.v"), "cannot write"),
        (("cosim", "{net}"), "Give either --data or --images"),
        (("cosim", "{net}", "--data", "digits", "--images", "x"), "either --data or --images"),
        (("cosim", "{net}", "--data", "digits", "--labels", "x"), "--labels are for --images"),
        (("cosim", "{net}", "--data", "mnist"), "name the folder"),
        (("cosim", "{net}", "--data", "digits", "--stalls", "much"), "one probability from"),
        (
            ("cosim", "{net}", "--data", "digits", "--stalls", "1.5"),
            "from 0 to 0.99, or two as in 0.2,0.5, not '1.5'",
        ),
        (
            ("cosim", "{net}", "--data", "digits", "--verilog", "x", "--lanes", "2"),
            "leave out --lanes",
        ),
        (("cosim", "{net}", "--data", "digits", "--verilog", "x.v"), "x.v does not exist"),
        (("cosim", "{net}", "--images", "x.npy"), "x.npy does not exist"),
        (("cosim", "{net}", "--images", "{wide}"), "have shape (2, 1, 9, 8)"),
        (("cosim", "{net}", "--images", "{bright}"), "pixels from 0 to 32"),
        (("cosim", "{net}", "--images", "{real}"), "must be integers, not float64"),
        (("cosim", "{net}", "--images", "{net}"), "must be a .npy or .npz file"),
        (
            ("cosim", "{net}", "--images", "{few}", "--labels", "{few}"),
            "must hold 2 integers, one for",
        ),
        (("cosim", "{net}", "--images", "{few}", "--labels", "{net}"), "no .npy file"),
        (("train", "digits-mlp", "--weight-bits", "1", "--out", "x"), "weight"),
        (("train", "digits-mlp", "--timesteps", "0", "--out", "x"), "timesteps must be"),
        (("train", "digits-mlp", "--timesteps", "fc9=2", "--out", "x"), "'fc9'"),
        (("train", "digits-mlp", "--data", "mnist", "--data-root", "/x", "--out", "x"), "exist"),
    ],
)
def test_bad_input_is_reported(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    arrays = {
        "wide": np.zeros((2, 1, 9, 8), np.int64),
        "bright": np.array([0, 32]).repeat(64).reshape(2, 1, 8, 8),
        "real": np.zeros((2, 1, 8, 8)),
        "few": np.zeros((2, 1, 8, 8), np.int64),
    }
    names: dict[str, Path] = {
        "folder": folder,
        "net": folder / "net.safetensors",
        "trained": folder / "trained.safetensors",
    }
    for name, array in arrays.items():
        names[name] = tmp_path / f"{name}.npy"
        np.save(names[name], array)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    error = error_of(*(argument.format(**names) for argument in arguments))
    assert message in error, error
    assert list(work.rglob("*.*")) == [], "a failing command must leave no file"
