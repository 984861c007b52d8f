"""Spaces: TOML files that say what a sweep varies, for which objectives.

``docs/sweep.md`` explains every key.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikeloom.sw import recipes, tables
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.sweep.hardware import HardwarePart
from spikeloom.sw.sweep.objectives import OBJECTIVES
from spikeloom.sw.sweep.parameters import EXAMPLE, Parameter, parameters_of
from spikeloom.sw.tables import plain, read, require_known, values_of
from spikeloom.sw.training.recipe import Recipe, recipe_of

SAMPLERS = ("tpe", "nsga2", "random")
#: First word of the names of parameters that choose hardware; all others are keys of the recipe.
HARDWARE = "hardware"
#: Limits that no sweep which ends comes near to.
_MOST_TRIALS, _MOST_PARAMETERS = 1_000_000, 256


@dataclass(frozen=True, kw_only=True)
class Space:
    """What a sweep varies, for which objectives.

    Parameters
    ----------
    recipe : str
        Name of one of Spikeloom's recipes, or a recipe's file.
    base : mapping
        The tables of that recipe, with the fixed keys.
    beside : Path
        Folder of the recipe's file, in which its own files are looked for.
    parameters : tuple of Choices or Span
    hardware : mapping
        Keys of :class:`~spikeloom.sw.sweep.hardware.HardwarePart` that all trials share.
    fixed : mapping of str to Any
        Keys of the recipe that all trials share, with dots between their parts.
    objectives : tuple of str
        Names in :data:`~spikeloom.sw.sweep.objectives.OBJECTIVES`.
    trials : int
        Number of trials of the whole study.
    seed : int
        Seed of the sampler, and of the images that are held out.
    sampler : str
        One of :data:`SAMPLERS`.
    holdout : float
        Share of the training images by which trials are compared; none is trained with them.
    about : str
        The purpose, in one line.

    Raises
    ------
    ConfigError
        If a value is out of range, or a parameter has a value that the recipe or the hardware
        refuses.
    """

    recipe: str
    base: Mapping[str, Any]
    beside: Path
    parameters: tuple[Parameter, ...]
    hardware: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    objectives: tuple[str, ...] = ("accuracy", "cycles")
    trials: int = 100
    seed: int = 0
    sampler: str = "tpe"
    holdout: float = 0.2
    about: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.trials <= _MOST_TRIALS:
            raise ConfigError(f"trials must be from 1 to {_MOST_TRIALS:,}, not {self.trials}")
        if not 0 <= self.seed < 1 << 32:
            raise ConfigError(f"seed must be from 0 to 2^32 - 1, not {self.seed}")
        if not 0 < self.holdout < 1:
            raise ConfigError(
                f"holdout must be above 0 and below 1, not {self.holdout}: the share of the "
                f"training images by which trials are compared"
            )
        require_known(self.sampler, SAMPLERS, "no sampler is called")
        for name in self.objectives:
            require_known(name, OBJECTIVES, "no objective is called")
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            raise ConfigError(f"objectives must be names, each once, not {list(self.objectives)}")
        if not 1 <= len(self.parameters) <= _MOST_PARAMETERS:
            raise ConfigError(
                f"[space] has {len(self.parameters)} parameters: give 1 to {_MOST_PARAMETERS}, "
                f"each {EXAMPLE}"
            )
        self._require_apart()
        shared = self._recipe_of({})
        if shared.engine.devices != 1:
            raise ConfigError(
                f"engine.devices is {shared.engine.devices}, but trials run side by side, each on "
                f"one: put engine.devices = 1 in [fixed]"
            )
        read(HardwarePart, dict(self.hardware), HARDWARE)
        for parameter in self.parameters:
            for value in parameter.samples():
                try:
                    self.chosen({parameter.name: value})
                except ConfigError as error:
                    shown = f"space.{parameter.name} with the value {value!r}"
                    raise ConfigError(f"{shown}: {error}") from None

    def _require_apart(self) -> None:
        """Require that no key is part of another, of which one would undo the other."""
        names = [*(x.name for x in self.parameters), *self.fixed]
        names += [f"{HARDWARE}.{key}" for key in self.hardware]
        for number, name in enumerate(names):
            for other in names[:number]:
                if f"{name}.".startswith(f"{other}.") or f"{other}.".startswith(f"{name}."):
                    raise ConfigError(
                        f"{other!r} and {name!r} set the same key, in [space], [fixed] or "
                        f"[hardware]: remove one of them"
                    )

    def chosen(self, values: Mapping[str, Any]) -> tuple[Recipe, HardwarePart]:
        """Return the recipe and the choice of hardware for values of some parameters.

        Parameters
        ----------
        values : mapping of str to Any
            Values as TOML holds them, by the parameters' names.

        Raises
        ------
        ConfigError
            If the recipe or the hardware refuses them.
        """
        hardware = deepcopy(dict(self.hardware))
        rest = {}
        for name, value in values.items():
            first, _, key = name.partition(".")
            if first == HARDWARE:
                _set(hardware, key, value)
            else:
                rest[name] = value
        return self._recipe_of(rest), read(HardwarePart, hardware, HARDWARE)

    def _recipe_of(self, values: Mapping[str, Any]) -> Recipe:
        table = deepcopy(dict(self.base))
        for name, value in (*self.fixed.items(), *values.items()):
            _set(table, name, value)
        return recipe_of(table)

    def plain(self) -> dict[str, Any]:
        """Return the space, including defaults, as values that TOML and JSON can hold."""
        return {
            "about": self.about,
            "recipe": self.recipe,
            "objectives": list(self.objectives),
            "trials": self.trials,
            "seed": self.seed,
            "sampler": self.sampler,
            "holdout": self.holdout,
            HARDWARE: plain(self.hardware),
            "fixed": plain(self.fixed),
            "space": {parameter.name: parameter.plain() for parameter in self.parameters},
        }


def load(path: str | Path) -> Space:
    """Read a space from a file.

    Parameters
    ----------
    path : path

    Raises
    ------
    FileFormatError
        If there is no such file or recipe, or it is not TOML.
    ConfigError
        If a key is unknown, missing, of another type or out of range; the message names the file
        and the key.
    """
    table = tables.load(path, "space")
    try:
        return space_of(table, Path(path).parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def space_of(table: Mapping[str, Any], folder: Path) -> Space:
    """Build a space from the tables of its file.

    Parameters
    ----------
    table : mapping
    folder : Path
        Folder in which the recipe's file is looked for before the working directory.

    Raises
    ------
    FileFormatError, ConfigError
        As for :func:`load`.
    """
    hints = typing.get_type_hints(Space)
    scalars = {
        name: hints[name]
        for name in (*("recipe", "objectives", "trials", "seed", "sampler", "holdout", "about"),)
    }
    inner = (HARDWARE, "fixed", "space")
    for key in table:
        require_known(key, (*scalars, *inner), "a space has no key")
    for key in inner:
        if not isinstance(table.get(key, {}), Mapping):
            raise ConfigError(f"{key} must be a table, [{key}], not {table[key]!r}")
    values = values_of({k: v for k, v in table.items() if k in scalars}, scalars, "the space")
    if "recipe" not in values:
        raise ConfigError("a space must say 'recipe': the name of a recipe, or its file")
    own = folder / values["recipe"]
    path = own if own.suffix == recipes.SUFFIX and own.is_file() else recipes.find(values["recipe"])
    return Space(
        **values,
        base=tables.load(path, "recipe"),
        beside=path.parent.absolute(),
        hardware=dict(table.get(HARDWARE, {})),
        fixed=dict(_flat(table.get("fixed", {}))),
        # In an order that does not depend on how tables are written.
        parameters=tuple(sorted(parameters_of(table.get("space", {})), key=lambda x: x.name)),
    )


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested tables, by their keys with dots between the parts."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _set(table: dict[str, Any], name: str, value: Any) -> None:
    """Set a key of nested tables; a number or text on the way becomes the default of its layers.

    Raises
    ------
    ConfigError
        If it names a phase that is not there.
    """
    first, *rest = name.split(".")
    if not rest:
        table[first] = deepcopy(value)
        return
    inner = table.setdefault(first, {})
    if first == "phase" and isinstance(inner, list):
        for phase in _phases(inner, rest[0], name):
            _set(phase, ".".join(rest[1:]), value)
        return
    if not isinstance(inner, dict):
        inner = table[first] = {"default": inner}
    _set(inner, ".".join(rest), value)


def _phases(phases: list[Any], which: str, name: str) -> list[dict[str, Any]]:
    """Return the phases that a key such as ``phase.2.lr`` or ``phase.float.lr`` is for."""
    chosen = [
        phase
        for number, phase in enumerate(phases, start=1)
        if isinstance(phase, dict) and which in (str(number), phase.get("kind"))
    ]
    if not chosen or name.count(".") < 2:
        kinds = [str(phase.get("kind")) for phase in phases if isinstance(phase, dict)]
        raise ConfigError(
            f"{name!r} names no key of a phase: write phase, a number or a kind, and the key, as "
            f"in phase.1.lr or phase.quantized.lr; the recipe's phases are {', '.join(kinds)}"
        )
    return chosen
