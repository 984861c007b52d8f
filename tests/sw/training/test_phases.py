"""Phases: their kinds, and their rehearsal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.models import small
from torch import fx

from spikeloom.sw import models
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.spiking import SpikingNetwork, SpikingNeuron
from spikeloom.sw.training import fitting
from spikeloom.sw.training import trainer as module
from spikeloom.sw.training.engine import Engine
from spikeloom.sw.training.journal import Journal
from spikeloom.sw.training.phases import CalibratePhase, FloatPhase, Phase, QuantizedPhase
from spikeloom.sw.training.settings import DataPart, InitialisePart, ModelPart, Settings
from spikeloom.sw.training.trainer import Trainer


def trainer(folder: Path, **parts: Any) -> Trainer:
    settings = Settings(model=ModelPart(name="digits-mlp"), data=DataPart(name="digits"), **parts)
    data, journal = small.digits("train").head(64), Journal(folder, {"phase": []}, Engine())
    return Trainer(settings, Engine(), data, None, journal, None, None, print)


def test_kinds_in_the_order_of_a_models_forms() -> None:
    assert list(Phase.kinds) == ["float", "quantized", "spiking", "calibrate"]
    forms = [kind.form for kind in Phase.kinds.values()]
    assert forms == sorted(forms)


def test_a_rehearsal_does_no_warm_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    given: list[int] = []
    real = fitting.prepare_for

    def prepare_for(*args: Any, **options: Any) -> fx.GraphModule:
        given.append(options["warmup"])
        return real(*args, **options | {"warmup": 0})

    monkeypatch.setattr(module, "prepare_for", prepare_for)
    real_one = trainer(tmp_path, initialise=InitialisePart(staged=3))
    phase, model = QuantizedPhase(epochs=1), models.build("digits-mlp")
    rehearsal = real_one.for_rehearsal()
    assert isinstance(phase.rehearse(model, rehearsal), fx.GraphModule)
    assert rehearsal.start.keys() == {"fc1", "fc2"}
    assert real_one.start == {}
    phase.enter(model, real_one)
    assert given == [0, 3]
    assert real_one.start == rehearsal.start


def test_penalties_are_rehearsed(tmp_path: Path) -> None:
    phase = QuantizedPhase(epochs=1, penalties={"timesteps": {"target": 3}})
    with pytest.raises(ConfigError, match="'timesteps' steers timesteps that are learned"):
        phase.rehearse(models.build("digits-mlp"), trainer(tmp_path))
    FloatPhase(epochs=1).rehearse(models.build("digits-mlp"), trainer(tmp_path))


@pytest.mark.parametrize("learn", [("start",), ("weights",)])
def test_a_calibration_frees_its_neurons_in_rehearsal(
    tmp_path: Path, learn: tuple[str, ...]
) -> None:
    chosen = trainer(tmp_path, conversion={"transport": "spikes"})
    network = CalibratePhase(learn=learn).rehearse(models.build("digits-mlp"), chosen)
    assert isinstance(network, SpikingNetwork)
    neurons = [n for n in network.neurons.values() if isinstance(n, SpikingNeuron)]
    assert len(neurons) == 2
    assert all((n.start_share is not None) == ("start" in learn) for n in neurons)
