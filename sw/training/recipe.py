"""Recipes: TOML files that describe how a model is trained and converted, from beginning to end.

``docs/recipes.md`` explains every key.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeloom.sw import tables
from spikeloom.sw.coding import Options
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.tables import plain, read, require_known, to_toml, values_of
from spikeloom.sw.training.phases import Phase
from spikeloom.sw.training.settings import OPTIONAL, PARTS, Settings


@dataclass(frozen=True, kw_only=True)
class Recipe(Settings):
    """A model, data, and the phases of its training.

    Parameters
    ----------
    phase : tuple of Phase
        At least one, in the order of training. The other parameters are those of
        :class:`~spikeloom.sw.training.settings.Settings`.

    Raises
    ------
    ConfigError
        If there is no phase, a phase cannot come after the one before it, or a teacher teaches in
        none of them.
    """

    phase: tuple[Phase, ...]

    def __post_init__(self) -> None:
        if not self.phase:
            raise ConfigError("a recipe needs at least one [[phase]]")
        taught = self.teacher is not None or bool(self.model.weights)
        for number, (before, after) in enumerate(
            zip((None, *self.phase), self.phase, strict=False), start=1
        ):
            after.require_place(before, f"phase {number} ({after.kind})", taught)
        if self.teacher is not None and not any(getattr(p, "teacher", False) for p in self.phase):
            raise ConfigError(
                "the recipe has a [teacher] that teaches in no phase: say teacher = true there"
            )

    def plain(self) -> dict[str, Any]:
        """Return the recipe, including defaults, as values that TOML and JSON can hold."""
        phases = [{"kind": phase.kind, **plain(phase)} for phase in self.phase]
        return super().plain() | {"phase": phases}

    def to_toml(self) -> str:
        """Return the text of the recipe's file, including defaults."""
        return to_toml(self.plain())


def recipe_of(table: Mapping[str, Any]) -> Recipe:
    """Build a recipe from the tables of its file.

    Raises
    ------
    ConfigError
        If a key is unknown, missing, of another type or out of range; the message names it.
    """
    known = ("about", "seed", *PARTS, "conversion", "phase")
    for key in table:
        require_known(key, known, "a recipe has no key")
    values = values_of(
        {key: table[key] for key in ("about", "seed") if key in table},
        {"about": str, "seed": int},
        "recipe",
    )
    if not 0 <= values.get("seed", 0) < math.inf:
        raise ConfigError(f"seed must be at least 0, not {values['seed']}")
    for name, kind in PARTS.items():
        if name in table or name not in OPTIONAL:
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


def load(path: str | Path, weights: str | None = None) -> Recipe:
    """Read a recipe from a file.

    Parameters
    ----------
    path : path
    weights : str, optional
        File of the weights to begin with, in place of the recipe's.

    Raises
    ------
    FileFormatError
        If there is no such file, or it is not TOML.
    ConfigError
        As for :func:`recipe_of`; the message names the file, too.
    """
    table = tables.load(path, "recipe")
    if weights is not None and isinstance(table.get("model"), dict):
        table["model"]["weights"] = weights
    try:
        return recipe_of(table)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
