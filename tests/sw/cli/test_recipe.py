"""``spikeloom train`` with a recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from spikeloom.sw import network as contract
from spikeloom.sw.cli import main
from spikeloom.sw.cli.common import ZOO
from spikeloom.sw.recipes import committed
from spikeloom.sw.report import Run, read_folder

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
    assert done.output.endswith(f"wrote {out}\nsee it in the browser: spikeloom report {out}\n")
    shown = Run(str(out))
    read_folder(out, shown)
    assert sorted(shown.files.values()) == ["log", "network", "result", "trained model"]
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


def test_a_recipe_normalises(tmp_path: Path, short: Path) -> None:
    text = SHORT.replace("limit = 300", "limit = 300\nbits = 4\nmean = [0.3]\nstd = [0.4]")
    short.write_text(text)
    done = invoke(short, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "0 labels of the integer network differ from the quantized ANN's" in done.output
    network = contract.load(tmp_path / "out" / "network.safetensors")
    assert network.input.zeros != (0,)
