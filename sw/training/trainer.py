"""Trainer: the model, data and devices of a training by recipe, and the work its phases share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.progress import Progress
from torch import Tensor, fx, nn

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.diagnostics import LayerHealth, Monitor, findings
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.quantized import activations_of, settle
from spikeloom.sw.quantized.prepared import META
from spikeloom.sw.spiking import SpikingNetwork, spiking
from spikeloom.sw.training.best import Best, exhausted
from spikeloom.sw.training.checkpoint import timesteps
from spikeloom.sw.training.cost import CycleCost, NetworkCycles, cost_of
from spikeloom.sw.training.engine import Engine
from spikeloom.sw.training.fitting import prepare_for
from spikeloom.sw.training.given import Teacher
from spikeloom.sw.training.journal import Journal
from spikeloom.sw.training.loop import Loop
from spikeloom.sw.training.losses import LossFunction, loss_for
from spikeloom.sw.training.measure import measure, pixels_for
from spikeloom.sw.training.options import FitOptions
from spikeloom.sw.training.penalties import CyclePenalty, Penalty, penalty_named
from spikeloom.sw.training.settings import Settings

#: Images that cycles are predicted for.
COST_IMAGES = 16
#: Measure of cycles that is meant unless the recipe names one.
COST_MEASURE = "slowest"


@dataclass
class Trainer:
    """Everything that the phases of a recipe need to be carried out.

    Parameters
    ----------
    settings : Settings
    engine : Engine
    training : Dataset
    validation : Dataset or None
        Images to choose the best epoch by.
    journal : Journal
    cycles : mapping of str to callable, or None
        Clock cycles per image of an integer network, by the name of a measure; the penalty
        ``cycles`` needs them.
    progress : rich.progress.Progress or None
    say : callable
        Told in plain words what was found out.
    beside : Path, optional
        Another folder to look for the file of a loss in.

    Attributes
    ----------
    start : dict of str to float
        λ of each layer as it was initialised; empty until a model is prepared.
    given : nn.Module or None
        The float model with the weights that the recipe names.
    teacher : Teacher or None
        The teacher that the recipe names.
    """

    settings: Settings
    engine: Engine
    training: Dataset
    validation: Dataset | None
    journal: Journal
    cycles: Mapping[str, NetworkCycles] | None
    progress: Progress | None
    say: Callable[[str], object]
    beside: Path | None = None
    start: dict[str, float] = field(default_factory=dict, init=False)
    given: nn.Module | None = field(default=None, init=False)
    teacher: Teacher | None = field(default=None, init=False)

    def for_rehearsal(self) -> Trainer:
        """Return a trainer that prepares models without the staged warm-up, which takes time."""
        initialise = replace(self.settings.initialise, staged=0)
        return replace(self, settings=replace(self.settings, initialise=initialise))

    def prepared(self, model: nn.Module) -> fx.GraphModule:
        """Copy a prepared model; of any other model, return the prepared form with thresholds."""
        levels, initial = self.settings.levels, self.settings.initialise
        prepared = prepare_for(
            model,
            self.training,
            timesteps=levels.timesteps,
            weight_bits=levels.weight_bits,
            learn=levels.learn or None,
            learn_negative=levels.learn_negative,
            method=initial.method,
            percentile=initial.percentile,
            images=initial.images,
            warmup=initial.staged,
            seed=self.settings.seed,
            progress=self.progress or False,
        )
        if META not in getattr(model, "meta", {}):
            self.start = {
                name: activation.threshold for name, activation in activations_of(prepared).items()
            }
        return prepared

    def spiking_network(self, model: nn.Module) -> SpikingNetwork:
        """Prepare a model, settle its timesteps, and return it as a spiking network."""
        return spiking(settle(self.prepared(model)), **self.settings.conversion)

    def require_convertible(self, model: nn.Module) -> None:
        """Require that the model of the last phase can become a spiking network.

        Raises
        ------
        UnsupportedError, ConfigError
        """
        if not isinstance(model, SpikingNetwork):
            self.spiking_network(model)

    def pixels(self, model: nn.Module, count: int) -> Tensor:
        """Return the first training images as the model takes them, on the engine's device."""
        pixels = pixels_for(model, self.training, slice(count))
        return self.training.real(pixels.to(self.engine.device))

    def penalties(
        self, model: nn.Module, parameters: Mapping[str, Mapping[str, Any]]
    ) -> list[Penalty]:
        """Return penalties for a model.

        Parameters
        ----------
        model : nn.Module
        parameters : mapping of str to mapping
            Parameters of each penalty, by its name.

        Raises
        ------
        ConfigError
            If a penalty does not fit the model, or a parameter is wrong.
        """
        penalties = []
        for name, chosen in parameters.items():
            given = dict(chosen)
            if name == CyclePenalty.name and isinstance(model, fx.GraphModule):
                given["cost"] = self._cost(model, given.pop("measure", COST_MEASURE))
            penalties.append(penalty_named(name, model, **given))
        return penalties

    def loss(self, options: FitOptions) -> LossFunction:
        """Return the loss that the options of a phase choose.

        Raises
        ------
        ConfigError, UnsupportedError
            If there is none, or it does not fit the data.
        """
        return loss_for(
            self.training,
            options.loss,
            class_weights=options.class_weights,
            label_smoothing=options.label_smoothing,
            focal_gamma=options.focal_gamma,
            beside=self.beside,
        )

    def teacher_for(self, before: nn.Module | None) -> nn.Module | Teacher | None:
        """Return the teacher of a phase that has one.

        Parameters
        ----------
        before : nn.Module or None
            The model at the end of the phase before.
        """
        if self.teacher is not None:
            return self.teacher
        return self.given if before is None else before

    def _cost(self, prepared: fx.GraphModule, measure: str) -> CycleCost:
        """Return the cost of a model's timesteps, by the name of a measure."""
        if self.cycles is None:
            raise ConfigError(
                f"the penalty {CyclePenalty.name!r} needs a prediction of cycles: call run() with "
                f"cycles, the MEASURES of spikeloom.hw.prediction"
            )
        if measure not in self.cycles:
            raise ConfigError(f"measure must be {' or '.join(self.cycles)}, not {measure!r}")
        images = self.training.head(COST_IMAGES).inputs()
        return cost_of(prepared, images, self.settings.conversion, self.cycles[measure])

    def fit(
        self,
        model: nn.Module,
        options: FitOptions,
        *,
        teacher: nn.Module | Teacher | None,
        penalties: Sequence[Penalty],
        watch: bool,
    ) -> None:
        """Train a model in place, and leave it as it was after the epoch that is to be kept.

        Parameters
        ----------
        model : nn.Module
        options : FitOptions
        teacher : nn.Module or Teacher or None
            A model whose outputs are targets, too.
        penalties : sequence of Penalty
        watch : bool
            Whether the health of the layers is recorded; they must be quantized.
        """
        loop = Loop(
            model,
            self.training,
            options,
            teacher=teacher,
            seed=self.settings.seed,
            engine=self.engine,
            penalties=penalties,
            monitor=Monitor(model, start=self.start) if watch else None,
            channels_last=self.settings.engine.channels_last,
            loss=self.loss(options),
        )
        state, heading = self.journal.state, self.journal.heading
        best = None
        if state.loop is not None:
            loop.load_state(state.loop_tensors, state.loop)
            best = Best(**state.best) if state.best is not None else None
        bar = None
        if self.progress is not None:
            bar = self.progress.add_task(heading, total=options.epochs, completed=loop.done)
        measured = loop.averaged or model
        while loop.done < options.epochs and not exhausted(options.patience, loop.done, best):
            record = self._epoch(loop, measured)
            if self.validation is not None and options.keep == "best":
                rated = Best.of(record, options.average_timesteps)
                if rated.beats(best):
                    best = rated
                    kept = {key: x.detach().clone() for key, x in measured.state_dict().items()}
                    state.best, state.best_tensors = dict(vars(best)), kept
            state.loop_tensors, state.loop = loop.state()
            self.journal.add(record, save=True)
            if self.progress is not None and bar is not None:
                text = f"{heading} {record['loss']:.3f}"
                if self.validation is not None:
                    text += f" {record['validation_accuracy']:.2%}"
                self.progress.update(bar, advance=1, description=text)
        model.load_state_dict(state.best_tensors if best is not None else measured.state_dict())
        self._report_findings()

    def _epoch(self, loop: Loop, measured: nn.Module) -> dict[str, Any]:
        """Train for an epoch, measure a model, and return the record of both."""
        began, lr = time.monotonic(), loop.optimizer.param_groups[0]["lr"]
        epoch = loop.epoch()
        record: dict[str, Any] = {
            "epoch": epoch.index,
            "lr": lr,
            "loss": epoch.loss,
            "accuracy": epoch.accuracy,
        }
        if self.validation is not None:
            record["validation_loss"], record["validation_accuracy"] = measure(
                measured, self.validation, self.engine, self.settings.engine.channels_last
            )
        steps = _timesteps(measured)
        if steps:
            record |= {"timesteps": steps, "average_timesteps": sum(steps.values()) / len(steps)}
        if epoch.penalties:
            record["penalties"] = dict(epoch.penalties)
        record["seconds"] = round(time.monotonic() - began, 3)
        if epoch.health:
            record["health"] = [layer.to_json() for layer in epoch.health]
        return record

    def _report_findings(self) -> None:
        """Say which known failures the layers of the current phase show."""
        history = [
            [LayerHealth.from_json(layer) for layer in record.get("health", [])]
            for record in self.journal.of_phase()
        ]
        if self.engine.first:
            for finding in findings(history):
                self.say(f"phase {self.journal.heading}: {finding}")


def _timesteps(model: nn.Module) -> dict[str, int]:
    """Return T of each layer that fires; nothing for a model that is not prepared."""
    if isinstance(model, SpikingNetwork):
        layers = model.coding.layers
        return {name: layers[name].timesteps for name in model.neurons}
    if not isinstance(model, fx.GraphModule) or META not in model.meta:
        return {}
    return timesteps(model)
