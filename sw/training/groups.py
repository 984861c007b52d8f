"""Parameter groups: learning rate and weight decay for each kind of parameter of a model."""

from __future__ import annotations

from typing import Any

from torch import nn

from spikeloom.sw.quantized import Activation

#: Learning rate of the thresholds, relative to that of the weights.
LAMBDA_LR_FACTOR = 2.0
#: Learning rate of the parameters behind learned timesteps, relative to that of the weights.
TIMESTEP_LR_FACTOR = 5.0


def param_groups(
    model: nn.Module,
    lr: float,
    *,
    lambda_lr_factor: float = LAMBDA_LR_FACTOR,
    timestep_lr_factor: float = TIMESTEP_LR_FACTOR,
    weight_decay: float = 0.0,
) -> list[dict[str, Any]]:
    """Return parameter groups for any torch optimizer.

    The thresholds λ of activations get a learning rate of their own and no weight decay, which
    would pull them towards 1; so do learned timesteps. Biases and batch-norm parameters are not
    decayed either.

    Parameters
    ----------
    model : nn.Module
        A float model or a prepared one.
    lr : float
        Learning rate of the weights.
    lambda_lr_factor : float
        Learning rate of the thresholds, relative to ``lr``. The learned parameter is ln λ, or ln d
        of the step where ``learn`` is ``"n,d"``.
    timestep_lr_factor : float
        Learning rate, relative to ``lr``, of the parameters behind learned timesteps: t, n or ln d,
        see :mod:`~spikeloom.sw.quantized.activations.timesteps`. t moves on a scale of whole
        steps, so plain gradient descent may well need a larger one.
    weight_decay : float

    Returns
    -------
    list of dict
        Each has the keys ``name``, ``params``, ``lr`` and ``weight_decay``; the names are
        "weights", "biases", "thresholds" and "timesteps". Empty groups are left out.
    """
    activations = [module for module in model.modules() if isinstance(module, Activation)]
    steps = [p for activation in activations for p in activation.timesteps.learned()]
    special = {id(p) for p in steps}
    thresholds = [p for a in activations for p in a.parameters() if id(p) not in special]
    special |= {id(p) for p in thresholds}
    others = [p for p in model.parameters() if id(p) not in special and p.requires_grad]
    groups: list[dict[str, Any]] = [
        {
            "name": "weights",
            "params": [p for p in others if p.ndim > 1],
            "lr": lr,
            "weight_decay": weight_decay,
        },
        {
            "name": "biases",
            "params": [p for p in others if p.ndim <= 1],
            "lr": lr,
            "weight_decay": 0.0,
        },
        {
            "name": "thresholds",
            "params": thresholds,
            "lr": lr * lambda_lr_factor,
            "weight_decay": 0.0,
        },
        {
            "name": "timesteps",
            "params": steps,
            "lr": lr * timestep_lr_factor,
            "weight_decay": 0.0,
        },
    ]
    return [group for group in groups if group["params"]]
