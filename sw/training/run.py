"""Training by a recipe: phase after phase, in a folder, to be taken up again after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch
from rich.progress import Progress
from torch import Tensor, fx, nn

from spikeloom.sw import datasets
from spikeloom.sw.calibration import calibrate
from spikeloom.sw.datasets import Binning, Dataset
from spikeloom.sw.diagnostics import LayerHealth, Monitor, findings
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.files import read_bytes, write_text
from spikeloom.sw.models.spec import build_model
from spikeloom.sw.quantized import activations_of, settle
from spikeloom.sw.quantized.prepare import META
from spikeloom.sw.spiking import SpikingNetwork, spiking
from spikeloom.sw.training.best import Best, exhausted
from spikeloom.sw.training.checkpoint import save_tensors, timesteps
from spikeloom.sw.training.fitting import prepare_for, require_classes
from spikeloom.sw.training.log import Log
from spikeloom.sw.training.loop import Loop, part_of
from spikeloom.sw.training.measure import measure, pixels_for
from spikeloom.sw.training.penalties import CyclePenalty, Penalty, penalty_named
from spikeloom.sw.training.phases import CalibratePhase, Fitted
from spikeloom.sw.training.recipe import Recipe
from spikeloom.sw.training.state import State

if TYPE_CHECKING:
    from spikeloom.sw.training.result import Result

#: From a prepared model, images, options of the conversion, and which cycles are meant, to what
#: predicts cycles per image from T per layer: :func:`spikeloom.hw.prediction.cost.cost_of`.
CostOf = Callable[
    [fx.GraphModule, Tensor, Mapping[str, Any], str], Callable[[Mapping[str, int]], float]
]
#: Images that such a prediction is given.
COST_IMAGES = 16
STATE = "last.safetensors"


def run(
    recipe: Recipe,
    folder: str | Path,
    *,
    data_root: str | Path | None = None,
    beside: Path | None = None,
    cost: CostOf | None = None,
    progress: Progress | None = None,
    say: Callable[[str], object] = print,
) -> Result | None:
    """Train, convert and measure as a recipe says.

    Whatever is interrupted goes on where it was, at the end of the last epoch, when it is called
    with the same recipe and folder. On a CPU with one thread the result is the same, bit by bit.

    Parameters
    ----------
    recipe : Recipe
    folder : path
        Gets ``recipe.toml``, ``log.jsonl``, ``tensorboard/``, the trained model, the network,
        ``result.json``, and what is needed to go on.
    data_root : path, optional
        Folder with the data's original files, in place of the recipe's.
    beside : path, optional
        Where else to look for the model's file.
    cost : callable, optional
        What penalties called "cycles" need; it comes from the hardware's planning.
    progress : rich.progress.Progress, optional
    say : callable
        Told in plain words what was found out.

    Returns
    -------
    Result or None
        None in processes other than the first.

    Raises
    ------
    UnsupportedError, ConfigError, DataError
        If the recipe cannot be carried out; before any time is spent on training, as far as it
        can be known then.
    """
    engine = recipe.engine.start()
    data = recipe.data
    binning = Binning(data.bins, data.highest)
    root = data_root or data.root or None
    training = datasets.load(data.name, "train", root, binning)
    if data.limit:
        training = training.head(data.limit)
    validation = None
    if data.validation:
        training, validation = training.split(data.validation, recipe.seed)
    made = Run(recipe, Path(folder), engine, training, validation, cost, progress, say)
    finished = made.go(beside)
    if not engine.first:
        return None
    from spikeloom.sw.training.result import result_of

    test = datasets.load(data.name, "test", root, binning)
    return result_of(made, finished, test)


class Run:
    """One training by a recipe; :func:`run` explains the parameters.

    Attributes
    ----------
    state : State
        Where it stands.
    start : dict of str to float
        λ of each layer as it was initialised.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        engine: Any,
        training: Dataset,
        validation: Dataset | None,
        cost: CostOf | None,
        progress: Progress | None,
        say: Callable[[str], object],
    ) -> None:
        self.recipe, self.folder, self.engine = recipe, folder, engine
        self.training, self.validation = training, validation
        self.cost, self.say = cost, say
        self.progress = progress if engine.first else None
        self.start: dict[str, float] = {}
        self.state = State(recipe.plain())
        self.log: Log | None = None
        self._heading = ""
        self._rehearsing = False

    def go(self, beside: Path | None) -> list[nn.Module]:
        """Carry out all phases that are left; return the model at the end of each."""
        torch.manual_seed(self.recipe.seed)
        model = self.engine.place(build_model(self.recipe.model.name, beside))
        require_classes(model, self.training)
        self.require_feasible(model)
        self._begin()
        finished: list[nn.Module] = []
        for number, phase in enumerate(self.recipe.phase):
            before = finished[-1] if finished else None
            model = phase.enter(model if before is None else before, self)
            if number < self.state.phase:
                model.load_state_dict(self._saved(number))
            else:
                self._heading = f"{number + 1} {phase.kind}"
                phase.carry_out(model, before, self)
                # However it lay in memory: a resumed training finds it as the file has it.
                model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
                model.eval()
                self._end_phase(number, model)
            finished.append(model)
        if self.log is not None:
            self.log.close()
        return finished

    def require_feasible(self, model: nn.Module) -> None:
        """Go through all phases without training, so that what is wrong is said at once.

        Raises
        ------
        UnsupportedError, ConfigError
        """
        self._rehearsing = True
        for phase in self.recipe.phase:
            model = phase.enter(model, self)
            if isinstance(phase, Fitted):
                self.penalties(phase, model)
            if isinstance(phase, CalibratePhase) and isinstance(model, SpikingNetwork):
                free = [what for what in phase.learn if what != "weights"]
                if free:
                    model.free(*free, per=phase.per)
        if not isinstance(model, SpikingNetwork):
            settled = settle(self.prepared(model))
            spiking(settled, **self.recipe.conversion)
        self._rehearsing = False

    def prepared(self, model: nn.Module) -> fx.GraphModule:
        """Return a copy of a prepared model, or the prepared form of another, with thresholds."""
        levels, initial = self.recipe.levels, self.recipe.initialise
        prepared = prepare_for(
            model,
            self.training,
            timesteps=levels.timesteps,
            weight_bits=levels.weight_bits,
            learn=levels.learn or None,
            method=initial.method,
            percentile=initial.percentile,
            images=initial.images,
            warmup=0 if self._rehearsing else initial.staged,
            seed=self.recipe.seed,
        )
        if META not in getattr(model, "meta", {}):
            self.start = {
                name: activation.threshold for name, activation in activations_of(prepared).items()
            }
        return prepared

    def penalties(self, phase: Fitted, model: nn.Module) -> list[Penalty]:
        """Return the penalties of a phase."""
        made = []
        for name, parameters in phase.penalties.items():
            given = dict(parameters)
            if name == CyclePenalty.name and isinstance(model, fx.GraphModule):
                if self.cost is None:
                    raise ConfigError(
                        f"the penalty {name!r} needs a prediction of cycles: call run() with cost"
                    )
                images = self.training.head(COST_IMAGES).inputs()
                which = given.pop("measure", "slowest")
                given["cost"] = self.cost(model, images, self.recipe.conversion, which)
            made.append(penalty_named(name, model, **given))
        return made

    def fit(self, phase: Fitted, model: nn.Module, teacher: nn.Module | None) -> None:
        """Train a model in place; what it finally has is what the phase says is to be kept."""
        loop = Loop(
            model,
            self.training,
            phase,
            teacher=teacher,
            seed=self.recipe.seed,
            engine=self.engine,
            penalties=self.penalties(phase, model),
            monitor=Monitor(model, start=self.start) if phase.form else None,
            channels_last=self.recipe.engine.channels_last,
        )
        state = self.state
        best = None
        if state.loop is not None:
            loop.load_state(part_of(state.tensors, "loop"), state.loop)
            best = Best(**state.best) if state.best is not None else None
            state.tensors = {k: v for k, v in state.tensors.items() if k.startswith("best.")}
        bar = None
        if self.progress is not None:
            bar = self.progress.add_task(self._heading, total=phase.epochs, completed=loop.done)
        measured = loop.averaged or model
        while loop.done < phase.epochs and not exhausted(phase.patience, loop.done, best):
            record = self._epoch(loop, measured)
            now = self._rated(phase, record)
            if now is not None and now.beats(best):
                best = now
                kept = {f"best.{k}": v.detach().clone() for k, v in measured.state_dict().items()}
                state.tensors = kept
            self._save_epoch(loop, record, best)
            if self.progress is not None and bar is not None:
                text = f"{self._heading} {record['loss']:.3f}"
                if self.validation is not None:
                    text += f" {record['validation_accuracy']:.2%}"
                self.progress.update(bar, advance=1, description=text)
        kept = part_of(state.tensors, "best") if best is not None else measured.state_dict()
        model.load_state_dict(kept)
        self._tell()

    def calibrate(self, phase: CalibratePhase, network: SpikingNetwork) -> None:
        """Calibrate a spiking network in place."""
        pixels = pixels_for(network, self.training)[: phase.images]
        images = pixels.to(self.engine.device).float() * self.training.scale
        losses = calibrate(
            network,
            images,
            epochs=phase.epochs,
            lr=phase.lr,
            batch_size=phase.batch_size,
            loss=phase.loss,
            weighting=phase.weighting,
            learn=phase.learn,
            per=phase.per,
            seed=self.recipe.seed,
            progress=self.progress,
            title=self._heading,
        )
        number = self.state.phase
        for epoch, loss in enumerate(losses):
            self._record({"phase": number + 1, "kind": phase.kind, "epoch": epoch, "loss": loss})

    def _begin(self) -> None:
        """Load the state of the folder, if there is one, and open the log."""
        path = self.folder / STATE
        self.engine.barrier()  # nobody writes before all have looked
        if path.exists():
            self.state = State.load(path, self.state.recipe)
        self.engine.barrier()
        if self.engine.first:
            write_text(self.folder / "recipe.toml", self.recipe.to_toml())
            self.log = Log(self.folder, self.state.history)
            done = len(self.state.history)
            if done:
                self.say(f"going on in {self.folder} after {done} epochs")

    def _epoch(self, loop: Loop, measured: nn.Module) -> dict[str, Any]:
        """Train for an epoch, measure, and return the record of both."""
        began, lr = time.monotonic(), loop.optimizer.param_groups[0]["lr"]
        epoch = loop.epoch()
        number = self.state.phase
        record: dict[str, Any] = {
            "phase": number + 1,
            "kind": self.recipe.phase[number].kind,
            "epoch": epoch.index,
            "lr": lr,
            "loss": epoch.loss,
            "accuracy": epoch.accuracy,
        }
        if self.validation is not None:
            record["validation_loss"], record["validation_accuracy"] = measure(
                measured, self.validation, self.engine, self.recipe.engine.channels_last
            )
        steps = timesteps_of(measured)
        if steps:
            record |= {"timesteps": steps, "average_timesteps": sum(steps.values()) / len(steps)}
        if epoch.penalties:
            record["penalties"] = dict(epoch.penalties)
        record["seconds"] = round(time.monotonic() - began, 3)
        if epoch.health:
            record["health"] = [layer.to_json() for layer in epoch.health]
        return record

    def _rated(self, phase: Fitted, record: Mapping[str, Any]) -> Best | None:
        """Return how good an epoch is; None if the last one is kept anyway."""
        if self.validation is None or phase.keep == "last":
            return None
        steps = record.get("average_timesteps", 0.0)
        allowed = not phase.average_timesteps or steps <= phase.average_timesteps
        return Best(record["epoch"], allowed, record["validation_accuracy"] if allowed else -steps)

    def _save_epoch(self, loop: Loop, record: dict[str, Any], best: Best | None) -> None:
        state = self.state
        kept = state.tensors
        tensors, state.loop = loop.state()
        state.tensors = kept | {f"loop.{key}": value for key, value in tensors.items()}
        state.best = None if best is None else dict(vars(best))
        self._record(record, save=True)
        state.tensors = kept

    def _record(self, record: dict[str, Any], save: bool = False) -> None:
        self.state.history.append(record)
        if self.engine.first:
            if save:
                self.state.save(self.folder / STATE)
            assert self.log is not None, "it is opened before the first phase"
            self.log.add(record)

    def _end_phase(self, number: int, model: nn.Module) -> None:
        state, phase = self.state, self.recipe.phase[number]
        epochs = sum(record["phase"] == number + 1 for record in state.history)
        state.ended.append({"kind": phase.kind, "epochs": epochs, "best": state.best})
        if self.engine.first:
            about = {"format": "spikeloom-phase", "phase": number + 1, "kind": phase.kind}
            save_tensors(model.state_dict(), self._file(number), about)
        state.phase, state.loop, state.best, state.tensors = number + 1, None, None, {}
        if self.engine.first:
            state.save(self.folder / STATE)
        self.engine.barrier()

    def _file(self, number: int) -> Path:
        return self.folder / f"phase-{number + 1}-{self.recipe.phase[number].kind}.safetensors"

    def _saved(self, number: int) -> dict[str, Tensor]:
        return safetensors.torch.load(read_bytes(self._file(number), "model of a phase"))

    def _tell(self) -> None:
        """Say what the layers' health means."""
        number = self.state.phase + 1
        history = [
            [LayerHealth.from_json(layer) for layer in record.get("health", [])]
            for record in self.state.history
            if record["phase"] == number
        ]
        if self.engine.first:
            for finding in findings(history):
                self.say(f"phase {self._heading}: {finding}")


def timesteps_of(model: nn.Module) -> dict[str, int]:
    """Return T of each layer that fires; nothing for a model that is not prepared."""
    if isinstance(model, SpikingNetwork):
        layers = model.coding.layers
        return {name: layers[name].timesteps for name in model.neurons}
    if not isinstance(model, fx.GraphModule) or META not in model.meta:
        return {}
    return timesteps(model)
