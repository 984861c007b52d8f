"""``docs/own-data.md``: its Python, its commands and its recipe run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from support.models import small
from support.pages import run_commands

from spikeloom.sw.datasets import load
from spikeloom.sw.training.recipe import load as load_recipe

PAGE = (Path(__file__).parents[2] / "docs/own-data.md").read_text(encoding="utf-8")
MODEL = """
from torch import nn
def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
"""
FUNCTION = """
import numpy as np
def split(split):
    return np.load("images.npy"), np.load("labels.npy")
"""


class Recordings:
    """Recordings as a data set of tonic's has them: of an edge that moves left, or right."""

    sensor_size: ClassVar[tuple[int, int, int]] = (8, 8, 2)

    def __init__(self) -> None:
        self.targets = [0, 1] * 20

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Any:
        events = np.zeros(64, [("x", int), ("y", int), ("t", int), ("p", int)])
        events["t"], events["y"] = np.arange(64) * 100, np.arange(64) % 8
        events["x"] = np.arange(64) // 8 if self.targets[index] else 7 - np.arange(64) // 8
        return events, self.targets[index]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the files that the page names, which is the current one, too."""
    data = small.digits("train").head(200)
    images = np.asarray(data.images) * np.uint8(15)
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", data.labels)
    np.savez(tmp_path / "digits.npz", images=images, labels=data.labels)
    for number, (image, label) in enumerate(zip(images, data.labels, strict=True)):
        path = tmp_path / "pictures" / str(label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(path)
    (tmp_path / "mynet.py").write_text(MODEL)
    (tmp_path / "mydata.py").write_text(FUNCTION)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_the_page_s_python_runs() -> None:
    arrays, torch_data, described, mapped, events = blocks("python")
    names: dict[str, Any] = {"recordings": Recordings()}
    torch.manual_seed(0)
    for block in (arrays, torch_data, mapped):
        assert len([line for line in block.splitlines() if line.strip()]) <= 12
        exec(block, names)
        assert names["trained"].dataset == {torch_data: "Subset"}.get(block, "own data")
        assert (names["trained"].quantized_accuracy is None) == (block == mapped)
    assert names["network"].classes == 10
    exec(described, names)
    network = names["network"]
    assert network.input.zero == (82,)  # as the comment in it says
    agreement = network.about["agreement"]
    assert agreement["images"] == agreement["network_as_prepared"] == 50
    assert agreement["prepared_as_float"] > 25
    assert names["few"].bits == 4
    assert 13 < names["few"].images.max() <= 15
    assert names["signal"].range().low == -32768
    convert = names["convert"]
    assert convert(names["prepared"]).input == network.input
    exec(events, names)
    assert names["network"].input.steps == 4
    assert names["network"].classes == 2


@pytest.mark.usefixtures("folder")
def test_the_page_s_commands_run() -> None:
    printed = run_commands(PAGE)
    assert "40 images on the golden model" in printed[2]
    assert "accuracy: " in printed[2]


def test_the_page_s_recipe_names_its_data(folder: Path) -> None:
    (table,) = blocks("toml")
    rest = '[model]\nname = "mynet.py:net"\n[[phase]]\nkind = "float"\nepochs = 1\n'
    (folder / "mine.toml").write_text(table + rest)
    name = load_recipe("mine.toml").data.name
    assert len(load(name, "test")) == 40
