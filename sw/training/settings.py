"""Settings of a recipe: every part of it except the phases.

``docs/recipes.md`` explains every key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.models.registry import MODELS
from spikeloom.sw.quantized.choices import LayerChoice
from spikeloom.sw.quantized.initialisation import PERCENTILE, Method
from spikeloom.sw.quantized.prepare import DEFAULT_TIMESTEPS, DEFAULT_WEIGHT_BITS
from spikeloom.sw.tables import plain, require_known
from spikeloom.sw.tasks import require_task
from spikeloom.sw.training.engine import EngineOptions, require_precision


@dataclass(frozen=True, kw_only=True)
class ModelPart:
    """The model to train.

    Parameters
    ----------
    name : str
        Name of a model of the zoo, or ``FILE.py:NAME``.
    weights : str, optional
        File of the weights to begin with: ``.safetensors``, ``.pth`` or ``.pt``. By default, and
        with ``""``, they are random.
    """

    name: str
    weights: str | None = None


@dataclass(frozen=True, kw_only=True)
class TeacherPart:
    """Another model, whose outputs are targets.

    Parameters
    ----------
    model : str
        Name of a model of the zoo, ``FILE.py:NAME`` or ``FILE.onnx``.
    weights : str, optional
        File of its weights. Needed for a model of the zoo.
    bits : int, optional
        Bits of the pixels that it takes; by default those of the data.
    mean, std : tuple of float, optional
        As for :class:`DataPart`: of the images that the teacher takes. By default both are those of
        the data.
    precision : {"32-true", "bf16-mixed", "16-mixed"}, optional
        Precision of the teacher's outputs; by default that of the engine. On a processor with
        instructions for bfloat16, "bf16-mixed" halves the teacher's time.

    Raises
    ------
    ConfigError
        If the model of the zoo has no weights, or there is no such precision.
    """

    model: str
    weights: str | None = None
    bits: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    precision: str | None = None

    def __post_init__(self) -> None:
        if self.precision is not None:
            require_precision("the teacher's precision", self.precision)
        if not self.weights and self.model in MODELS:
            raise ConfigError(
                f"a fresh {self.model} has nothing to teach: name the file of its weights"
            )


@dataclass(frozen=True, kw_only=True)
class DataPart:
    """The data to train on.

    Parameters
    ----------
    name : str
        As for :func:`~spikeloom.sw.datasets.load`: a data set's name, or a path to your own data.
    root : str
        Folder with the original files; ``""`` if none is needed, or the caller names it.
    validation : float
        Share of the training split, 0 to below 1, that is kept apart to choose the best epoch by.
    limit : int
        Use only the first images of the training split, this many; 0 for all.
    bins, highest : int
        For recordings of events: :class:`~spikeloom.sw.datasets.Binning`.
    bits : int, optional
        Bits of the pixels, if fewer than the images have.
    mean, std : tuple of float, optional
        Mean and standard deviation that the model's images are normalised by, of images from 0 to
        1: one for each channel, or one for all. Left out for images that are not normalised.
    task : str, optional
        Meaning of the labels, where their type and shape do not show it: one of
        :mod:`spikeloom.sw.tasks`.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    name: str
    root: str = ""
    validation: float = 0.1
    limit: int = 0
    bins: int = 8
    highest: int = 1
    bits: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    task: str | None = None

    def __post_init__(self) -> None:
        if self.task is not None:
            require_task(self.task)
        if not 0 <= self.validation < 1:
            raise ConfigError(f"validation must be from 0 to below 1, not {self.validation}")
        if self.limit < 0:
            raise ConfigError(f"limit must be at least 0, not {self.limit}")


@dataclass(frozen=True, kw_only=True)
class LevelsPart:
    """Options for :func:`~spikeloom.sw.quantized.prepare`.

    Parameters
    ----------
    timesteps, weight_bits : int or mapping
    learn : str
        Parameterisation by which T is learned, for instance ``"t,alpha"``; ``""`` to keep T fixed.
    learn_negative : bool, optional
        Whether negative thresholds are learned apart from the positive ones.
    """

    timesteps: LayerChoice = DEFAULT_TIMESTEPS
    weight_bits: LayerChoice = DEFAULT_WEIGHT_BITS
    learn: str = ""
    learn_negative: bool | None = None


@dataclass(frozen=True, kw_only=True)
class InitialisePart:
    """Options for :func:`~spikeloom.sw.quantized.initialise`, which sets the first thresholds.

    Parameters
    ----------
    method : str
    percentile : float
    images : int
        Number of training images to set them from.
    staged : int
        Epochs in which each layer, one after the other, is then fitted to the model before
        quantization: :func:`~spikeloom.sw.quantized.initialisation.staged`; 0 to skip this.

    Raises
    ------
    ConfigError
        If a value is unknown or out of range.
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
class Settings:
    """All of a recipe except its phases.

    Parameters
    ----------
    model : ModelPart
    data : DataPart
    levels : LevelsPart
    initialise : InitialisePart
    engine : EngineOptions
    teacher : TeacherPart or None
    conversion : mapping
        :class:`~spikeloom.sw.coding.Options`, for spiking phases and the network.
    seed : int
        Seed of the model's first weights, the validation split, and all phases.
    about : str
        The purpose of the recipe, in one line.
    """

    model: ModelPart
    data: DataPart
    levels: LevelsPart = field(default_factory=LevelsPart)
    initialise: InitialisePart = field(default_factory=InitialisePart)
    engine: EngineOptions = field(default_factory=EngineOptions)
    teacher: TeacherPart | None = None
    conversion: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    about: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the settings, including defaults, as values that TOML and JSON can hold."""
        table: dict[str, Any] = {"about": self.about, "seed": self.seed}
        for name in PARTS:
            if getattr(self, name) is not None:
                table[name] = plain(getattr(self, name))
        return table | {"conversion": plain(self.conversion)}


#: The tables of a recipe that are dataclasses of their own, by key.
PARTS: dict[str, type[Any]] = {
    "model": ModelPart,
    "data": DataPart,
    "levels": LevelsPart,
    "initialise": InitialisePart,
    "engine": EngineOptions,
    "teacher": TeacherPart,
}
#: Those of them that are left out altogether unless the recipe has them.
OPTIONAL = ("teacher",)
