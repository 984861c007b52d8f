"""``spikeloom import`` and ``spikeloom export``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from support import nir

from spikeloom.sw.cli import importing, main
from spikeloom.sw.importing.importer import CALIBRATION
from spikeloom.sw.importing.origins import RESETS
from spikeloom.sw.importing.toolkits import Origin
from spikeloom.sw.network import Burst, DirectInput, SpikeInput, load


def run(*arguments: str | Path | int) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A graph as SpikingJelly writes it, for 8x8 images."""
    rng = np.random.default_rng(0)
    tree = nir.chain(
        nir.affine(rng.normal(0, 0.3, (10, 64))),
        nir.leaky(10, 2e-4, 1.0),
        shape=(64,),
        first="input_1",
    )
    return nir.write(tmp_path / "net.nir", tree)


def test_the_choices_are_those_that_there_are() -> None:
    assert tuple(Origin.kinds) == importing.ORIGINS
    assert tuple(RESETS) == importing.RESETS
    assert importing.CALIBRATION == CALIBRATION


def test_a_data_set_is_fitted_to_and_compared_on(digits: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    options: list[str | Path | int] = ["--timesteps", 4, "--data", "digits", "--out", out]
    options += ["--limit", 50]
    done = run("import", digits, *options)
    assert done.exit_code == 0, done.output
    assert "origin: spikingjelly: inputs have the names" in done.stdout
    assert "50 images: " in done.stdout
    assert "accuracy: float " in done.stdout
    network = load(out)
    assert network.input == DirectInput((1, 8, 8), 5)
    assert network.about["imported"]["from"] == "net.nir"
    found = json.loads(run("import", digits, *options, "--json").stdout)
    assert found["digest"] == network.digest
    assert [layer["neuron"] for layer in found["layers"]] == ["if", "logits"]
    assert found["layers"][0]["leak_error"] == 0
    assert found["agreement"]["images"] == 50
    assert found["agreement"]["labels"] > 0.9
    assert 0 <= found["agreement"]["accuracy"]["float"] <= 1


def test_images_of_one_s_own(digits: Path, tmp_path: Path) -> None:
    images, labels = tmp_path / "images.npz", tmp_path / "labels.npy"
    rng = np.random.default_rng(1)
    np.savez(images, images=rng.integers(0, 2, (20, 4, 64)))
    np.save(labels, np.zeros(20, int))
    out = tmp_path / "net.safetensors"
    done = run(
        *("import", digits, "--timesteps", 4, "--images", images, "--labels", labels),
        *("--limit", 9, "--out", out, "--name", "mine"),
    )
    assert done.exit_code == 0, done.output
    assert "9 images: " in done.stdout
    assert (load(out).name, load(out).input) == ("mine", SpikeInput((64,), 4))
    np.savez(images, pixels=np.zeros((2, 64), int), labels=np.zeros(2, int))
    done = run("import", digits, "--timesteps", 4, "--images", images, "--out", out)
    assert (done.exit_code, "call the array 'images'" in done.stderr) == (2, True)


def test_events_through_convolutions_and_sum_pools_become_bursts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tree = nir.chain(
        nir.conv(rng.normal(0, 0.5, (4, 2, 3, 3)), padding=np.array([1, 1])),
        nir.fire((4, 8, 8)),
        nir.pool("SumPool2d", 2),
        nir.conv(rng.normal(0, 0.5, (3, 4, 3, 3))),
        nir.fire((3, 2, 2)),
        {"type": "Flatten", "start_dim": np.int64(0), "end_dim": np.int64(-1)},
        nir.affine(rng.normal(0, 0.5, (5, 12))),
        nir.fire(5),
        shape=(2, 8, 8),
    )
    images = tmp_path / "events.npy"
    np.save(images, rng.integers(0, 3, (30, 6, 2, 8, 8)))
    out = tmp_path / "net.safetensors"
    path = nir.write(tmp_path / "events.nir", tree)
    done = run("import", path, "--timesteps", 6, "--images", images, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["assumed"]["origin"].startswith("sinabs: r = 1 and sum-pools")
    network = load(out)
    assert network.input == SpikeInput((2, 8, 8), 6, 2)
    assert all(isinstance(layer.neuron, Burst) for layer in network.layers[:-1])
    assert network.layers[1].connections[0].pool is not None
    assert found["agreement"]["labels"] > 0.8
    assert found["agreement"]["layers"]["layer1"]["spikes"] < 0.02


def test_export_and_import_are_inverse(tmp_path: Path) -> None:
    done = run("export", "digits-conv", "--out", tmp_path / "net.nir", "--json")
    assert done.exit_code == 0, done.output
    digest = json.loads(done.stdout)["digest"]
    out = tmp_path / "again.safetensors"
    done = run("import", tmp_path / "net.nir", "--out", out)
    assert "origin: spikeloom" in done.stdout
    assert load(out).digest == digest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import", "net.pth", "--out", "x"), "its name ends in none of .nir"),
        (("import", "none.nir", "--out", "x"), "none.nir does not exist"),
        (("export", "digits-conv", "--out", "net.onnx"), "must end in .nir"),
        (("import", "net.nir", "--out", "x"), "give timesteps (--timesteps)"),
        (("import", "net.nir", "--data", "digits", "--out", "x"), "give --timesteps"),
        (("import", "net.nir", "--input-shape", "a", "--out", "x"), "a shape is"),
    ],
)
def test_bad_input_is_one_line(
    arguments: tuple[str, ...], message: str, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(digits.parent)
    done = run(*arguments)
    assert done.exit_code == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
