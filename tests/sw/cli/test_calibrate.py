"""``spikeloom calibrate``: what it prints is what its network does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.models import small

from spikeloom.sw import calibration
from spikeloom.sw import network as contract
from spikeloom.sw.cli import calibrate as module
from spikeloom.sw.cli import main
from spikeloom.sw.conversion import convert
from spikeloom.sw.golden import Golden
from spikeloom.sw.spiking import spiking
from spikeloom.sw.training import Trained, checkpoint

SHORT = ("--epochs", "2", "--images", "64")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "trained.safetensors"
    checkpoint.save(small.trained("digits-mlp"), path)
    return path


def run(trained: Path, *options: str) -> Result:
    out = trained.parent / "net.safetensors"
    out.unlink(missing_ok=True)
    return CliRunner().invoke(main, ["calibrate", str(trained), *options, "--out", str(out)])


def test_choices_are_the_librarys() -> None:
    assert list(calibration.Loss.kinds) == list(module.LOSSES)
    assert list(calibration.Weighting.kinds) == list(module.WEIGHTINGS)
    assert calibration.LEARNABLE == module.LEARNABLE


def test_what_is_printed_is_what_the_network_does(trained: Path) -> None:
    result = run(trained, "--transport", "spikes", "--timesteps", "2", "--test", *SHORT)
    assert result.exit_code == 0, result.output
    network = contract.load(trained.parent / "net.safetensors")
    assert [layer.neuron.kind for layer in network.layers] == ["if", "if", "logits"]
    test = small.digits("test")
    shares = []
    plain = convert(small.trained("digits-mlp").model, transport="spikes", timesteps=2)
    for made in (plain, network):
        labels = Golden(made).run(test.images).labels
        shares.append(f"{float((labels == test.targets()).double().mean()):.2%}")
    (line,) = (line for line in result.stdout.splitlines() if line.strip().startswith("test"))
    assert re.findall(r"[\d.]+(?= %)", line) == [share.rstrip("%") for share in shares]
    assert network.digest != plain.digest


def test_a_model_that_has_its_coding(trained: Path) -> None:
    path = trained.parent / "spiking.safetensors"
    made = small.trained("digits-mlp")
    network = spiking(made.prepared, transport="spikes", timesteps=2, neuron="dual")
    checkpoint.save(Trained(network, made.spec, made.dataset, None, None), path)
    result = run(path, "--per", "layer", "--learn", "start", *SHORT)
    assert result.exit_code == 0, result.output
    kinds = [
        layer.neuron.kind for layer in contract.load(trained.parent / "net.safetensors").layers
    ]
    assert kinds == ["dual", "dual", "logits"]
    result = run(path, "--neuron", "if", *SHORT)
    assert result.exit_code == 2
    assert "was trained with a coding of its own: leave neuron out" in result.stderr
    # And the same of convert: the network that is in the file, but no other coding.
    out = str(trained.parent / "converted.safetensors")
    result = CliRunner().invoke(main, ["convert", str(path), "--out", out])
    assert result.exit_code == 0, result.output
    assert contract.load(out).digest == convert(network).digest
    result = CliRunner().invoke(main, ["convert", str(path), "--timesteps", "3", "--out", out])
    assert result.exit_code == 2
    assert "has its coding already: give timesteps to spiking()" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--learn", "start,bias"), "can learn start, threshold, negative, weights, not 'bias'"),
        (("--neuron", "first=if,dual"), "'dual' is no layer=kind"),
        (("--validation", "1"), "not in the range 0<x<1"),
        (("--epochs", "0"), "epochs must be at least 1, not 0"),
    ],
)
def test_options_that_cannot_be_met(trained: Path, options: tuple[str, ...], message: str) -> None:
    result = run(trained, *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (trained.parent / "net.safetensors").exists()


def test_spikes_and_the_data_of_the_training_are_the_defaults(trained: Path) -> None:
    result = run(trained, *SHORT)
    assert result.exit_code == 0, result.output
    assert "integer network, digits" in result.stdout
    network = contract.load(trained.parent / "net.safetensors")
    assert [c.transport for c in network.layers[1].connections] == ["spikes"]


def test_a_model_without_data_asks_for_some(trained: Path) -> None:
    made = small.trained("digits-mlp")
    path = trained.parent / "unknown.safetensors"
    checkpoint.save(Trained(made.model, made.spec, "", None, None), path)
    result = run(path, *SHORT)
    assert result.exit_code == 2
    assert "does not say what it was trained on: choose images with --data" in result.stderr
