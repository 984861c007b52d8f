"""Phases of a recipe: a class for each kind, which recipes name."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, ClassVar

from torch import nn

from spikeloom.sw.calibration import LEARNABLE, Loss, Weighting, calibrate
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.graph import copied
from spikeloom.sw.quantized import requantized, settle
from spikeloom.sw.quantized.choices import LayerChoice
from spikeloom.sw.registry import Registered
from spikeloom.sw.spiking import SpikingNetwork
from spikeloom.sw.spiking.neurons import FREEDOMS
from spikeloom.sw.tables import require_known
from spikeloom.sw.training.options import SURROGATE, FitOptions, surrogate_of
from spikeloom.sw.training.penalties import Penalty
from spikeloom.sw.training.trainer import Trainer


class Form(IntEnum):
    """Forms of a model, in the order in which it goes through them."""

    FLOAT = 0
    QUANTIZED = 1
    SPIKING = 2


class Phase(Registered, ABC):
    """One phase of a recipe. A subclass is a dataclass of its keys, found by its ``kind``."""

    kinds: ClassVar[dict[str, type[Phase]]] = {}
    kind: ClassVar[str]
    #: Form of the model that the phase trains.
    form: ClassVar[Form]

    def require_place(self, before: Phase | None, where: str, taught: bool) -> None:
        """Refuse a phase that cannot come after the one before.

        Parameters
        ----------
        before : Phase or None
        where : str
            The phase at hand, for messages: ``"phase 2 (float)"``.
        taught : bool
            Whether the recipe has a teacher of its own, or a model with weights, which can teach
            the first phase.

        Raises
        ------
        ConfigError
            If the model has a later form by then.
        """
        if before is not None and before.form > self.form:
            raise ConfigError(
                f"{where} cannot come after a phase of kind {before.kind!r}, which leaves another "
                f"model: put it first"
            )

    @abstractmethod
    def enter(self, model: nn.Module, trainer: Trainer) -> nn.Module:
        """Return the model that the phase trains, made from the model before the phase.

        The result depends on the model alone, so that a training can be resumed at any time.
        """

    def rehearse(self, model: nn.Module, trainer: Trainer) -> nn.Module:
        """Do everything but the training, so that mistakes in the recipe show before any of it.

        Parameters
        ----------
        model : nn.Module
            The model before the phase; left as it is.
        trainer : Trainer

        Returns
        -------
        nn.Module
            A model such as the phase would leave, untrained.

        Raises
        ------
        UnsupportedError, ConfigError
            If the phase cannot be carried out.
        """
        return self.enter(model, trainer)

    @abstractmethod
    def carry_out(self, model: nn.Module, before: nn.Module | None, trainer: Trainer) -> None:
        """Train ``model`` in place.

        Parameters
        ----------
        model : nn.Module
            From :meth:`enter`.
        before : nn.Module or None
            The model at the end of the phase before; left as it is. None in the first phase.
        trainer : Trainer
        """


@dataclass(frozen=True, kw_only=True)
class FitPhase(FitOptions, Phase):
    """A phase that fits the model to labels.

    Parameters
    ----------
    teacher : bool
        Whether the outputs of a teacher are targets, too: of the one that the recipe names, or else
        of the model before the phase.
    penalties : mapping of str to mapping
        Terms to add to the loss: parameters by name; see
        :mod:`spikeloom.sw.training.penalties`.
    """

    teacher: bool = False
    penalties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if callable(self.loss):
            raise ConfigError(
                "a recipe, which is kept in a file, names its loss: give the function as "
                "FILE.py:FUNCTION"
            )
        chosen = [key for key in SURROGATE if getattr(self, key) is not None]
        if chosen and self.form < Form.SPIKING:
            raise ConfigError(
                f"{', '.join(chosen)} are for phases through time, of kind 'spiking' or "
                f"'calibrate': leave them out"
            )
        for name in self.penalties:
            require_known(name, Penalty.kinds, "no penalty is called")
            if self.kind not in Penalty.kinds[name].phases:
                raise ConfigError(
                    f"the penalty {name!r} is for phases of kind "
                    f"{' or '.join(Penalty.kinds[name].phases)}: move it there"
                )

    def require_place(self, before: Phase | None, where: str, taught: bool) -> None:
        super().require_place(before, where, taught)
        if self.teacher and before is None and not taught:
            raise ConfigError(
                f"{where} has no phase before it that could teach it: say teacher = false, begin "
                f"with a phase of kind 'float', or name weights that the model begins with"
            )

    def rehearse(self, model: nn.Module, trainer: Trainer) -> nn.Module:
        entered = super().rehearse(model, trainer)
        trainer.penalties(entered, self.penalties)
        trainer.loss(self)
        return entered

    def carry_out(self, model: nn.Module, before: nn.Module | None, trainer: Trainer) -> None:
        trainer.fit(
            model,
            self,
            teacher=trainer.teacher_for(before) if self.teacher else None,
            penalties=trainer.penalties(model, self.penalties),
            watch=self.form > Form.FLOAT,
        )


@dataclass(frozen=True, kw_only=True)
class FloatPhase(FitPhase):
    """The original model, with ReLU and float weights."""

    kind = "float"
    form = Form.FLOAT

    def enter(self, model: nn.Module, trainer: Trainer) -> nn.Module:
        return copied(model)


@dataclass(frozen=True, kw_only=True)
class QuantizedPhase(FitPhase):
    """The prepared model: activations of T levels, weights of a few bits.

    Parameters
    ----------
    settle : bool
        Whether the timesteps that earlier phases have learned are fixed from now on.
    weight_bits : int or mapping, optional
        Bits of the weights from now on, as for :func:`~spikeloom.sw.quantized.requantized`; by
        default those of the phase before, and at first those of the part ``levels``. A model of
        few bits comes out better if it is trained with more bits first.
    """

    kind = "quantized"
    form = Form.QUANTIZED

    teacher: bool = True
    settle: bool = False
    weight_bits: LayerChoice | None = None

    def enter(self, model: nn.Module, trainer: Trainer) -> nn.Module:
        prepared = trainer.prepared(model)
        if self.settle:
            prepared = settle(prepared)
        return prepared if self.weight_bits is None else requantized(prepared, self.weight_bits)


class _ThroughTime(Phase):
    """A phase that trains the spiking network."""

    form = Form.SPIKING

    def enter(self, model: nn.Module, trainer: Trainer) -> nn.Module:
        if isinstance(model, SpikingNetwork):
            return copy.deepcopy(model)
        return trainer.spiking_network(model)


@dataclass(frozen=True, kw_only=True)
class SpikingPhase(_ThroughTime, FitPhase):
    """The spiking network, fitted to labels through time, with surrogate gradients."""

    kind = "spiking"

    teacher: bool = True


@dataclass(frozen=True, kw_only=True)
class CalibratePhase(_ThroughTime):
    """The spiking network learns when to fire from the quantized model, without labels.

    It is short, and begins anew if the training is interrupted.

    Parameters
    ----------
    epochs, lr, batch_size, loss, weighting, learn, per
        As for :func:`~spikeloom.sw.calibration.calibrate`.
    surrogate, alpha, beta, kappa, kappa_epochs
        As for :class:`~spikeloom.sw.training.options.FitOptions`.
    images : int
        Number of images of the training split to calibrate with.

    Raises
    ------
    ConfigError
        If a value is unknown or out of range.
    """

    kind = "calibrate"

    epochs: int = 15
    lr: float = 0.01
    batch_size: int = 32
    loss: str = "mse"
    weighting: str = "output"
    learn: tuple[str, ...] = ("start", "threshold")
    per: str = "channel"
    images: int = 512
    surrogate: str | None = None
    alpha: float | None = None
    beta: float | None = None
    kappa: tuple[float, ...] | None = None
    kappa_epochs: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        require_known(self.loss, Loss.kinds, "no loss is called")
        surrogate_of(self)
        require_known(self.weighting, Weighting.kinds, "no weighting is called")
        require_known(self.per, ("channel", "layer"), "per can be no")
        for learned in self.learn:
            require_known(learned, LEARNABLE, "calibration cannot learn")
        for name in ("epochs", "batch_size", "images"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.lr > 0:
            raise ConfigError(f"lr must be positive, not {self.lr}")

    def rehearse(self, model: nn.Module, trainer: Trainer) -> nn.Module:
        network = super().rehearse(model, trainer)
        assert isinstance(network, SpikingNetwork), "the phase has made it"
        freed = [name for name in self.learn if name in FREEDOMS]
        if freed:
            network.free(*freed, per=self.per)
        return network

    def carry_out(self, model: nn.Module, before: nn.Module | None, trainer: Trainer) -> None:
        assert isinstance(model, SpikingNetwork), "the phase has made it"
        losses = calibrate(
            model,
            trainer.pixels(model, self.images),
            epochs=self.epochs,
            lr=self.lr,
            batch_size=self.batch_size,
            loss=self.loss,
            weighting=self.weighting,
            learn=self.learn,
            per=self.per,
            surrogate=surrogate_of(self),
            seed=trainer.settings.seed,
            progress=trainer.progress or False,
            title=trainer.journal.heading,
        )
        for epoch, loss in enumerate(losses):
            trainer.journal.add({"epoch": epoch, "loss": loss})
