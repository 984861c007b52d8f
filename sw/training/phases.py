"""Phases of a recipe: each kind is a class, which a recipe names."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from torch import fx, nn

from spikeloom.sw.calibration import LEARNABLE, Loss, Weighting
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.quantized import settle
from spikeloom.sw.spiking import SpikingNetwork, spiking
from spikeloom.sw.tables import require_known
from spikeloom.sw.training.options import Fitting
from spikeloom.sw.training.penalties import Penalty

if TYPE_CHECKING:
    from spikeloom.sw.training.run import Run


class Phase(ABC):
    """One phase of a recipe. A subclass is a dataclass of its keys, found by its ``kind``."""

    kinds: ClassVar[dict[str, type[Phase]]] = {}
    kind: ClassVar[str]
    #: What the phase trains: a model only ever goes up from one form to the next.
    form: ClassVar[int]

    def __init_subclass__(cls) -> None:
        if "kind" in vars(cls):
            Phase.kinds[cls.kind] = cls

    def require_place(self, before: Phase | None, where: str) -> None:
        """Refuse a phase that cannot come after the one before.

        Parameters
        ----------
        before : Phase or None
        where : str
            For messages: ``"phase 2 (float)"``.

        Raises
        ------
        ConfigError
            If the model has another form by then.
        """
        if before is not None and before.form > self.form:
            raise ConfigError(
                f"{where} cannot come after a phase of kind {before.kind!r}, which leaves another "
                f"model: put it first"
            )

    @abstractmethod
    def enter(self, model: nn.Module, run: Run) -> nn.Module:
        """Return the model that the phase trains, made of the one that it finds.

        The same model gives the same result, whenever a training is resumed.
        """

    @abstractmethod
    def carry_out(self, model: nn.Module, before: nn.Module | None, run: Run) -> None:
        """Train ``model`` in place.

        Parameters
        ----------
        model : nn.Module
            From :meth:`enter`.
        before : nn.Module or None
            The model at the end of the phase before; left as it is.
        run : Run
        """


@dataclass(frozen=True, kw_only=True)
class Fitted(Fitting, Phase):
    """A phase that fits the model to labels.

    Parameters
    ----------
    teacher : bool
        Whether the outputs of the phase before are targets, too.
    penalties : mapping of str to mapping
        What is added to the loss, by name, with parameters; see
        :mod:`spikeloom.sw.training.penalties`.
    """

    teacher: bool = False
    penalties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.penalties:
            require_known(name, Penalty.kinds, "no penalty is called")
            if self.kind not in Penalty.kinds[name].phases:
                raise ConfigError(
                    f"the penalty {name!r} is for phases of kind "
                    f"{' or '.join(Penalty.kinds[name].phases)}: move it there"
                )

    def require_place(self, before: Phase | None, where: str) -> None:
        super().require_place(before, where)
        if self.teacher and before is None:
            raise ConfigError(
                f"{where} has no phase before it that could teach it: say teacher = false, or "
                f"begin with a phase of kind 'float'"
            )

    def carry_out(self, model: nn.Module, before: nn.Module | None, run: Run) -> None:
        run.fit(self, model, before if self.teacher else None)


@dataclass(frozen=True, kw_only=True)
class FloatPhase(Fitted):
    """The model as it is, with ReLU and float weights."""

    kind = "float"
    form = 0

    def enter(self, model: nn.Module, run: Run) -> nn.Module:
        return copy.deepcopy(model)


@dataclass(frozen=True, kw_only=True)
class QuantizedPhase(Fitted):
    """The prepared model: activations of T levels, weights of a few bits.

    Parameters
    ----------
    settle : bool
        Whether the timesteps that earlier phases have learned are from now on fixed.
    """

    kind = "quantized"
    form = 1

    teacher: bool = True
    settle: bool = False

    def enter(self, model: nn.Module, run: Run) -> nn.Module:
        prepared = run.prepared(model)
        return settle(prepared) if self.settle else prepared


@dataclass(frozen=True, kw_only=True)
class SpikingPhase(Fitted):
    """The spiking network, through time, with surrogate gradients."""

    kind = "spiking"
    form = 2

    teacher: bool = True

    def enter(self, model: nn.Module, run: Run) -> nn.Module:
        return _spiking(model, run)


@dataclass(frozen=True, kw_only=True)
class CalibratePhase(Phase):
    """The spiking network learns when to fire from the quantized model; no labels are needed.

    It is short, and repeated from its beginning if the training is interrupted.

    Parameters
    ----------
    epochs, lr, batch_size, loss, weighting, learn, per
        As for :func:`~spikeloom.sw.calibration.calibrate`.
    images : int
        How many of the training split.

    Raises
    ------
    ConfigError
        If one is unknown or out of range.
    """

    kind = "calibrate"
    form = 2

    epochs: int = 15
    lr: float = 0.01
    batch_size: int = 32
    loss: str = "mse"
    weighting: str = "output"
    learn: tuple[str, ...] = ("start", "threshold")
    per: str = "channel"
    images: int = 512

    def __post_init__(self) -> None:
        require_known(self.loss, Loss.kinds, "no loss is called")
        require_known(self.weighting, Weighting.kinds, "no weighting is called")
        require_known(self.per, ("channel", "layer"), "per can be no")
        for what in self.learn:
            require_known(what, LEARNABLE, "calibration cannot learn")
        for name in ("epochs", "batch_size", "images"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.lr > 0:
            raise ConfigError(f"lr must be positive, not {self.lr}")

    def enter(self, model: nn.Module, run: Run) -> nn.Module:
        return _spiking(model, run)

    def carry_out(self, model: nn.Module, before: nn.Module | None, run: Run) -> None:
        assert isinstance(model, SpikingNetwork), "the phase has made it"
        run.calibrate(self, model)


def _spiking(model: nn.Module, run: Run) -> SpikingNetwork:
    if isinstance(model, SpikingNetwork):
        return copy.deepcopy(model)
    prepared = run.prepared(model)
    assert isinstance(prepared, fx.GraphModule)
    return spiking(settle(prepared), **run.recipe.conversion)
