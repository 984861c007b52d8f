"""The log: lines of JSON, and curves that TensorBoard can read."""

from __future__ import annotations

import json
from pathlib import Path

from spikeloom.sw.training.log import Log


def test_lines_are_added_to_those_of_earlier_epochs(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("an epoch that was lost\n")
    log = Log(tmp_path, [{"epoch": 0, "loss": 2.0}])
    log.add({"epoch": 1, "loss": 1.0, "kind": "float"})
    log.close()
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"epoch": 0, "loss": 2.0},
        {"epoch": 1, "loss": 1.0, "kind": "float"},
    ]


def test_numbers_become_curves(tmp_path: Path) -> None:
    log = Log(tmp_path, [])
    log.add(
        {
            "phase": 1,
            "loss": 0.5,
            "timesteps": {"conv1": 4},
            "health": [{"name": "conv1", "rate": 0.25, "gradient": None}],
        }
    )
    log.close()
    (events,) = (tmp_path / "tensorboard").iterdir()
    content = events.read_bytes()
    for name in (b"loss", b"timesteps/conv1", b"health/rate/conv1"):
        assert name in content
    assert b"phase" not in content
    assert b"gradient" not in content
