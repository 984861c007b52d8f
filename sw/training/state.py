"""Where a training stands, in one file: tensors and JSON, and never a pickle.

The file is replaced as a whole at the end of every epoch, so a process that is killed at any time
leaves the last one or the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.files import read_bytes, require_version
from spikeloom.sw.network.file import METADATA_KEY, read_metadata
from spikeloom.sw.training.checkpoint import save_tensors

__all__ = ["FORMAT", "VERSION", "State", "first_difference"]

FORMAT = "spikeloom-training"
VERSION = 1


@dataclass
class State:
    """Where a training stands.

    Parameters
    ----------
    recipe : mapping
        In full, as :meth:`~spikeloom.sw.training.recipe.Recipe.plain` returns it.
    phase : int
        Number of the phase at hand, from 0.
    loop : mapping or None
        JSON part of the loop's state; None if the phase has not begun.
    best : mapping or None
        About the best epoch of the phase so far.
    history : list of dict
        One record per epoch, of all phases.
    ended : list of dict
        One record for each phase that has ended.
    tensors : dict of str to Tensor
        ``loop.*`` and ``best.*``.
    """

    recipe: Mapping[str, Any]
    phase: int = 0
    loop: Mapping[str, Any] | None = None
    best: Mapping[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the state to ``path``, whole or not at all."""
        header = {key: value for key, value in vars(self).items() if key != "tensors"}
        save_tensors(self.tensors, path, header | {"format": FORMAT, "version": VERSION})

    @classmethod
    def load(cls, path: Path, recipe: Mapping[str, Any]) -> State:
        """Read the state of a training.

        Raises
        ------
        FileFormatError
            If the file is damaged or something else.
        ConfigError
            If it is the training of another recipe; the message names a key that differs.
        """
        content = read_bytes(path, "training state")
        header = read_metadata(content, path, METADATA_KEY)
        require_version(header, path, "state of a training", FORMAT, VERSION)
        known = header["recipe"]
        difference = first_difference(_decisive(known), _decisive(recipe))
        if difference is not None:
            key, before, now = difference
            raise ConfigError(
                f"{path.parent} holds the training of another recipe, where {key} is {before!r} "
                f"and not {now!r}: name another folder, or remove this one"
            )
        fields = {key: header[key] for key in vars(cls({})) if key != "tensors"}
        return cls(**fields, tensors=safetensors.torch.load(content))


def first_difference(before: Any, now: Any, key: str = "it") -> tuple[str, Any, Any] | None:
    """Return the first place where two trees of JSON values differ, and what is there."""
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


def _decisive(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe without what changes nothing: its description, and where the data lie."""
    return {**recipe, "about": "", "data": {**recipe["data"], "root": ""}}
