"""``spikeloom train`` with a model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from spikeloom.sw import datasets, models
from spikeloom.sw import network as contract
from spikeloom.sw.cli import main
from spikeloom.sw.network import DirectInput
from spikeloom.sw.training import evaluate


def invoke(*arguments: str | int | Path) -> Result:
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


@pytest.mark.parametrize("shift", ["-1", "1,2,3", "a", "1.5", ""])
def test_shifts_that_are_none(shift: str, tmp_path: Path) -> None:
    refused = invoke("digits-mlp", "--shift", shift, "--out", tmp_path / "out.safetensors")
    assert refused.exit_code == 2
    assert "--shift must be one number of pixels, or two for rows and columns" in refused.output


def call(*arguments: str | Path) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_normalised_images_of_few_bits_from_training_to_the_golden_model(tmp_path: Path) -> None:
    """Raw images go into every command; each of them knows by the files how they are meant."""
    trained, net = tmp_path / "trained.safetensors", tmp_path / "net.safetensors"
    data = ("--mean", "0.3", "--std", "0.4", "--input-bits", "3")
    short = ("--epochs", "2", "--tune-epochs", "2", "--limit", "400")
    told = call("train", "digits-mlp", *data, *short, "--out", trained)
    quantized = re.search(r"quantized ANN ([\d.]+)", told)
    checked = call("convert", trained, "--out", net)
    assert "checked on 64 test images of digits: the integer network agrees with the" in checked
    assert "on 64 of 64 images; 0 of" in checked
    network = contract.load(net)
    # The largest of 5 bits, 31, is 31/16, and so a step of 3 bits 31/16/7: 0.3 is 1.08 of them.
    assert network.input == DirectInput((1, 8, 8), 3, zero=1)
    ran = call("run", net, "--target", "golden", "--data", "digits")
    accuracy = re.search(r"accuracy: ([\d.]+)", ran)
    assert quantized is not None
    assert accuracy is not None
    assert float(accuracy[1]) == pytest.approx(float(quantized[1]), abs=0.01)
    assert "training images of digits" in call("diagnose", trained)
    few = ("--epochs", "1", "--images", "64")
    call("calibrate", trained, *few, "--out", tmp_path / "calibrated.safetensors")


def test_the_json_is_all_that_is_printed(tmp_path: Path) -> None:
    none = ("--epochs", 0, "--tune-epochs", 0, "--limit", 300, "--json")
    done = invoke("digits-mlp", *none, "--out", tmp_path / "out.safetensors")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["images"] == 360


@pytest.mark.parametrize("option", ["--mean", "--std"])
def test_means_that_are_none(option: str, tmp_path: Path) -> None:
    refused = invoke("digits-mlp", option, "0.5,x", "--out", tmp_path / "out.safetensors")
    assert refused.exit_code == 2
    assert f"{option} must be one number, or one for each channel as in 0.485" in refused.output
    refused = invoke("digits-mlp", option, "0.5,0.6", "--out", tmp_path / "out.safetensors")
    assert refused.exit_code == 2
    assert "the images have 1 channels, but their pixels have 2" in refused.output


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("digits-con", "no model is called 'digits-con': did you mean digits-conv? The zoo has "),
        ("cifar10-resnet20-cp", "called 'cifar10-resnet20-cp': did you mean cifar10-resnet20-cpu?"),
        ("speech", "no model is called 'speech': the zoo has "),
        ("digits-con.toml", "recipe digits-con.toml does not exist: did you mean digits-conv? "),
    ],
)
def test_a_mistyped_model_or_recipe_is_told_the_nearest(target: str, message: str) -> None:
    result = CliRunner().invoke(main, ["train", target, "--out", "never"])
    assert result.exit_code == 2
    assert message in result.stderr


def test_weights_to_begin_with(tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = models.build("digits-mlp")
    torch.save({"state_dict": model.state_dict()}, tmp_path / "w.pth")
    short = ("--tune-epochs", 0, "--limit", 300, "--weights", tmp_path / "w.pth", "--json")
    done = invoke("digits-mlp", *short, "--out", tmp_path / "out.safetensors")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    # No float phase was asked for, so the float model is the one of the file.
    assert found["accuracy"]["float"] == evaluate(model.eval(), datasets.load("digits", "test"))
    assert len(found["weights"]) == 64
    done = invoke("digits-mlp", *short, "--epochs", 1, "--out", tmp_path / "out.safetensors")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["accuracy"]["float"] != found["accuracy"]["float"]
    refused = invoke("digits-conv", *short, "--out", tmp_path / "out.safetensors")
    assert refused.exit_code == 2
    assert "w.pth does not fit the model digits-conv. the file lacks: " in refused.output
    recipe = (
        '[model]\nname = "digits-mlp"\n[data]\nname = "digits"\nlimit = 200\n'
        '[[phase]]\nkind = "quantized"\nepochs = 1\n'
    )
    (tmp_path / "r.toml").write_text(recipe)
    arguments = (tmp_path / "r.toml", "--out", tmp_path / "run")
    refused = invoke(*arguments)
    assert refused.exit_code == 2
    assert "no phase before it that could teach it" in refused.output
    call("train", *arguments, "--weights", tmp_path / "w.pth")
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["weights"] == {"model": found["weights"]}
    assert result["float_accuracy"] == found["accuracy"]["float"]
