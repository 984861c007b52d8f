"""A recipe with all that phases through time can have, from learned thresholds to integers."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch

from spikeloom.sw.conversion import convert
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.training import checkpoint
from spikeloom.sw.training.recipe import Recipe, recipe_of
from spikeloom.sw.training.run import run


def recipe(model: str = "digits-mlp", **parts: Any) -> Recipe:
    table = {
        "model": {"name": model},
        "data": {"name": "digits", "limit": 200},
        "engine": {"accelerator": "cpu", "threads": 1},
    }
    return recipe_of(table | parts)


def test_negative_thresholds_surrogates_and_penalties_of_spiking_phases(tmp_path: Path) -> None:
    quantized = {"kind": "quantized", "epochs": 1, "penalties": {"clipping": {"weight": 1e-3}}}
    spiking = {
        "kind": "spiking",
        "epochs": 1,
        "surrogate": "sigmoid",
        "kappa": [5, 8],
        "kappa_epochs": [0, 1],
        "penalties": {"clipping": {"weight": 1e-3}, "variance": {"share": 0.1}},
    }
    layer_by_layer = {
        "kind": "calibrate",
        "epochs": 1,
        "images": 64,
        "weighting": "layerwise",
        "learn": ["threshold", "negative"],
        "alpha": 0.5,
    }
    chosen = recipe(
        "digits-leaky",
        data={"name": "digits", "limit": 200},
        levels={"timesteps": 2, "learn_negative": True},
        conversion={"transport": "spikes"},
        phase=[{"kind": "float", "epochs": 1}, quantized, spiking, layer_by_layer],
    )
    assert recipe_of(tomllib.loads(chosen.to_toml())) == chosen
    result = run(chosen, tmp_path, say=lambda text: None)
    assert result is not None
    assert result.differing_spiking_labels == 0
    lines = [json.loads(x) for x in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert set(lines[2]["penalties"]) == {"clipping_penalty", "variance_penalty"}
    tensors = safetensors.torch.load_file(tmp_path / "phase-2-quantized.safetensors")
    learned = [name for name in tensors if name.endswith("log_negative")]
    assert len(learned) == 3
    trained = checkpoint.load(tmp_path / "trained.safetensors")
    assert convert(trained.model, name="digits-leaky").digest == result.network
    for options, message in (
        ({"surrogate": "sigmoid"}, "surrogate are for phases through time, of kind 'spiking' or"),
        ({"alpha": 0.5, "beta": 2}, "alpha, beta are for phases through time"),
    ):
        with pytest.raises(ConfigError, match=message):
            recipe(phase=[{"kind": "float", "epochs": 1, **options}])
    with pytest.raises(ConfigError, match="penalty 'timesteps' is for phases of kind quantized"):
        recipe(
            phase=[
                {"kind": "float", "epochs": 1},
                {"kind": "spiking", "epochs": 1, "penalties": {"timesteps": {}}},
            ]
        )
