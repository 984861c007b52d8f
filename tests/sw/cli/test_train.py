"""``spikeloom train`` with a recipe."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from spikeloom.sw import network as contract
from spikeloom.sw.cli import main
from spikeloom.sw.cli.common import ZOO
from spikeloom.sw.network import DirectInput
from spikeloom.sw.recipes import committed

SHORT = """
[model]
name = "digits-mlp"
[data]
name = "digits"
limit = 300
[engine]
accelerator = "cpu"
threads = 1
[[phase]]
kind = "float"
epochs = 1
"""


def invoke(*arguments: str | int | Path) -> Result:
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


@pytest.fixture
def short(tmp_path: Path) -> Path:
    path = tmp_path / "short.toml"
    path.write_text(SHORT)
    return path


def test_recipes_are_listed() -> None:
    listing = invoke("--recipes")
    assert listing.exit_code == 0
    assert all(name in listing.output for name in committed())
    assert "digits-conv on the embedded digits" in listing.output


def test_a_recipe_is_carried_out_and_taken_up_again(tmp_path: Path, short: Path) -> None:
    out = tmp_path / "out"
    done = invoke(short, "--seed", 3, "--out", out)
    assert done.exit_code == 0, done.output
    assert "0 labels of the integer network differ from the quantized ANN's" in done.output
    assert "average T = 4.00: fc1=4, fc2=4" in done.output
    assert f"wrote {out}" in done.output
    assert json.loads((out / "result.json").read_text())["seed"] == 3
    again = invoke(short, "--seed", 3, "--out", out)
    assert "going on in" in again.output
    other = invoke(short, "--out", out)
    assert other.exit_code == 2
    assert "another recipe, where seed is 3 and not 0" in other.output


def test_what_a_recipe_says_is_not_said_beside_it(tmp_path: Path, short: Path) -> None:
    refused = invoke(short, "--lr", "1", "--tune-epochs", "2", "--out", tmp_path / "out")
    assert refused.exit_code == 2
    assert "--lr, --tune-epochs cannot be given beside a recipe" in refused.output
    refused = invoke(short, "--out", short)
    assert "short.toml is a file: a recipe writes into a folder" in refused.output


def test_names_that_are_no_recipes(tmp_path: Path) -> None:
    refused = invoke("none.toml", "--out", tmp_path / "out")
    assert refused.exit_code == 2
    assert "recipe none.toml does not exist" in refused.output
    # A name of the zoo is a model's, though there is a recipe of that name.
    assert "digits-conv" in committed()
    assert "digits-conv" in ZOO
    refused = invoke("digits-conv", "--out", tmp_path)
    assert "is a folder: name the file to write the model to" in refused.output
    # Of the others there are recipes, which are found without their ending.
    refused = invoke("mnist-lenet5", "--out", tmp_path / "out")
    assert "mnist does not come with Spikeloom" in refused.output


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


@pytest.mark.parametrize("option", ["--mean", "--std"])
def test_means_that_are_none(option: str, tmp_path: Path) -> None:
    refused = invoke("digits-mlp", option, "0.5,x", "--out", tmp_path / "out.safetensors")
    assert refused.exit_code == 2
    assert f"{option} must be one number, or one for each channel as in 0.485" in refused.output
    refused = invoke("digits-mlp", option, "0.5,0.6", "--out", tmp_path / "out.safetensors")
    assert refused.exit_code == 2
    assert "the images have 1 channels, but their pixels have 2" in refused.output


def test_a_recipe_normalises(tmp_path: Path, short: Path) -> None:
    text = SHORT.replace("limit = 300", "limit = 300\nbits = 4\nmean = [0.3]\nstd = [0.4]")
    short.write_text(text)
    done = invoke(short, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "0 labels of the integer network differ from the quantized ANN's" in done.output
    network = contract.load(tmp_path / "out" / "network.safetensors")
    assert network.input.zeros != (0,)


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
