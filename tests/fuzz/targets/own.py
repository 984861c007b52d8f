"""Readers of Spikeloom's own files, those of hardware apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from fuzz.formats.sealed import Safetensors
from fuzz.formats.texts import Json, Toml
from fuzz.targets.base import Target
from spikeloom.sw import network, sweep
from spikeloom.sw.cli.settings import load_settings
from spikeloom.sw.quantized.prepared import META
from spikeloom.sw.report import Run, add_figures
from spikeloom.sw.report.beside import key_figures
from spikeloom.sw.training import checkpoint, recipe
from spikeloom.sw.training.state import State


class NetworkFile(Target, name="network"):
    """A network, and its digest, for which all of it is walked through."""

    runs = 1_000_000
    format = Safetensors()
    file = "input.safetensors"
    guides = ("spikeloom.sw.network", "spikeloom.sw.documents", "spikeloom.sw.sealed")

    def read(self, path: Path) -> object:
        return network.load(path).digest


class Figures(Target, name="figures"):
    """Figures for a report, and what is made of them before they are drawn."""

    format = Json()
    file = "input.json"
    guides = ("spikeloom.sw.report", "spikeloom.sw.link.manifest", "spikeloom.sw.documents")

    def read(self, path: Path) -> object:
        run = Run("some")
        add_figures(path, run, required=True)
        return run.content(), key_figures(run)


def small_model() -> nn.Module:
    """Return the model that the corpus's trained models are of."""
    return nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))


class TrainedModel(Target, name="model"):
    """A trained model. What is prepared for the same choices is prepared once."""

    format = Safetensors()
    file = "input.safetensors"
    guides = ("spikeloom.sw.training.checkpoint", "spikeloom.sw.quantized", "spikeloom.sw.coding")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.model = small_model()
        self._prepare: Any = vars(checkpoint)["prepare"]
        self._prepared: dict[str, tuple[Any, ...]] = {}

    def read(self, path: Path) -> object:
        # A preparation takes twenty milliseconds, most of them for weights that the file replaces.
        vars(checkpoint)["prepare"] = self._remembered
        try:
            return checkpoint.load(path, self.model)
        finally:
            vars(checkpoint)["prepare"] = self._prepare

    def _remembered(self, model: nn.Module, **choices: Any) -> Any:
        key = repr(choices)
        if key not in self._prepared:
            if len(self._prepared) >= 64:
                self._prepared.clear()
            prepared = self._prepare(model, **choices)
            weights = {name: value.clone() for name, value in prepared.state_dict().items()}
            self._prepared[key] = prepared, dict(prepared.meta[META]), weights
        prepared, meta, weights = self._prepared[key]
        prepared.meta[META] = dict(meta)
        prepared.load_state_dict(weights)
        return prepared


#: The recipe of the corpus's states.
RECIPE: dict[str, Any] = {
    "about": "",
    "seed": 0,
    "data": {"name": "digits", "root": ""},
    "phase": [{"kind": "float", "epochs": 2}, {"kind": "quantized", "epochs": 3}],
}


class TrainingState(Target, name="state"):
    """The state of a training that goes on."""

    format = Safetensors()
    file = "input.safetensors"
    guides = ("spikeloom.sw.training.state", "spikeloom.sw.sealed")

    def read(self, path: Path) -> object:
        return State.load(path, RECIPE)


class SettingsFile(Target, name="settings"):
    """A user's own defaults of options."""

    format = Toml()
    file = "input.toml"
    guides = ("spikeloom.sw.tables", "spikeloom.sw.cli.settings")

    def read(self, path: Path) -> object:
        return load_settings(path).options


class SpaceFile(Target, name="space"):
    """A space of a sweep, whose values are tried in its recipe and hardware."""

    format = Toml()
    file = "input.toml"
    guides = ("spikeloom.sw.tables", "spikeloom.sw.sweep")

    def read(self, path: Path) -> object:
        return sweep.load(path)


class RecipeFile(Target, name="recipe"):
    """A recipe, and the text of it in full, which a training writes."""

    format = Toml()
    file = "input.toml"
    guides = ("spikeloom.sw.tables", "spikeloom.sw.training")

    def read(self, path: Path) -> object:
        return recipe.load(path).to_toml()
