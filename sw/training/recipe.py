"""Recipes: TOML files that say how a model is trained and converted, from beginning to end.

``docs/recipes.md`` explains every key.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikeloom.sw import tables
from spikeloom.sw.coding import Options
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.quantized.initialisation import PERCENTILE, Method
from spikeloom.sw.quantized.prepare import DEFAULT_TIMESTEPS, DEFAULT_WEIGHT_BITS, LayerChoice
from spikeloom.sw.tables import plain, read, require_known, to_toml, values_of
from spikeloom.sw.training.engine import EngineOptions
from spikeloom.sw.training.phases import Phase


@dataclass(frozen=True, kw_only=True)
class ModelPart:
    """Which model is trained.

    Parameters
    ----------
    name : str
        Name of the zoo, or ``FILE.py:NAME``.
    """

    name: str


@dataclass(frozen=True, kw_only=True)
class DataPart:
    """What it is trained on.

    Parameters
    ----------
    name : str
        As for :func:`~spikeloom.sw.datasets.load`.
    root : str
        Folder with the original files; ``""`` if none is needed, or it is named elsewhere.
    validation : float
        Share of the training split that is kept apart, to choose the best epoch by: 0 to below 1.
    limit : int
        Only so many images of the training split, the first; 0 for all.
    bins, highest : int
        For recordings of events: :class:`~spikeloom.sw.datasets.Binning`.

    Raises
    ------
    ConfigError
        If one is out of range.
    """

    name: str
    root: str = ""
    validation: float = 0.1
    limit: int = 0
    bins: int = 8
    highest: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.validation < 1:
            raise ConfigError(f"validation must be from 0 to below 1, not {self.validation}")
        if self.limit < 0:
            raise ConfigError(f"limit must be at least 0, not {self.limit}")


@dataclass(frozen=True, kw_only=True)
class LevelsPart:
    """What the model is prepared with; see :func:`~spikeloom.sw.quantized.prepare`.

    Parameters
    ----------
    timesteps, weight_bits : int or mapping
    learn : str
        How T is learned, ``"t,alpha"`` for instance; ``""`` for not at all.
    """

    timesteps: LayerChoice = DEFAULT_TIMESTEPS
    weight_bits: LayerChoice = DEFAULT_WEIGHT_BITS
    learn: str = ""


@dataclass(frozen=True, kw_only=True)
class InitialisePart:
    """Where thresholds start; see :func:`~spikeloom.sw.quantized.initialise`.

    Parameters
    ----------
    method : str
    percentile : float
    images : int
        How many images of the training split they are taken from.
    staged : int
        Epochs in which each layer, one after the other, is then fitted to the model before it is
        quantized: :func:`~spikeloom.sw.quantized.initialisation.staged`; 0 for none.

    Raises
    ------
    ConfigError
        If one is unknown or out of range.
    """

    method: str = "percentile"
    percentile: float = PERCENTILE
    images: int = 512
    staged: int = 0

    def __post_init__(self) -> None:
        require_known(self.method, Method.kinds, "no method is called")
        Method.kinds[self.method](self.percentile)
        if self.images < 1:
            raise ConfigError(f"images must be at least 1, not {self.images}")
        if self.staged < 0:
            raise ConfigError(f"staged must be at least 0, not {self.staged}")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A model, data, and the phases of its training.

    Parameters
    ----------
    model : ModelPart
    data : DataPart
    levels : LevelsPart
    initialise : InitialisePart
    engine : EngineOptions
    conversion : mapping
        :class:`~spikeloom.sw.coding.Options`, for spiking phases and the network.
    phase : tuple of Phase
        At least one, in order.
    seed : int
        Of the model's first weights, the validation split, and all phases.
    about : str
        What the recipe is for, in a line.

    Raises
    ------
    ConfigError
        If there is no phase, or one cannot come where it stands.
    """

    model: ModelPart
    data: DataPart
    levels: LevelsPart = field(default_factory=LevelsPart)
    initialise: InitialisePart = field(default_factory=InitialisePart)
    engine: EngineOptions = field(default_factory=EngineOptions)
    conversion: Mapping[str, Any] = field(default_factory=dict)
    phase: tuple[Phase, ...]
    seed: int = 0
    about: str = ""

    def __post_init__(self) -> None:
        if not self.phase:
            raise ConfigError("a recipe needs at least one [[phase]]")
        for number, (before, after) in enumerate(
            zip((None, *self.phase), self.phase, strict=False), start=1
        ):
            after.require_place(before, f"phase {number} ({after.kind})")

    def plain(self) -> dict[str, Any]:
        """Return the recipe, with all defaults, as what TOML and JSON know."""
        table: dict[str, Any] = {"about": self.about, "seed": self.seed}
        for name in _PARTS:
            table[name] = plain(getattr(self, name))
        table["conversion"] = plain(self.conversion)
        table["phase"] = [{"kind": phase.kind, **plain(phase)} for phase in self.phase]
        return table

    def to_toml(self) -> str:
        """Return the recipe as a file's text, with all defaults."""
        return to_toml(self.plain())


_PARTS: dict[str, type[Any]] = {
    "model": ModelPart,
    "data": DataPart,
    "levels": LevelsPart,
    "initialise": InitialisePart,
    "engine": EngineOptions,
}


def recipe_of(table: Mapping[str, Any]) -> Recipe:
    """Return the recipe that a file's tables spell.

    Raises
    ------
    ConfigError
        If a key is unknown, missing, of another type or out of range; the message names it.
    """
    known = ("about", "seed", *_PARTS, "conversion", "phase")
    for key in table:
        require_known(key, known, "a recipe has no key")
    values = values_of(
        {key: table[key] for key in ("about", "seed") if key in table},
        {"about": str, "seed": int},
        "recipe",
    )
    if not 0 <= values.get("seed", 0) < math.inf:
        raise ConfigError(f"seed must be at least 0, not {values['seed']}")
    for name, kind in _PARTS.items():
        values[name] = read(kind, table.get(name, {}), name)
    values["conversion"] = values_of(
        table.get("conversion", {}), typing.get_type_hints(Options), "conversion"
    )
    phases = table.get("phase", [])
    if not isinstance(phases, list):
        raise ConfigError("phases are a list: write [[phase]], with two brackets")
    values["phase"] = tuple(_phase(item, number) for number, item in enumerate(phases, start=1))
    return Recipe(**values)


def _phase(table: Any, number: int) -> Phase:
    where = f"phase {number}"
    if not isinstance(table, Mapping) or "kind" not in table:
        raise ConfigError(f"{where} must say 'kind': one of {', '.join(Phase.kinds)}")
    kind = table["kind"]
    require_known(str(kind), Phase.kinds, f"{where}: no kind of phase is called")
    rest = {key: value for key, value in table.items() if key != "kind"}
    return read(Phase.kinds[kind], rest, f"{where} ({kind})")


def load(path: str | Path) -> Recipe:
    """Read a recipe from a file.

    Raises
    ------
    FileFormatError
        If there is no such file, or it is no TOML.
    ConfigError
        As for :func:`recipe_of`; the message names the file, too.
    """
    table = tables.load(path, "recipe")
    try:
        return recipe_of(table)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
