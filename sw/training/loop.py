"""The training loop: fits one model to batches of augmented images, epoch by epoch.

Both :func:`~spikeloom.sw.training.fit` and the phases of recipes train with :class:`Loop`. A loop
of your own needs only :func:`~spikeloom.sw.training.param_groups`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from spikeloom.sw.datasets import DataLike, Dataset, as_dataset
from spikeloom.sw.diagnostics import DIVERGENCES, LayerHealth, Monitor, findings
from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.graph import copied, taking_rows
from spikeloom.sw.quantized.prepared import device_of
from spikeloom.sw.spiking import SpikingNetwork
from spikeloom.sw.training.augment import Augmentation, Changes
from spikeloom.sw.training.distillation import Teaching
from spikeloom.sw.training.engine import Engine
from spikeloom.sw.training.given import Teacher
from spikeloom.sw.training.groups import param_groups
from spikeloom.sw.training.losses import LossFunction, loss_for
from spikeloom.sw.training.measure import pixels_for
from spikeloom.sw.training.options import FitOptions, surrogate_of
from spikeloom.sw.training.penalties import Penalty
from spikeloom.sw.training.schedule import (
    Schedule,
    load_optimizer_state,
    optimizer,
    optimizer_state,
)
from spikeloom.sw.training.state import part_of, prefixed


@dataclass(frozen=True)
class Epoch:
    """Figures of one pass over the training data.

    Parameters
    ----------
    index : int
        Number of the epoch, from 0.
    loss : float
        Mean loss of the (augmented) training images: that of the labels, distillation and
        penalties.
    accuracy : float
        Share of these images that the model got right during the pass, in training mode. Of several
        labels, the share of these; of values, R².
    penalties : mapping of str to float
        Summaries of the penalties.
    health : sequence of LayerHealth
        Health of each layer that the monitor watched.
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
        A float model, a prepared one, or a :class:`~spikeloom.sw.spiking.SpikingNetwork`; trained
        in place.
    data : Dataset, or data as :func:`~spikeloom.sw.datasets.as_dataset` takes them
        Images in memory are moved to the engine's device at once; others are read batch by batch.
    options : FitOptions
    teacher : nn.Module or Teacher, optional
        A model whose outputs are targets, too, with the same weight as the labels: knowledge
        distillation. It runs in eval mode and is left as it is. It takes the images as ``model``
        does, unless it comes with data of its own.
    seed : int
        Seed of the order of images, their augmentation, and dropout.
    engine : Engine, optional
        By default, one on the device of the model.
    penalties : sequence of Penalty
        Terms that are added to the loss.
    monitor : Monitor, optional
        Watches the layers.
    channels_last : bool
        Whether the channels of a pixel lie together in memory.
    loss : callable, optional
        From outputs and targets to a scalar; by default, the one that the options choose.

    Attributes
    ----------
    done : int
        Epochs so far.
    averaged : nn.Module or None
        The model with the running mean of the weights, if the options ask for one.

    Raises
    ------
    DataError
        If there are fewer than two images.
    ConfigError
        If a batch has less than one image for each device.
    """

    def __init__(
        self,
        model: nn.Module,
        data: DataLike,
        options: FitOptions,
        *,
        teacher: nn.Module | Teacher | None = None,
        seed: int = 0,
        engine: Engine | None = None,
        penalties: Sequence[Penalty] = (),
        monitor: Monitor | None = None,
        channels_last: bool = False,
        loss: LossFunction | None = None,
    ) -> None:
        data = as_dataset(data)
        if len(data) < 2:
            raise DataError(f"{data.name} has {len(data)} image: training needs at least 2")
        self.engine = engine or Engine(device_of(model))
        if options.batch_size < 2 * self.engine.world:
            raise ConfigError(
                f"batch_size must be at least 2 for each of {self.engine.world} devices, not "
                f"{options.batch_size}"
            )
        self.model, self.options, self.seed, self.done = model, options, seed, 0
        self.penalties, self.monitor = penalties, monitor
        self.layout = torch.channels_last if channels_last else None
        device = self.engine.device
        self.data, self.task = data, data.meaning
        self.loss = loss or loss_for(
            data,
            options.loss,
            class_weights=options.class_weights,
            label_smoothing=options.label_smoothing,
            focal_gamma=options.focal_gamma,
        )
        self.pixels = None if data.streams else pixels_for(model, data).to(device)
        self.targets, self.name = data.targets().to(device), data.name
        # Batch-norm cannot learn from a single image, which an incomplete last batch could be.
        self.batches = max(1, len(data) // options.batch_size)
        self.augmentation = Augmentation(
            options.shift, options.flip, options.cutout, options.autoaugment, options.erase
        )
        self.augmentation.require(data)
        self.surrogate = surrogate_of(options)
        self.engine.place(model)
        if self.layout is not None:
            model.to(memory_format=self.layout)  # type: ignore[call-overload]
        self.teaching = Teaching.of(self.task, options.teacher_weight, options.temperature)
        self.teacher, self.teachers_data, self.teachers_precision = None, None, None
        if isinstance(teacher, Teacher):
            self.teachers_data, self.teachers_precision = teacher.data, teacher.precision
            teacher = teacher.model
        if teacher is not None:
            frozen = copied(teacher).eval().requires_grad_(False)
            self.teacher = taking_rows(self.engine.place(frozen), data.shape)
        taught = self.teachers_data
        if taught is not None:
            self.augmentation.require(taught)
        self.teachers_pixels = (
            None if taught is None or taught.streams else taught.pixels().to(device)
        )
        self.averaged = copied(model).eval() if options.average else None
        groups = param_groups(
            model,
            options.lr,
            lambda_lr_factor=options.lambda_lr_factor,
            timestep_lr_factor=options.timestep_lr_factor,
            weight_decay=options.weight_decay,
        )
        self.optimizer = optimizer(groups, options)
        self.schedule = Schedule(self.optimizer, options, self.batches)
        self.wrapped_model, self.wrapped_optimizer = self.engine.setup(
            taking_rows(model, data.shape), self.optimizer
        )
        self.generator = torch.Generator().manual_seed(seed)
        self.streams: dict[str, Tensor] = {}

    def epoch(self) -> Epoch:
        """Train for one pass over the data.

        Raises
        ------
        ConfigError
            If the loss is no longer finite.
        """
        size, rank, world = self.options.batch_size, self.engine.rank, self.engine.world
        if isinstance(self.model, SpikingNetwork):
            self.model.use(self.surrogate.at(self.done))
        sums = torch.zeros(3, dtype=torch.float64, device=self.engine.device)
        with self._random(), ExitStack() as attached:
            for penalty in self.penalties:
                attached.enter_context(penalty)
                penalty.start_epoch()
            self.model.train()
            if isinstance(self.wrapped_model, nn.Module):
                self.wrapped_model.train()
            order = torch.randperm(len(self.data), generator=self.generator)
            order = order.to(self.engine.device)
            for batch in order[: self.batches * size].split(size):  # type: ignore[no-untyped-call]
                changes = self.augmentation.draw(len(batch), self.generator)
                mine, own = batch[rank::world], changes.part(rank, world)
                images = self._images(mine, own)
                sums += self._step(images, self.targets[mine], self._as_taught(images, mine, own))
        loss_sum, right, seen = self.engine.sum(sums).tolist()
        if not math.isfinite(loss_sum):
            health = [] if self.monitor is None else self.monitor.epoch()
            causes = [f" {f}" for f in findings([health]) if f.name in DIVERGENCES]
            raise ConfigError(
                f"the loss is {loss_sum / seen} in epoch {self.done + 1}: training has diverged; "
                f"take a smaller lr than {self.options.lr}, or limit the gradient with "
                f"clip_gradient{'.' if causes else ''}{''.join(causes)}"
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

    def _images(self, batch: Tensor, changes: Changes) -> Tensor:
        if self.pixels is not None:
            pixels = self.pixels[batch]
        else:
            pixels = pixels_for(self.model, self.data, batch).to(self.engine.device)
        return self._seen(self.data, pixels, changes)

    def _seen(self, data: Dataset, pixels: Tensor, changes: Changes) -> Tensor:
        """Return a batch of pixels, changed at random, as real numbers."""
        # A teacher sees the same changes: what is cut out has the student's pixel for 0.
        images = data.real(self.augmentation.apply(pixels, changes, self.data.format.zeros))
        if self.layout is None or images.ndim != 4:
            return images
        return images.contiguous(memory_format=self.layout)

    def _as_taught(self, images: Tensor, batch: Tensor, changes: Changes) -> Tensor:
        """Return a batch as the teacher takes it.

        With its own normalisation, if it has one, but changed in the same way; without a time axis,
        unless the teacher is spiking.
        """
        data = self.teachers_data
        if data is not None:
            known = self.teachers_pixels
            pixels = data.pixels(batch) if known is None else known[batch]
            return self._seen(data, pixels.to(self.engine.device), changes)
        if isinstance(self.model, SpikingNetwork) and not isinstance(self.teacher, SpikingNetwork):
            return self.model.summed(images)
        return images

    def _step(self, images: Tensor, labels: Tensor, taught: Tensor) -> Tensor:
        """Learn from one batch; return its summed loss, the sum of its scores, and its size.

        The teacher, if there is one, is shown ``taught`` in place of ``images``.
        """
        if self.monitor is not None:
            self.monitor.start_batch()
        logits = self.wrapped_model(images)
        loss = self.loss(logits, labels)
        if self.teacher is not None:
            with self.engine.autocast(self.teachers_precision), torch.no_grad():
                teachers = self.teacher(taught)
            loss = self.teaching.loss(loss, logits, teachers.to(logits.dtype))
        bare = loss.detach()
        for penalty in self.penalties:
            loss = loss + penalty(bare)
        self.wrapped_optimizer.zero_grad()
        self.engine.backward(loss)
        if self.monitor is not None:
            self.monitor.after_backward()
        if self.options.clip_gradient:
            self.engine.clip(self.wrapped_model, self.wrapped_optimizer, self.options.clip_gradient)
        self.wrapped_optimizer.step()
        self.schedule.step()
        if self.averaged is not None:
            self._follow(self.averaged)
        right = self.task.score(logits.detach(), labels)
        seen = torch.full_like(right, len(labels))
        return torch.stack([loss.detach() * len(labels), right, seen]).double()

    def _follow(self, averaged: nn.Module) -> None:
        """Update the running mean of the weights."""
        # At first a plain mean of the initial weights and all steps, which soon forgets the former.
        steps = self.schedule.done
        share = max(1 - self.options.average, 1 / (steps + 1))
        with torch.no_grad():
            now = self.model.state_dict()
            for key, value in averaged.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(now[key], share)
                else:
                    value.copy_(now[key])

    @contextmanager
    def _random(self) -> Iterator[None]:
        """Switch to the loop's own random numbers, for dropout; keep the caller's untouched."""
        device = self.engine.device
        cuda = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            # Streams without a saved state begin anew. After a resumption these are the streams of
            # all processes but the first, and a GPU's where the training began on a CPU.
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
        """Return the complete state of the training: tensors by name, and JSON values."""
        tensors = prefixed(self.model.state_dict(), "model")
        if self.averaged is not None:
            tensors |= prefixed(self.averaged.state_dict(), "averaged")
        moments, rest = optimizer_state(self.optimizer)
        tensors |= prefixed(moments, "optimizer") | prefixed(self.streams, "random")
        tensors["batches"] = self.generator.get_state()
        return tensors, {
            "done": self.done,
            "optimizer": rest,
            "schedule": self.schedule.state(),
            "engine": self.engine.state(),
        }

    def load_state(self, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> None:
        """Continue from a state of the same model, data and options."""
        self.model.load_state_dict(part_of(tensors, "model"))
        if self.averaged is not None:
            self.averaged.load_state_dict(part_of(tensors, "averaged"))
        load_optimizer_state(self.optimizer, part_of(tensors, "optimizer"), rest["optimizer"])
        self.schedule.load_state(rest["schedule"])
        self.engine.load_state(rest["engine"])
        self.generator.set_state(tensors["batches"])
        self.streams = part_of(tensors, "random") if self.engine.first else {}
        self.done = rest["done"]
