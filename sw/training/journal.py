"""Journal of a training: the files that record its progress, all in one folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor, nn

from spikeloom.sw.files import read_bytes, write_text
from spikeloom.sw.network.file import METADATA_KEY, read_metadata
from spikeloom.sw.tables import to_toml
from spikeloom.sw.training.checkpoint import save_tensors
from spikeloom.sw.training.engine import Engine
from spikeloom.sw.training.log import Log
from spikeloom.sw.training.state import State

RECIPE, STATE = "recipe.toml", "last.safetensors"


class Journal:
    """State, log and finished phases of a training, in its folder.

    Every process has a journal, but only the first one writes files.

    Parameters
    ----------
    folder : Path
    recipe : mapping
        As :meth:`~spikeloom.sw.training.recipe.Recipe.plain` returns it.
    engine : Engine
    weights : mapping of str to str, optional
        SHA-256 of each file of weights that the recipe names.

    Attributes
    ----------
    state : State
    """

    def __init__(
        self,
        folder: Path,
        recipe: Mapping[str, Any],
        engine: Engine,
        weights: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.recipe, self.engine = folder, recipe, engine
        self.state = State(recipe, weights=weights)
        self._log: Log | None = None

    def open(self, say: Callable[[str], object]) -> None:
        """Load the state from the folder, if there is one, and open the log.

        Parameters
        ----------
        say : callable
            Told how much was done before.

        Raises
        ------
        FileFormatError, ConfigError
            If the folder holds a damaged state, or the training of another recipe or with other
            weights.
        """
        path = self.folder / STATE
        self.engine.barrier()  # nobody writes before all have looked
        if path.exists():
            self.state = State.load(path, self.recipe, self.state.weights)
        self.engine.barrier()
        if self.engine.first:
            write_text(self.folder / RECIPE, to_toml(self.recipe))
            self._log = Log(self.folder, self.state.history)
            done = len(self.state.history)
            if done:
                say(f"going on in {self.folder} after {done} epochs")

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()

    @property
    def heading(self) -> str:
        """Number, from 1, and kind of the current phase: ``"1 float"``."""
        return f"{self.state.phase + 1} {self._kind(self.state.phase)}"

    def add(self, record: Mapping[str, Any], *, save: bool = False) -> None:
        """Add an epoch of the current phase to the history and the log.

        Parameters
        ----------
        record : mapping of str to JSON values
        save : bool
            Whether the state is written, too.
        """
        number = self.state.phase
        line = {"phase": number + 1, "kind": self._kind(number), **record}
        self.state.history.append(line)
        if self.engine.first:
            if save:
                self.state.save(self.folder / STATE)
            assert self._log is not None, "it is opened before the first phase"
            self._log.add(line)

    def of_phase(self) -> list[dict[str, Any]]:
        """Return the records of the current phase, epoch by epoch."""
        number = self.state.phase + 1
        return [record for record in self.state.history if record["phase"] == number]

    def end_phase(self, model: nn.Module) -> None:
        """Write the model at the end of the current phase, and go on to the next phase."""
        state, number = self.state, self.state.phase
        kind = self._kind(number)
        state.ended.append({"kind": kind, "epochs": len(self.of_phase()), "best": state.best})
        if self.engine.first:
            about = {"format": "spikeloom-phase", "phase": number + 1, "kind": kind}
            save_tensors(model.state_dict(), self._file(number), about)
        state.begin_phase(number + 1)
        if self.engine.first:
            state.save(self.folder / STATE)
        self.engine.barrier()

    def saved(self, number: int) -> dict[str, Tensor]:
        """Return the state dict of the model at the end of a phase, whose number is from 0."""
        content = read_bytes(self._file(number), "model of a phase")
        read_metadata(content, self._file(number), METADATA_KEY)  # or it is damaged
        return safetensors.torch.load(content)

    def _kind(self, number: int) -> str:
        return str(self.recipe["phase"][number]["kind"])

    def _file(self, number: int) -> Path:
        return self.folder / f"phase-{number + 1}-{self._kind(number)}.safetensors"
