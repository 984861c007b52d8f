"""The files that record the progress of a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.training.engine import Engine
from spikeloom.sw.training.journal import Journal

RECIPE: dict[str, Any] = {
    "seed": 0,
    "data": {"name": "digits", "root": ""},
    "phase": [{"kind": "float"}, {"kind": "quantized"}],
}


def opened(folder: Path, said: list[str] | None = None) -> Journal:
    journal = Journal(folder, RECIPE, Engine())
    journal.open(lambda text: (said if said is not None else []).append(str(text)))
    return journal


def test_an_epoch_is_recorded_with_its_phase(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    assert journal.heading == "1 float"
    journal.add({"epoch": 0, "loss": 0.5})
    journal.close()
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line) == {"phase": 1, "kind": "float", "epoch": 0, "loss": 0.5}
    assert journal.of_phase() == [json.loads(line)]


def test_a_phase_ends_with_its_model(tmp_path: Path) -> None:
    journal, model = opened(tmp_path), nn.Linear(2, 2)
    journal.add({"epoch": 0}, save=True)
    journal.state.best, journal.state.best_tensors = {"epoch": 0}, {"a": torch.ones(1)}
    journal.end_phase(model)
    journal.close()
    assert (journal.heading, journal.of_phase()) == ("2 quantized", [])
    saved = journal.saved(0)
    assert saved.keys() == model.state_dict().keys()
    assert all(torch.equal(saved[key], value) for key, value in model.state_dict().items())
    with pytest.raises(FileFormatError, match=r"model of a phase .*phase-2-quantized"):
        journal.saved(1)

    said: list[str] = []
    again = opened(tmp_path, said)
    again.close()
    assert said == [f"going on in {tmp_path} after 1 epochs"]
    assert vars(again.state) == vars(journal.state)
    assert again.state.ended == [{"kind": "float", "epochs": 1, "best": {"epoch": 0}}]
    assert again.state.best_tensors == {}


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    engine = Engine()
    engine.rank = 1
    journal = Journal(tmp_path, RECIPE, engine)
    journal.open(print)
    journal.add({"epoch": 0}, save=True)
    journal.end_phase(nn.Linear(2, 2))
    journal.close()
    assert journal.heading == "2 quantized"
    assert not list(tmp_path.iterdir())


def test_a_damaged_model_of_a_phase_is_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path, RECIPE, Engine())
    journal.open(print)
    journal.end_phase(nn.Linear(2, 2))
    journal.close()
    (path,) = tmp_path.glob("phase-1-*")
    assert set(journal.saved(0)) == {"weight", "bias"}
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"phase-1-float\.safetensors is damaged"):
        journal.saved(0)
