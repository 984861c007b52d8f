"""Spaces of small sweeps: trainings of a second or less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spikeloom.sw.sweep import Space, space_of

RECIPE = """
[model]
name = "digits-mlp"

[data]
name = "digits"
limit = 200
validation = 0.2

[engine]
accelerator = "cpu"
threads = 1

[[phase]]
kind = "float"
epochs = 1

[[phase]]
kind = "quantized"
epochs = 1
"""

#: Weights of 20 bits do not exist, which shows only when the model is prepared.
TABLE: dict[str, Any] = {
    "recipe": "base.toml",
    "objectives": ["accuracy", "cycles", "luts"],
    "trials": 6,
    "sampler": "random",
    "space": {
        "levels": {"timesteps": {"low": 1, "high": 4}, "weight_bits": [4, 8, 20]},
        "hardware": {"budget": [8, 16, 64]},
    },
}


def small(folder: Path, **changes: Any) -> Space:
    """Return a space, some of whose keys are changed, after writing its recipe to a folder."""
    (folder / "base.toml").write_text(RECIPE, encoding="utf-8")
    return space_of({**TABLE, **changes}, folder)
