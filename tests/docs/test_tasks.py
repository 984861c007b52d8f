"""``docs/tasks.md``: its Python and its commands run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.models import small
from support.pages import run_commands

PAGE = (Path(__file__).parents[2] / "docs/tasks.md").read_text(encoding="utf-8")
MODEL = """
from torch import nn
def net(outputs):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, outputs))
def one(): return net(1)
def two(): return net(2)
def three(): return net(3)
"""


def test_the_page_s_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    torch.manual_seed(0)
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    assert names["even"].float_accuracy is None
    assert (names["several"].task, names["values"].task) == ("labels", "values")
    assert names["several"].class_names == ("loop", "odd", "large")
    assert names["network"].about["task"].keys() == {"kind", "factor"}
    agreement = names["network"].about["agreement"]
    assert agreement["network_as_prepared"] == agreement["images"] == 600
    printed = capsys.readouterr().out
    assert "tensor([[" in printed
    assert "dtype=torch.float64" in printed


def test_the_page_s_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    digits = small.digits("train").head(200)
    images, labels = np.asarray(digits.images) * np.uint8(17), digits.labels
    np.save("images.npy", images)
    np.savez("even.npz", images=images, labels=labels % 2)
    np.savez(
        "loops.npz", images=images, labels=np.stack([labels > 4, labels % 2 == 1, labels < 3], 1)
    )
    mass = images.reshape(200, -1).mean(1)
    np.savez("values.npz", images=images, labels=np.stack([mass / 255, mass / 99], 1))
    Path("mynet.py").write_text(MODEL)
    printed = run_commands(PAGE)
    assert "balanced accuracy: " in printed[0]
    assert "label 2: accuracy " in printed[1]
    assert "value 1: mean absolute error " in printed[2]
    assert re.search(r"R²: -?\d+\.\d{4}\nvalue 0: mean absolute error", printed[4])
    assert re.search(r"values: \S+,\S+ .* and 180 more", printed[5])
    assert "one logit, whose sign decides between two classes" in " ".join(printed[6].split())
