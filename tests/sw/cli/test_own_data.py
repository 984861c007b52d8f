"""``--data PATH``: every command takes data of the user's own, in each of their forms."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from support.models import small

from spikeloom.sw import network as contract
from spikeloom.sw.cli import board, build, main
from spikeloom.sw.cli.images import ImageOptions
from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets.lazy import LazyImages
from spikeloom.sw.training import checkpoint

MODEL = """
from torch import nn
def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
"""
FUNCTION = """
from spikeloom.sw.datasets import load
def split(split):
    data = load("digits", split).head(120)
    return data.images, data.labels
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with 200 digits in each form, a model's file, and a network."""
    made = tmp_path_factory.mktemp("own")
    data = small.digits("train").head(200)
    images = np.asarray(data.images) * np.uint8(15)
    np.savez(made / "own.npz", images=images, labels=data.labels)
    np.save(made / "own.npy", images)
    np.save(made / "own_labels.npy", data.labels)
    for number, (image, label) in enumerate(zip(images, data.labels, strict=True)):
        path = made / "pictures" / f"digit-{label}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(path)
    (made / "model.py").write_text(MODEL)
    (made / "data.py").write_text(FUNCTION)
    trained = small.trained("digits-mlp")
    contract.save(convert(trained.model, input_bits=8), made / "net.safetensors")
    return made


FORMS = ("own.npz", "own.npy", "pictures", "data.py:split")


@pytest.mark.parametrize("form", FORMS)
def test_train_then_diagnose_and_calibrate(form: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "trained.safetensors"
    options = ("--data", folder / form, "--epochs", 1, "--tune-epochs", 1)
    trained = run("train", f"{folder / 'model.py'}:net", *options, "--out", out)
    assert trained.exit_code == 0, trained.output
    assert f"test images of {folder / form}"[:40] in trained.output.replace("\n", "")
    # The later commands find the data that the model was trained on.
    assert checkpoint.load(out).dataset == str(folder / form)
    measured = run("diagnose", out, "--images", 50, "--json")
    assert json.loads(measured.output)[0]["phase"].startswith("trained.safetensors, 50 training")
    net = tmp_path / "net.safetensors"
    calibrated = run("calibrate", out, "--epochs", 1, "--images", 30, "--test", "--out", net)
    assert calibrated.exit_code == 0, calibrated.output
    assert net.exists()


@pytest.mark.parametrize("form", FORMS)
def test_run_inspect_and_diagnose_a_network(form: str, folder: Path) -> None:
    net, data = folder / "net.safetensors", folder / form
    count = 120 if "split" in form else 40
    ran = run("run", net, "--target", "golden", "--data", data)
    assert ran.exit_code == 0, ran.output
    assert f"{count} images on the golden model" in ran.output
    assert "accuracy: " in ran.output
    inspected = run("inspect", net, "--data", data, "--limit", 7, "--json")
    prediction = json.loads(inspected.output)["prediction"]
    assert (prediction["images"], prediction["data"]) == (7, str(data))
    assert run("diagnose", net, "--data", data, "--images", 20).exit_code in (0, 1)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_images_for_cosim_build_and_board(form: str, folder: Path) -> None:
    network = contract.load(folder / "net.safetensors")
    data = str(folder / form)
    images, labels = ImageOptions(data, limit=5).read(network.input)
    assert labels is not None
    assert np.asarray(images).shape == (5, 1, 8, 8)
    assert np.array_equal(board._images(network, data, None, 5), np.asarray(images))
    built = build._images(network, data, None, 5)
    assert np.array_equal(built.pixels, np.asarray(images))
    assert str(built.source) == f"{data}, the first 5 test images"


def test_images_in_a_file_stay_there(folder: Path) -> None:
    network = contract.load(folder / "net.safetensors")
    data = str(folder / "own.npy")
    for limit, count in ((None, 40), (7, 7), (99, 40)):
        images, labels = ImageOptions(data, limit=limit).read(network.input)
        assert isinstance(images, LazyImages)
        assert labels is not None
        assert len(images) == len(labels) == count


def test_images_without_labels_are_run(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "some.npy", np.load(folder / "own.npy")[:9])
    net = folder / "net.safetensors"
    ran = run("run", net, "--target", "golden", "--data", tmp_path / "some.npy")
    assert "9 images on the golden model" in ran.output
    assert "labels: " in ran.output


VALUES = """
import numpy as np
from torch import nn
def table():
    x = np.random.default_rng(0).integers(0, 256, (60, 4)).astype("uint8")
    return x, x.sum(1).astype(float)  # whole numbers, which could be classes
def net():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
"""


def test_a_table_of_whole_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(VALUES)
    refused = run("data", "own.py:table")
    assert refused.exit_code == 2
    assert "say task='values' if they are real values" in refused.output
    shown = run("data", "own.py:table", "--task", "values")
    assert shown.output.split("\n")[3].split() == ["train", "48", "1", "4x1x1", "8"]
    options = ("--data", "own.py:table", "--epochs", 8, "--tune-epochs", 4)
    trained = run(
        "train", "own.py:net", *options, "--task", "values", "--out", "t.safetensors", "--json"
    )
    content = json.loads(trained.stdout)
    assert content["report"]["r2"] == [pytest.approx(content["accuracy"]["quantized"])]
    converted = run("convert", "t.safetensors", "--out", "net.safetensors")
    assert "checked on 12 test images of own.py:table: the integer network agrees" in (
        converted.output.replace("\n", " ")
    )
    # The network's task is that of the data: for every command, whole numbers are values.
    ran = run("run", "net.safetensors", "--target", "golden", "--data", "own.py:table", "--json")
    found = json.loads(ran.stdout)
    assert np.shape(found["decisions"]) == (12, 1)
    assert found["accuracy"] == pytest.approx(content["accuracy"]["quantized"], abs=1e-3)
    inspected = run("inspect", "net.safetensors", "--data", "own.py:table")
    assert "clock cycles per image, for 12 of own.py:table" in inspected.output
    assert re.search(r"\naccuracy: float -?\d\.\d+, quantized ", inspected.output)
    network = contract.load("net.safetensors")
    assert len(build._images(network, "own.py:table", None, 5).pixels) == 5


@pytest.mark.parametrize("form", FORMS)
def test_the_data_are_shown(form: str, folder: Path) -> None:
    shown = run("data", folder / form)
    assert shown.exit_code == 0, shown.output
    assert ("160" in shown.output) == ("split" not in form)
    assert "1x8x8" in shown.output
    assert ("digit-0, digit-1" in shown.output) == (form == "pictures")


def test_a_recipe_names_a_path_beside_it(folder: Path, tmp_path: Path) -> None:
    recipe = """
    model = { name = "model.py:net" }
    data = { name = "own.npz" }
    engine = { accelerator = "cpu", threads = 1 }
    phase = [{ kind = "quantized", epochs = 1, teacher = false, shift = [0, 1] }]
    """
    (folder / "own.toml").write_text(recipe)
    done = run("train", folder / "own.toml", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "40 test images of own.npz" in done.output
    assert json.loads((tmp_path / "out" / "result.json").read_text())["data"] == "own.npz"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("mnits", "'mnits': did you mean mnist? There are digits, mnist"),
        ("own", "no data set is called 'own': there are digits, mnist"),
        ("none.npz", "the data none.npz do not exist: check the path"),
        ("none/folder", "the data none/folder do not exist: check the path"),
        ("none.py:split", "the data none.py do not exist: check the path"),
    ],
)
def test_names_and_paths_that_do_not_exist(data: str, message: str, tmp_path: Path) -> None:
    refused = run("train", "digits-mlp", "--data", data, "--out", tmp_path / "out.safetensors")
    assert refused.exit_code == 2
    assert message in " ".join(refused.output.split())


def test_augmentation_is_a_default_of_named_data_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def train(*_: Any, **options: Any) -> Any:
        seen.append((options["shift"], options["flip"], options["cutout"]))
        raise KeyboardInterrupt

    monkeypatch.setattr("spikeloom.sw.training.train", train)
    own = ("--data", folder / "own.npz")
    for options in ((), own, (*own, "--shift", "0,2", "--flip", "--cutout", 3)):
        run("train", "digits-mlp", *options, "--out", tmp_path / "out.safetensors")
    assert seen == [(1, False, 0), (0, False, 0), ((0, 2), True, 3)]
