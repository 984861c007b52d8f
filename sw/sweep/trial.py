"""One trial: a training, and what its network takes in hardware; run where a worker is.

What goes in and comes out is JSON values, so that a trial can run in another process.
"""

from __future__ import annotations

import json
import math
import shutil
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spikeloom.sw import datasets, tables
from spikeloom.sw import network as contract
from spikeloom.sw.datasets import Binning, Dataset
from spikeloom.sw.errors import SpikeloomError
from spikeloom.sw.files import write_text
from spikeloom.sw.tables import read
from spikeloom.sw.training.recipe import Recipe, recipe_of
from spikeloom.sw.training.result import NETWORK

#: Files that a trial adds to those of its training.
PLAN, NOTES, ERROR = "plan.json", "notes.txt", "error.txt"


@dataclass(frozen=True)
class Task:
    """All that a worker needs to know of a trial.

    Parameters
    ----------
    number : int
        Number of the trial, from 0.
    recipe : mapping
        As :meth:`~spikeloom.sw.training.recipe.Recipe.plain` returns it.
    hardware : mapping
        Fields of :class:`~spikeloom.sw.sweep.hardware.HardwarePart`.
    holdout : float
        Share of the training images by which trials are compared.
    seed : int
        Seed that chooses these images.
    folder : str
        Folder of the trial.
    beside : str
        Folder of the base recipe.
    data_root : str, optional
        Folder with the data's original files.
    """

    number: int
    recipe: Mapping[str, Any]
    hardware: Mapping[str, Any]
    holdout: float
    seed: int
    folder: str
    beside: str
    data_root: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Answer:
    """What became of a trial.

    Parameters
    ----------
    figures : mapping of str to float, optional
        All objectives by name, if it is complete.
    reason : str
        Why it has failed, in one line.
    """

    figures: Mapping[str, float] | None = None
    reason: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the answer as JSON values."""
        return asdict(self)


def carry_out(task: Task) -> Answer:
    """Train, convert and measure, in the trial's folder; whatever fails becomes the answer.

    A training that was interrupted there goes on after its last complete epoch.
    """
    folder = Path(task.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ERROR).unlink(missing_ok=True)
        figures = _figures(task, folder)
    except SpikeloomError as error:
        return Answer(reason=_line(str(error)))
    except Exception as error:
        # A loss that breaks down, a model's own code, memory that runs out: the study goes on.
        write_text(folder / ERROR, traceback.format_exc())
        return Answer(reason=_line(f"{type(error).__name__}: {error} (see {ERROR} of the trial)"))
    wrong = [name for name, value in figures.items() if not math.isfinite(value)]
    if wrong:
        return Answer(reason=f"{', '.join(wrong)} is no number: the training has diverged")
    return Answer(figures)


def _line(text: str) -> str:
    return " ".join(text.split())


def _figures(task: Task, folder: Path) -> dict[str, float]:
    from spikeloom.hw.prediction import MEASURES
    from spikeloom.sw.sweep.hardware import HardwarePart, measured
    from spikeloom.sw.training.run import run

    recipe = recipe_of(task.recipe)
    part = read(HardwarePart, dict(task.hardware), "hardware")
    beside = Path(task.beside)
    training, held = split(recipe, task.holdout, task.seed, beside, task.data_root)
    with open(folder / NOTES, "a", encoding="utf-8") as notes:
        result = run(
            recipe,
            folder,
            data=training,
            test=held,
            data_root=task.data_root,
            beside=beside,
            cycles=MEASURES,
            progress=False,
            say=lambda text: print(text, file=notes, flush=True),
        )
    assert result is not None, "a trial is a single process"
    network = contract.load(folder / NETWORK)
    figures, choices = measured(network, part, held.head(part.images).images_for(network.input))
    choices.save(folder / PLAN)
    _tidy(folder)
    return {
        "accuracy": result.integer_accuracy,
        "timesteps": float(result.average_timesteps),
        **figures,
    }


def _tidy(folder: Path) -> None:
    """Remove what only an interrupted training needs: it is larger than all the rest."""
    (folder / "last.safetensors").unlink(missing_ok=True)
    for path in folder.glob("phase-*.safetensors"):
        path.unlink()
    shutil.rmtree(folder / "tensorboard", ignore_errors=True)


def images_of(recipe: Recipe, split: str, beside: Path, data_root: str | Path | None) -> Dataset:
    """Return a split of a recipe's data, as its model takes the images."""
    part = recipe.data
    root = data_root or part.root or None
    found = datasets.load(
        part.name, split, root, Binning(part.bins, part.highest), beside, part.task
    )
    if split == "train" and part.limit:
        found = found.head(part.limit)
    return found.described(part.bits, part.mean, part.std)


def split(
    recipe: Recipe, share: float, seed: int, beside: Path, data_root: str | None
) -> tuple[Dataset, Dataset]:
    """Return the images of the training split to train on, and those to compare trials by."""
    return images_of(recipe, "train", beside, data_root).split(share, seed)


def task_of(content: str) -> Task:
    """Return the task in a line of JSON."""
    return tables.read(Task, json.loads(content), "task")
