"""Training by a recipe: phase after phase, in a folder from which it can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from spikeloom.sw import datasets
from spikeloom.sw.datasets import Binning, DataLike, Dataset, as_dataset
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.graph import without_end
from spikeloom.sw.locks import locked
from spikeloom.sw.models.spec import build_model
from spikeloom.sw.progress import Choice, shown
from spikeloom.sw.training.cost import NetworkCycles
from spikeloom.sw.training.fitting import require_alike, require_classes
from spikeloom.sw.training.given import GivenWeights
from spikeloom.sw.training.journal import Journal
from spikeloom.sw.training.recipe import Recipe
from spikeloom.sw.training.result import Result, result_of
from spikeloom.sw.training.trainer import Trainer


def run(
    recipe: Recipe,
    folder: str | Path,
    *,
    data: DataLike | None = None,
    test: DataLike | None = None,
    data_root: str | Path | None = None,
    beside: Path | None = None,
    cycles: Mapping[str, NetworkCycles] | None = None,
    progress: Choice = None,
    say: Callable[[str], object] = print,
) -> Result | None:
    """Train, convert and measure as a recipe describes.

    An interrupted training continues after its last complete epoch when this is called again with
    the same recipe and folder. On a CPU with one thread the result is the same, bit by bit.

    Parameters
    ----------
    recipe : Recipe
    folder : path
        Gets ``recipe.toml``, ``log.jsonl``, ``tensorboard/``, the trained model, the network,
        ``result.json``, and everything that is needed to continue.
    data, test : Dataset, or data as :func:`~spikeloom.sw.datasets.as_dataset` takes them, optional
        Training and test split, both or none, in place of the recipe's data.
    data_root : path, optional
        Folder with the data's original files, in place of the recipe's.
    beside : path, optional
        Another folder to look for the model's file, a loss's, files of weights, and data of the
        user's own in. Files of weights are looked for in ``data_root``, too.
    cycles : mapping of str to callable, optional
        Functions from an integer network and some images to clock cycles per image, by the name of
        a measure: :data:`spikeloom.hw.prediction.MEASURES`. Penalties called "cycles" need them.
    progress : rich.progress.Progress or bool, optional
        Shows the epochs: in a display of the caller's, or by default in one of its own on stderr;
        False for none.
    say : callable
        Told in plain words what was found out.

    Returns
    -------
    Result or None
        None in processes other than the first.

    Raises
    ------
    FileFormatError
        If another training is at work in the folder, or it cannot be written to.
    UnsupportedError, ConfigError, DataError
        If the recipe cannot be carried out; before any time is spent on training, as far as it
        can be known then.
    """
    engine = recipe.engine.start()
    part = recipe.data
    if data is not None:
        part = replace(part, bits=None, mean=None, std=None)
    if (data is None) != (test is None):
        raise ConfigError("give both splits, data and test, or leave both to the recipe")
    binning = Binning(part.bins, part.highest)
    root = data_root or part.root or None

    def load(split: str, given: DataLike | None) -> Dataset:
        if given is not None:
            return as_dataset(given, binning=binning, task=part.task)
        return datasets.load(part.name, split, root, binning, beside, part.task)

    def seen(found: Dataset) -> Dataset:
        return found.described(part.bits, part.mean, part.std)

    weights = GivenWeights.of(recipe, [beside, Path(root) if root else None])
    images = load("train", data)
    if part.limit:
        images = images.head(part.limit)
    validation = None
    if part.validation:
        images, kept = images.split(part.validation, recipe.seed)
        validation = seen(kept)
    training = seen(images)
    with ExitStack() as held:
        with shown(progress if engine.first else False) as bars:
            trainer = Trainer(
                recipe,
                engine,
                training,
                validation,
                Journal(Path(folder), recipe.plain(), engine, weights.digests),
                cycles,
                bars,
                say,
                beside,
            )
            model = _model(recipe, trainer, weights, beside)
            if recipe.teacher is not None:
                trainer.teacher = weights.teacher_for(recipe.teacher, model, images, part, beside)
            finished = _carry_out(recipe, trainer, model, held)
        if not engine.first:
            return None
        measured = seen(load("test", test))
        require_alike(training, measured)
        return result_of(recipe, trainer, finished, measured)


def _model(
    recipe: Recipe, trainer: Trainer, weights: GivenWeights, beside: Path | None
) -> nn.Module:
    """Return the float model that the training begins with."""
    torch.manual_seed(recipe.seed)
    # A model of the zoo gets as many outputs as there are classes.
    built = build_model(recipe.model.name, beside, trainer.training.classes)
    weights.begin(built, recipe.model.name)
    original = trainer.engine.place(built)
    require_classes(original, trainer.training)
    # Losses take logits, so a softmax or sigmoid at the end is left out in training, too.
    data = trainer.training
    original = without_end(original, data.shape, data.task)
    if weights.model is not None:
        trainer.given = original
    return original


def _carry_out(
    recipe: Recipe, trainer: Trainer, original: nn.Module, held: ExitStack
) -> list[nn.Module]:
    """Carry out all phases that are left; return the model at the end of each phase.

    From the first file on, ``held`` holds a lock on the folder.
    """
    journal = trainer.journal
    _rehearse(recipe, trainer.for_rehearsal(), original)
    if trainer.engine.first:
        held.enter_context(locked(journal.folder, "training"))
    journal.open(trainer.say)
    finished: list[nn.Module] = []
    for number, phase in enumerate(recipe.phase):
        before = finished[-1] if finished else None
        model = phase.enter(original if before is None else before, trainer)
        if number < journal.state.phase:
            model.load_state_dict(journal.saved(number))
        else:
            phase.carry_out(model, before, trainer)
            # The layout of a model from a file, so that a resumed training computes the same.
            model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
            model.eval()
            journal.end_phase(model)
        finished.append(model)
    journal.close()
    return finished


def _rehearse(recipe: Recipe, trainer: Trainer, model: nn.Module) -> None:
    """Go through all phases, and the conversion, without training.

    Raises
    ------
    UnsupportedError, ConfigError
        If a phase, or the conversion of its model, cannot be carried out.
    """
    for phase in recipe.phase:
        model = phase.rehearse(model, trainer)
    trainer.require_convertible(model)
