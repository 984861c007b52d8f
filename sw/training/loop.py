"""The training loop: a model, its optimizer, batches of changed images, one epoch after another.

Users with a loop of their own need only :func:`~spikeloom.sw.training.param_groups`;
:func:`train` does everything for the two phases that most models need, and recipes
(:mod:`spikeloom.sw.training.run`) do the rest. All of them train with :class:`Loop`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.calibration.losses import softened_divergence
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.diagnostics import LayerHealth, Monitor
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.quantized.prepare import device_of
from spikeloom.sw.spiking import SpikingNetwork
from spikeloom.sw.training.augment import Augmentation
from spikeloom.sw.training.engine import Engine
from spikeloom.sw.training.groups import param_groups
from spikeloom.sw.training.measure import pixels_for
from spikeloom.sw.training.options import Fitting
from spikeloom.sw.training.penalties import Penalty
from spikeloom.sw.training.schedule import (
    Schedule,
    load_optimizer_state,
    optimizer,
    optimizer_state,
)


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training data gave.

    Parameters
    ----------
    index : int
        From 0.
    loss : float
        Mean over the (augmented) training images: cross-entropy and what was added to it.
    accuracy : float
        Share of them that was right at the time, in training mode.
    penalties : mapping of str to float
        What the penalties say of themselves.
    health : sequence of LayerHealth
        What the monitor saw.
    """

    index: int
    loss: float
    accuracy: float
    penalties: Mapping[str, float] = field(default_factory=dict)
    health: Sequence[LayerHealth] = ()


class Loop:
    """The training of one model.

    Parameters
    ----------
    model : nn.Module
        Prepared, or not, or a :class:`~spikeloom.sw.spiking.SpikingNetwork`; trained in place.
    data : Dataset
    chosen : Fitting
    teacher : nn.Module, optional
        A model whose outputs are targets too, with the same weight as the labels: knowledge
        distillation. Run in eval mode, left as it is.
    seed : int
        Of the order of images, their changes, and dropout.
    engine : Engine, optional
        By default the device that the model is on.
    penalties : sequence of Penalty
        Added to the loss.
    monitor : Monitor, optional
    channels_last : bool
        How images lie in memory.

    Attributes
    ----------
    done : int
        Epochs so far.
    averaged : nn.Module or None
        The model with the running mean of the weights, if one is asked for.

    Raises
    ------
    DataError
        If there is only one image.
    ConfigError
        If a batch has less than one image for each device.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Dataset,
        chosen: Fitting,
        *,
        teacher: nn.Module | None = None,
        seed: int = 0,
        engine: Engine | None = None,
        penalties: Sequence[Penalty] = (),
        monitor: Monitor | None = None,
        channels_last: bool = False,
    ) -> None:
        if len(data) < 2:
            raise DataError(f"{data.name} has {len(data)} image: training needs at least 2")
        self.engine = engine or Engine(device_of(model))
        if chosen.batch_size < 2 * self.engine.world:
            raise ConfigError(
                f"batch_size must be at least 2 for each of {self.engine.world} devices, not "
                f"{chosen.batch_size}"
            )
        self.model, self.chosen, self.seed, self.done = model, chosen, seed, 0
        self.penalties, self.monitor = penalties, monitor
        self.layout = torch.channels_last if channels_last else None
        device = self.engine.device
        self.pixels = pixels_for(model, data).to(device)
        self.targets, self.scale, self.name = data.targets().to(device), data.scale, data.name
        # Batch-norm cannot learn from a single image, which an incomplete last batch could be.
        self.batches = max(1, len(data) // chosen.batch_size)
        self.changes = Augmentation(chosen.shift, chosen.flip, chosen.cutout)
        self.engine.place(model)
        if self.layout is not None:
            model.to(memory_format=self.layout)  # type: ignore[call-overload]
        self.teacher = None
        if teacher is not None:
            copied = copy.deepcopy(teacher).eval().requires_grad_(False)
            self.teacher = self.engine.place(copied)
        self.averaged = copy.deepcopy(model).eval() if chosen.average else None
        groups = param_groups(
            model,
            chosen.lr,
            lambda_lr_factor=chosen.lambda_lr_factor,
            timestep_lr_factor=chosen.timestep_lr_factor,
            weight_decay=chosen.weight_decay,
        )
        self.optimizer = optimizer(groups, chosen)
        self.schedule = Schedule(self.optimizer, chosen, self.batches)
        self.running, self.steps = self.engine.setup(model, self.optimizer)
        self.generator = torch.Generator().manual_seed(seed)
        self.streams: dict[str, Tensor] = {}

    def epoch(self) -> Epoch:
        """Go once over the training data.

        Raises
        ------
        ConfigError
            If the loss is no number any more.
        """
        size, rank, world = self.chosen.batch_size, self.engine.rank, self.engine.world
        sums = torch.zeros(3, dtype=torch.float64, device=self.engine.device)
        with self._random(), ExitStack() as attached:
            for penalty in self.penalties:
                attached.enter_context(penalty)
                penalty.start_epoch()
            self.model.train()
            if isinstance(self.running, nn.Module):
                self.running.train()
            order = torch.randperm(len(self.pixels), generator=self.generator)
            order = order.to(self.engine.device)
            for batch in order[: self.batches * size].split(size):  # type: ignore[no-untyped-call]
                changes = self.changes.draw(len(batch), self.generator)
                images = self._images(batch[rank::world], changes.part(rank, world))
                sums += self._step(images, self.targets[batch[rank::world]])
        loss_sum, right, seen = self.engine.sum(sums).tolist()
        if not math.isfinite(loss_sum):
            raise ConfigError(
                f"the loss is {loss_sum / seen} in epoch {self.done + 1}: training has diverged; "
                f"take a smaller lr than {self.chosen.lr}, or limit the gradient with clip_gradient"
            )
        self.done += 1
        for model in (self.model, self.averaged):
            if model is not None:
                self.engine.unify(model)
        return Epoch(
            self.done - 1,
            loss_sum / seen,
            right / seen,
            {k: v for penalty in self.penalties for k, v in penalty.summary().items()},
            tuple(self.monitor.epoch()) if self.monitor is not None else (),
        )

    def _images(self, batch: Tensor, changes: Any) -> Tensor:
        images = self.changes.apply(self.pixels[batch], changes).float() * self.scale
        if self.layout is None or images.ndim != 4:
            return images
        return images.contiguous(memory_format=self.layout)

    def _step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Learn from one batch; return the sum of its losses, how many are right, and its size."""
        if self.monitor is not None:
            self.monitor.start_batch()
        logits = self.running(images)
        loss = functional.cross_entropy(logits, labels, label_smoothing=self.chosen.label_smoothing)
        if self.teacher is not None:
            with self.engine.autocast(), torch.no_grad():
                taught = self.teacher(self._as_taught(images))
            loss = (loss + softened_divergence(logits, taught.to(logits.dtype))) / 2
        bare = loss.detach()
        for penalty in self.penalties:
            loss = loss + penalty(bare)
        self.steps.zero_grad()
        self.engine.backward(loss)
        if self.monitor is not None:
            self.monitor.after_backward()
        if self.chosen.clip_gradient:
            self.engine.clip(self.running, self.steps, self.chosen.clip_gradient)
        self.steps.step()
        self.schedule.step()
        if self.averaged is not None:
            self._follow(self.averaged)
        right = (logits.argmax(1) == labels).sum()
        seen = torch.full_like(right, len(labels))
        return torch.stack([loss.detach() * len(labels), right, seen]).double()

    def _as_taught(self, images: Tensor) -> Tensor:
        """Return a batch as the teacher sees it, which need not know of time."""
        if isinstance(self.model, SpikingNetwork) and not isinstance(self.teacher, SpikingNetwork):
            return self.model.summed(images)
        return images

    def _follow(self, averaged: nn.Module) -> None:
        """Move the running mean towards the model."""
        # At first it is the plain mean of the start and all steps, which soon forgets the start.
        steps = self.schedule.done
        share = max(1 - self.chosen.average, 1 / (steps + 1))
        with torch.no_grad():
            now = self.model.state_dict()
            for key, value in averaged.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(now[key], share)
                else:
                    value.copy_(now[key])

    @contextmanager
    def _random(self) -> Iterator[None]:
        """Give random numbers of our own, for dropout; the caller's stream stays as it is."""
        device = self.engine.device
        cuda = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            # What has no state to go on from begins anew: after a resumption, the processes beside
            # the first, and a GPU where the training began on a CPU.
            torch.manual_seed(self.seed + self.engine.rank * (self.done + 1))
            if "cpu" in self.streams:
                torch.set_rng_state(self.streams["cpu"])
            if cuda and "cuda" in self.streams:
                torch.cuda.set_rng_state(self.streams["cuda"], device)
            yield
            self.streams = {"cpu": torch.get_rng_state()}
            if cuda:
                self.streams["cuda"] = torch.cuda.get_rng_state(device)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that decides how training goes on: tensors by name, and JSON values."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        if self.averaged is not None:
            tensors |= {f"averaged.{k}": v for k, v in self.averaged.state_dict().items()}
        moments, rest = optimizer_state(self.optimizer)
        tensors |= {f"optimizer.{k}": v for k, v in moments.items()}
        tensors |= {f"random.{k}": v for k, v in self.streams.items()}
        tensors["batches"] = self.generator.get_state()
        return tensors, {
            "done": self.done,
            "optimizer": rest,
            "schedule": self.schedule.state(),
            "engine": self.engine.state(),
        }

    def load_state(self, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> None:
        """Go on where :meth:`state` was taken, with the same model, data and choices."""
        self.model.load_state_dict(part_of(tensors, "model"))
        if self.averaged is not None:
            self.averaged.load_state_dict(part_of(tensors, "averaged"))
        load_optimizer_state(self.optimizer, part_of(tensors, "optimizer"), rest["optimizer"])
        self.schedule.load_state(rest["schedule"])
        self.engine.load_state(rest["engine"])
        self.generator.set_state(tensors["batches"])
        self.streams = part_of(tensors, "random") if self.engine.first else {}
        self.done = rest["done"]


def part_of(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``name.``, by what follows."""
    begin = f"{name}."
    return {k.removeprefix(begin): v for k, v in tensors.items() if k.startswith(begin)}
