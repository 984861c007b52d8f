"""Optimizers and learning rates over time, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler

from spikeloom.sw.training.options import Fitting


def _adamw(groups: list[dict[str, Any]], chosen: Fitting) -> Optimizer:
    return AdamW(groups, lr=chosen.lr)


def _sgd(groups: list[dict[str, Any]], chosen: Fitting) -> Optimizer:
    return SGD(groups, lr=chosen.lr, momentum=chosen.momentum, nesterov=chosen.nesterov)


def _cosine(optimizer: Optimizer, steps: int) -> LRScheduler:
    return CosineAnnealingLR(optimizer, max(1, steps))


def _constant(optimizer: Optimizer, steps: int) -> LRScheduler:
    del steps
    return LambdaLR(optimizer, lambda step: 1.0)


_OPTIMIZERS: dict[str, Callable[[list[dict[str, Any]], Fitting], Optimizer]] = {
    "adamw": _adamw,
    "sgd": _sgd,
}
_SCHEDULES: dict[str, Callable[[Optimizer, int], LRScheduler]] = {
    "cosine": _cosine,
    "constant": _constant,
}


def optimizer(groups: list[dict[str, Any]], chosen: Fitting) -> Optimizer:
    """Return the optimizer that is asked for.

    Parameters
    ----------
    groups : list of dict
        From :func:`~spikeloom.sw.training.param_groups`.
    chosen : Fitting
    """
    return _OPTIMIZERS[chosen.optimizer](groups, chosen)


class Schedule:
    """Learning rates, step by step: a linear rise, and then what the schedule's name says.

    Parameters
    ----------
    optimizer : Optimizer
        The learning rates that its groups have now are those at the end of the rise.
    chosen : Fitting
        ``schedule``, ``warmup`` and ``epochs``.
    batches : int
        Steps of an epoch.
    """

    def __init__(self, optimizer: Optimizer, chosen: Fitting, batches: int) -> None:
        self.optimizer = optimizer
        self.rise = round(chosen.warmup * batches)
        self.full = [group["lr"] for group in optimizer.param_groups]
        steps = chosen.epochs * batches - self.rise
        self.after = _SCHEDULES[chosen.schedule](optimizer, steps)
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
        """Return what :meth:`load_state` needs, as JSON values."""
        return {"done": self.done, "after": self.after.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where :meth:`state` was taken; the optimizer's groups are loaded by themselves."""
        self.done = state["done"]
        self.after.load_state_dict(state["after"])


def optimizer_state(optimizer: Optimizer) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return an optimizer's state as tensors by name, and JSON values.

    Returns
    -------
    tensors : dict of ``"parameter.name"`` to tensor
    rest : dict
        What are no tensors, by the same names, and the groups.
    """
    state = optimizer.state_dict()
    flat = {f"{i}.{k}": v for i, entries in state["state"].items() for k, v in entries.items()}
    tensors = {key: value for key, value in flat.items() if isinstance(value, torch.Tensor)}
    rest = {key: value for key, value in flat.items() if key not in tensors}
    return tensors, {"state": rest, "groups": state["param_groups"]}


def load_optimizer_state(
    optimizer: Optimizer, tensors: dict[str, torch.Tensor], rest: dict[str, Any]
) -> None:
    """Give an optimizer the state that :func:`optimizer_state` returned."""
    entries: dict[int, dict[str, Any]] = {}
    for key, value in (tensors | rest["state"]).items():
        index, _, name = key.partition(".")
        entries.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": entries, "param_groups": rest["groups"]})
