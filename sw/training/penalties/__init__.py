"""Penalties: terms of the loss that make a network shorter, faster, or easier to convert.

In a loop of your own::

    penalty = TimestepPenalty(prepared, target=2.5)
    for epoch in range(epochs):
        with penalty:
            penalty.start_epoch()
            for images, labels in batches:
                loss = cross_entropy(prepared(images), labels)
                (loss + penalty(loss)).backward()
        print(penalty.summary())
"""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.training.penalties.lengths import Cost, CyclePenalty, TimestepPenalty, steps_of
from spikeloom.sw.training.penalties.penalty import Penalty
from spikeloom.sw.training.penalties.ranges import ClippingPenalty, VariancePenalty

__all__ = [
    "ClippingPenalty",
    "Cost",
    "CyclePenalty",
    "Penalty",
    "TimestepPenalty",
    "VariancePenalty",
    "penalty_named",
    "steps_of",
]


def penalty_named(name: str, model: nn.Module, **parameters: Any) -> Penalty:
    """Return a penalty by its name.

    Parameters
    ----------
    name : str
        A key of :attr:`Penalty.kinds`.
    model : nn.Module
    **parameters
        Parameters of the penalty's class.

    Raises
    ------
    ConfigError
        If there is no such penalty, it has no such parameter, or lacks one.
    """
    kind = Penalty.member(name, ConfigError, f"no penalty is called {name!r}; there are")
    try:
        inspect.signature(kind).bind(model, **parameters)
    except TypeError as error:
        known = ", ".join(list(inspect.signature(kind).parameters)[1:])
        raise ConfigError(
            f"the penalty {name!r} has the parameters {known}, not {parameters}: {error}"
        ) from None
    return kind(model, **parameters)
