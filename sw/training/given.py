"""Models that exist before a training by recipe: the one that it begins with, and a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.errors import DataError, UnsupportedError
from spikeloom.sw.graph import taking_rows, without_end
from spikeloom.sw.models.spec import build_model
from spikeloom.sw.models.weights import Weights, read_weights
from spikeloom.sw.quantized.prepared import device_of
from spikeloom.sw.training.settings import DataPart, Settings, TeacherPart


@dataclass(frozen=True)
class Teacher:
    """A trained model whose outputs are targets, and the images as it takes them.

    Parameters
    ----------
    model : nn.Module
    data : Dataset
        The images that the pupil is trained with, in the same order, but with the teacher's bits
        and normalisation.
    precision : str, optional
        As for :class:`~spikeloom.sw.training.settings.TeacherPart`.
    """

    model: nn.Module
    data: Dataset
    precision: str | None = None


@dataclass(frozen=True)
class GivenWeights:
    """Weights from files that a recipe names; None where it names none.

    Parameters
    ----------
    model, teacher : Weights or None
        Of the model to train, and of its teacher.
    """

    model: Weights | None = None
    teacher: Weights | None = None

    @classmethod
    def of(cls, settings: Settings, folders: Sequence[Path | None]) -> GivenWeights:
        """Read the files that a recipe names.

        Parameters
        ----------
        settings : Settings
        folders : sequence of Path or None
            Further places to look for files with relative paths.

        Raises
        ------
        ConfigError, FileFormatError
            As for :func:`~spikeloom.sw.models.weights.read_weights`.
        """
        names = settings.model.weights, settings.teacher and settings.teacher.weights
        return cls(*(read_weights(name, folders) if name else None for name in names))

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, by the part of the recipe that names it."""
        files = {"model": self.model, "teacher": self.teacher}
        return {part: weights.digest for part, weights in files.items() if weights is not None}

    def begin(self, model: nn.Module, name: str) -> None:
        """Give the model to train the weights to begin with, if there are any."""
        if self.model is not None:
            self.model.load_into(model, name)

    def teacher_for(
        self,
        part: TeacherPart,
        pupil: nn.Module,
        data: Dataset,
        seen: DataPart,
        beside: Path | None,
    ) -> Teacher:
        """Return the teacher that a recipe names.

        Parameters
        ----------
        part : TeacherPart
        pupil : nn.Module
            The model to train.
        data : Dataset
            The images to train with, with neither bits nor normalisation chosen yet.
        seen : DataPart
            Has the bits and the normalisation of the pupil's images.
        beside : Path or None
            Another folder to look for the model's file in.

        Raises
        ------
        ConfigError
            If the teacher cannot be built, or its weights do not fit.
        DataError
            If it does not take the images, or has another number of outputs than the pupil.
        """
        with torch.random.fork_rng():  # the pupil's first weights do not depend on its teacher
            model = build_model(part.model, beside, data.classes)
        if self.teacher is not None:
            self.teacher.load_into(model, part.model)
        bits = seen.bits if part.bits is None else part.bits
        as_pupil = part.mean is None and part.std is None
        affine = (seen.mean, seen.std) if as_pupil else (part.mean, part.std)
        own = data.described(bits, *affine)
        with suppress(UnsupportedError):  # a teacher need not be convertible
            model = without_end(model, own.shape, own.task)
        model.eval()
        expected = _outputs(pupil, data.described(seen.bits, seen.mean, seen.std))
        try:
            found = _outputs(model, own)
        except RuntimeError as error:
            raise DataError(
                f"the teacher {part.model} does not take images of the shape {own.shape}: choose a "
                f"teacher for the same images ({error})"
            ) from None
        if found != expected:
            raise DataError(
                f"the teacher {part.model} has {found} outputs, and the model {expected}: choose "
                f"a teacher for the same classes"
            )
        return Teacher(model, own, part.precision)


def _outputs(model: nn.Module, data: Dataset) -> int:
    """Return the number of a model's outputs."""
    training = model.training
    model.eval()
    with torch.no_grad():
        image = data.head(1).inputs().to(device_of(model))
        outputs = taking_rows(model, data.shape)(image).shape[1]
    model.train(training)
    return int(outputs)
