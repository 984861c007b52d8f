"""Optimizers by name, their state, and schedules of learning rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler

from spikeloom.sw.training.options import FitOptions


def _adamw(groups: list[dict[str, Any]], options: FitOptions) -> Optimizer:
    return AdamW(groups, lr=options.lr)


def _sgd(groups: list[dict[str, Any]], options: FitOptions) -> Optimizer:
    return SGD(groups, lr=options.lr, momentum=options.momentum, nesterov=options.nesterov)


def _cosine(optimizer: Optimizer, steps: int) -> LRScheduler:
    return CosineAnnealingLR(optimizer, max(1, steps))


def _constant(optimizer: Optimizer, steps: int) -> LRScheduler:
    del steps
    return LambdaLR(optimizer, lambda step: 1.0)


_OPTIMIZERS: dict[str, Callable[[list[dict[str, Any]], FitOptions], Optimizer]] = {
    "adamw": _adamw,
    "sgd": _sgd,
}
_SCHEDULES: dict[str, Callable[[Optimizer, int], LRScheduler]] = {
    "cosine": _cosine,
    "constant": _constant,
}


def optimizer(groups: list[dict[str, Any]], options: FitOptions) -> Optimizer:
    """Return the optimizer that the options name.

    Parameters
    ----------
    groups : list of dict
        From :func:`~spikeloom.sw.training.param_groups`.
    options : FitOptions
    """
    return _OPTIMIZERS[options.optimizer](groups, options)


class Schedule:
    """Learning rates step by step: a linear rise, then the schedule of the given name.

    Parameters
    ----------
    optimizer : Optimizer
        The present learning rates of its groups are those at the end of the rise.
    options : FitOptions
        ``schedule``, ``warmup`` and ``epochs``.
    batches : int
        Steps per epoch.
    """

    def __init__(self, optimizer: Optimizer, options: FitOptions, batches: int) -> None:
        self.optimizer = optimizer
        self.rise = round(options.warmup * batches)
        self.full = [group["lr"] for group in optimizer.param_groups]
        steps = options.epochs * batches - self.rise
        self.after = _SCHEDULES[options.schedule](optimizer, steps)
        self.done = 0
        self._raise_to(self.done)

    def step(self) -> None:
        """Set the learning rates for the next step; called after each step of the optimizer."""
        self.done += 1
        if self.done <= self.rise:
            self._raise_to(self.done)
        else:
            self.after.step()

    def _raise_to(self, done: int) -> None:
        if done < self.rise or done == self.rise > 0:
            for group, full in zip(self.optimizer.param_groups, self.full, strict=True):
                group["lr"] = full * (done + 1) / (self.rise + 1) if done < self.rise else full

    def state(self) -> dict[str, Any]:
        """Return the state of the schedule as JSON values, for :meth:`load_state`."""
        return {"done": self.done, "after": self.after.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from the state that :meth:`state` returned.

        The optimizer's groups have a state of their own; see :func:`load_optimizer_state`.
        """
        self.done = state["done"]
        self.after.load_state_dict(state["after"])


def optimizer_state(optimizer: Optimizer) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return an optimizer's state, split into tensors and JSON values.

    Returns
    -------
    tensors : dict of ``"parameter.name"`` to tensor
    rest : dict
        ``state``, all other entries by the same names, and ``groups``, the parameter groups.
    """
    state = optimizer.state_dict()
    flat = {f"{i}.{k}": v for i, entries in state["state"].items() for k, v in entries.items()}
    tensors = {key: value for key, value in flat.items() if isinstance(value, torch.Tensor)}
    rest = {key: value for key, value in flat.items() if key not in tensors}
    return tensors, {"state": rest, "groups": state["param_groups"]}


def load_optimizer_state(
    optimizer: Optimizer, tensors: dict[str, torch.Tensor], rest: dict[str, Any]
) -> None:
    """Load the state that :func:`optimizer_state` returned into an optimizer."""
    entries: dict[int, dict[str, Any]] = {}
    for key, value in (tensors | rest["state"]).items():
        index, _, name = key.partition(".")
        entries.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": entries, "param_groups": rest["groups"]})
