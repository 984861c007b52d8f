"""The commands on full-size data sets, read from their original files (``make test-data``)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from spikeloom.sw.cli import main

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
