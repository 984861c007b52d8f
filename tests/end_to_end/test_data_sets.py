"""The commands on full-size data sets, read from their original files (``make test-data``)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from spikeloom.sw import datasets, models
from spikeloom.sw import network as contract
from spikeloom.sw.cli import main
from spikeloom.sw.conversion import convert
from spikeloom.sw.golden import Golden
from spikeloom.sw.quantized import initialise, prepare
from spikeloom.sw.quantized.prepared import META
from spikeloom.sw.recipes import find
from spikeloom.sw.training.loop import Loop
from spikeloom.sw.training.phases import QuantizedPhase
from spikeloom.sw.training.recipe import load
from spikeloom.sw.training.run import run

pytestmark = pytest.mark.data

MODEL = """
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 8, 5, stride=2),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(144, 10),
        )
"""


@pytest.mark.parametrize(("name", "least"), [("mnist", 0.9), ("fashion-mnist", 0.65)])
def test_from_original_files_to_equal_hardware(
    name: str, least: float, data_root: Path, tmp_path: Path, build_dir: Path
) -> None:
    (tmp_path / "mynet.py").write_text(MODEL)
    data = ["--data", name, "--data-root", str(data_root / name)]
    trained, network, report = (str(tmp_path / x) for x in ("t.safetensors", "n.st", "r.json"))
    short = ["--epochs", "2", "--tune-epochs", "1", "--limit", "6000"]
    options = ["--limit", "100", "--build-dir", str(build_dir), "--report", report]
    for arguments in (
        ["train", f"{tmp_path}/mynet.py:Net", *data, *short, "--out", trained],
        ["convert", trained, "--out", network],
        ["cosim", network, *data, *options],
    ):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
    figures = json.loads(Path(report).read_text())
    assert (figures["images"], figures["differing"]) == (100, 0)
    assert figures["accuracy"] > least
    # 12x12 windows of the first layer, pooled: the map is larger than the digits'.
    assert figures["layers"][0]["compared"] == 100 * 8 * 12 * 12 * 9


#: Images per class in the training and the test split; None if classes differ.
COUNTS = {"mnist": (None, None), "fashion-mnist": (6000, 1000), "cifar10": (5000, 1000)}
SHAPES = {"mnist": (1, 28, 28), "fashion-mnist": (1, 28, 28), "cifar10": (3, 32, 32)}


@pytest.mark.parametrize("name", COUNTS)
def test_the_published_files(name: str, data_root: Path) -> None:
    for split, total, each in zip(datasets.SPLITS, (None, 10_000), COUNTS[name], strict=True):
        data = datasets.load(name, split, data_root)
        assert len(data) == (total or (50_000 if name == "cifar10" else 60_000))
        assert (data.shape, data.bits, data.classes) == (SHAPES[name], 8, 10)
        assert (int(data.images.min()), int(data.images.max())) == (0, 255)
        counts = np.bincount(data.labels, minlength=10)
        assert counts.tolist() == [each] * 10 if each else counts.min() > 800
    result = CliRunner().invoke(main, ["data", name, "--data-root", str(data_root)])
    assert result.exit_code == 0, result.output
    assert "all files are as published" in result.output


def test_photographs_split_for_validation(data_root: Path) -> None:
    training, validation = datasets.load("cifar10", "train", data_root).split(0.1, seed=0)
    assert np.bincount(training.labels).tolist() == [4500] * 10
    assert np.bincount(validation.labels).tolist() == [500] * 10
    images, targets = validation.batch(slice(64))
    assert images.shape == (64, 3, 32, 32)
    assert targets.tolist() == validation.labels[:64].tolist()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("net4", "fashion-mnist"),
        ("net4-leaky", "fashion-mnist"),
        ("vgg9", "cifar10"),
        ("vgg11", "cifar10"),
        ("vgg16", "cifar10"),
        ("resnet18", "cifar10"),
    ],
)
def test_large_models_keep_their_labels_when_converted(
    name: str, data: str, data_root: Path
) -> None:
    test = datasets.load(data, "test", data_root).head(16)
    torch.manual_seed(0)
    prepared = prepare(models.build(name), input_shape=test.shape, timesteps=2)
    prepared.meta[META] |= {"input_bits": test.bits, "input_scale": test.scale}
    initialise(prepared, test.inputs())
    network = convert(prepared.eval(), transport="count")
    logits = prepared.double()(test.batch(dtype=torch.float64)[0])
    assert logits.std() > 0
    assert Golden(network).run(test.images).labels.tolist() == logits.argmax(1).tolist()


def test_a_public_resnet_is_tuned_by_another_one_and_gone_on_with(
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The committed recipe, with few images and one short epoch in each of its phases."""
    chosen = load(find("cifar10-resnet20-public"))
    assert isinstance(chosen.phase[0], QuantizedPhase)
    phases = [replace(p, epochs=1, batch_size=16) for p in chosen.phase]  # type: ignore[type-var]
    chosen = replace(
        chosen,
        data=replace(chosen.data, limit=160),
        initialise=replace(chosen.initialise, images=64),
        phase=tuple(phases),
    )
    real, test = datasets.load, {}

    def few(name: str, split: str, *rest: Any) -> Any:
        found = real(name, split, *rest)
        if split == "test":
            found = test["images"] = found.head(64)
        return found

    monkeypatch.setattr(datasets, "load", few)
    steps, step = 0, Loop.epoch

    def broken(self: Loop) -> Any:
        nonlocal steps
        steps += 1
        if steps == 2:
            raise KeyboardInterrupt
        return step(self)

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "epoch", broken)
        with pytest.raises(KeyboardInterrupt):
            run(chosen, tmp_path, data_root=data_root)
    said: list[str] = []
    result = run(chosen, tmp_path, data_root=data_root, say=said.append)
    assert result is not None
    assert said[0] == f"going on in {tmp_path} after 1 epochs"
    assert set(result.weights) == {"model", "teacher"}
    # 91.78 % are published for ResNet-20 on the whole split.
    assert result.float_accuracy is not None
    assert result.float_accuracy > 0.85
    assert result.differing_labels == 0
    assert result.integer_accuracy > 0.5
    assert contract.load(tmp_path / "network.safetensors").digest == result.network
