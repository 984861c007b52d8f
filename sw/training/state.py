"""State of an unfinished training in one file: tensors and JSON, and never a pickle.

The file is replaced as a whole at the end of every epoch. A process that is killed at any time
leaves the state after its last complete epoch, or after the one before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.files import read_bytes, require_version
from spikeloom.sw.network.file import METADATA_KEY, read_metadata
from spikeloom.sw.training.checkpoint import save_tensors

__all__ = ["FORMAT", "VERSION", "State", "first_difference", "part_of", "prefixed"]

FORMAT = "spikeloom-training"
VERSION = 1
#: Fields of a state that its file holds as JSON; the others are tensors.
_HEADER: dict[str, Any] = {
    "recipe": dict,
    "weights": dict | None,
    "phase": int,
    "loop": dict | None,
    "best": dict | None,
    "history": list,
    "ended": list,
}
#: Fields that older states do not have, with the value that stands for them.
_LATER: dict[str, Any] = {"weights": None}


@dataclass
class State:
    """State of a training: its progress, and all that is needed to continue.

    Parameters
    ----------
    recipe : mapping
        In full, as :meth:`~spikeloom.sw.training.recipe.Recipe.plain` returns it.
    phase : int
        Number of the current phase, from 0.
    loop : mapping or None
        JSON part of the loop's state; None if the phase has not begun.
    best : mapping or None
        The best epoch of the phase so far: the fields of
        :class:`~spikeloom.sw.training.best.Best`.
    history : list of dict
        One record per epoch, of all phases.
    ended : list of dict
        One record for each phase that has ended.
    loop_tensors : dict of str to Tensor
        Tensors of the loop's state, ``loop.*`` in the file.
    best_tensors : dict of str to Tensor
        The model after its best epoch, ``best.*`` in the file.
    weights : mapping of str to str, or None
        SHA-256 of each file of weights that the recipe names, by the part that names it.
    """

    recipe: Mapping[str, Any]
    phase: int = 0
    loop: Mapping[str, Any] | None = None
    best: Mapping[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)
    loop_tensors: dict[str, Tensor] = field(default_factory=dict)
    best_tensors: dict[str, Tensor] = field(default_factory=dict)
    weights: Mapping[str, str] | None = None

    def save(self, path: Path) -> None:
        """Write the state to ``path``, whole or not at all."""
        header = {name: getattr(self, name) for name in _HEADER}
        tensors = prefixed(self.loop_tensors, "loop") | prefixed(self.best_tensors, "best")
        save_tensors(tensors, path, header | {"format": FORMAT, "version": VERSION})

    @classmethod
    def load(
        cls, path: Path, recipe: Mapping[str, Any], weights: Mapping[str, str] | None = None
    ) -> State:
        """Read the state of a training.

        Parameters
        ----------
        path : Path
        recipe : mapping
            The recipe that is to be gone on with, in full. It may have other phases than before
            from the first one on that has not begun.
        weights : mapping of str to str, optional
            The digests of its files of weights.

        Raises
        ------
        FileFormatError
            If the file is damaged or something else.
        ConfigError
            If it is the training of another recipe, or began with another file of weights; the
            message names a key that differs.
        """
        content = read_bytes(path, "training state")
        header = read_metadata(content, path, METADATA_KEY)
        require_version(header, path, "state of a training", FORMAT, VERSION)
        header = _LATER | header
        whole = header.keys() >= _HEADER.keys() and all(
            isinstance(header[name], kind) for name, kind in _HEADER.items()
        )
        if not (
            whole
            and isinstance(header["recipe"].get("data"), dict)
            and _are_digests(header["weights"] or {})
        ):
            raise FileFormatError(
                f"{path} is a damaged state of a training: name another folder, or remove it"
            )
        # Phases that have not begun may change, and others may follow.
        begun = header["phase"] + (header["loop"] is not None)
        difference = first_difference(_decisive(header["recipe"], begun), _decisive(recipe, begun))
        if difference is not None:
            key, before, now = difference
            raise ConfigError(
                f"{path.parent} holds the training of another recipe, where {key} is {before!r} "
                f"and not {now!r}: name another folder, or remove this one"
            )
        began = header["weights"] or {}
        for part in sorted({*began, *(weights or {})}):
            before, now = began.get(part, "none"), (weights or {}).get(part, "none")
            if before != now:
                raise ConfigError(
                    f"{path.parent} holds a training with another file of weights for [{part}], of "
                    f"the SHA-256 {before:.16} and not {now:.16}: name another folder, or bring "
                    f"the file back"
                )
        tensors = safetensors.torch.load(content)
        return cls(
            **{name: header[name] for name in _HEADER} | {"recipe": recipe},
            loop_tensors=part_of(tensors, "loop"),
            best_tensors=part_of(tensors, "best"),
        )

    def begin_phase(self, number: int) -> None:
        """Make a phase the current one, with nothing done yet."""
        self.phase, self.loop, self.best = number, None, None
        self.loop_tensors, self.best_tensors = {}, {}


def _are_digests(weights: Mapping[str, Any]) -> bool:
    """Return whether these are digests of files of weights, by the tables that name the files."""
    return all(
        name.isidentifier() and isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest)
        for name, digest in weights.items()
    )


def first_difference(before: Any, now: Any, key: str = "it") -> tuple[str, Any, Any] | None:
    """Return the first key at which two trees of JSON values differ, and the two values there."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        pairs = [(name, before.get(name), now.get(name)) for name in sorted({*before, *now})]
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = [(str(i), *both) for i, both in enumerate(zip(before, now, strict=True), 1)]
    else:
        return None if before == now else (key, before, now)
    for name, old, new in pairs:
        found = first_difference(old, new, name if key == "it" else f"{key}.{name}")
        if found is not None:
            return found
    return None


def prefixed(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors under ``name.`` and their own names."""
    return {f"{name}.{key}": value for key, value in tensors.items()}


def part_of(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``name.``, under the rest of their names."""
    begin = f"{name}."
    return {k.removeprefix(begin): v for k, v in tensors.items() if k.startswith(begin)}


def _decisive(recipe: Mapping[str, Any], begun: int) -> dict[str, Any]:
    """Return a recipe without the keys that change nothing of the phases that have begun.

    These are its description, the data's root, the names of files of weights, which are known by
    their digests, and all later phases.
    """
    left = {**recipe, "about": "", "data": {**recipe["data"], "root": ""}}
    if isinstance(left.get("phase"), list):
        left["phase"] = left["phase"][:begun]
    for part in ("model", "teacher"):
        if isinstance(left.get(part), Mapping):
            left[part] = {**left[part], "weights": None}
    return left
