"""Additions: the unit that all connections of a layer have in common, while it is trained.

An accumulator adds up integers, so one unit of it must be worth the same whichever connection it
came by. Each connection's own best unit is the scale of its quantized weights, times the gain of
its batch-norm, times the worth of one count of its source. Were they left as they are, conversion
would have to round all but one of them. So the quantized model computes with one unit from the
beginning: the scale of every connection's weights is derived from it, and a shortcut, whose weight
is 1, is a whole number of units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from spikeloom.sw.quantized.activations import Activation

#: Bits up to which weights grow where another connection's unit is finer: what 8-bit networks have
#: anyway, and ternary ones can spare.
GROWN_BITS = 8
#: Bits by which weights may grow to be multiples of another connection's smaller unit, ...
MAX_GROWTH = 8
#: ... and bits that the weight of a shortcut may have, since it starts from 1.
MAX_SHORTCUT = 16


class Weighted(Protocol):
    """A module with quantized weights, as additions see it."""

    weight: Tensor
    scale: Tensor
    bits: int


@dataclass(frozen=True, eq=False)
class Branch:
    """One connection of a layer.

    Parameters
    ----------
    source : Activation, float or None
        Where it reads: what fires there, or the real value of one unit of the input; None if that
        is not known.
    area : int
        Values that its pool adds up for an average; 1 without.
    module : Weighted or None
        Its weights; None for a shortcut, which adds what it reads as it is.
    norm : batch-norm or None
        Behind the weights.
    """

    source: Activation | float | None
    area: int = 1
    module: Weighted | None = None
    norm: Any = None

    def worth(self) -> Tensor | float:
        """Return the real value of one count of what it reads."""
        if not isinstance(self.source, Activation):
            return (1.0 if self.source is None else self.source) / self.area
        activation = self.source
        log_threshold, levels = activation.timesteps.resolve(activation.log_threshold.double())
        units = (activation.levels if levels is None else levels) * activation.amplitudes[0]
        return log_threshold.exp() / units / self.area

    def gain(self) -> Tensor | float:
        """Return the magnitude of the batch-norm's gain, shape (channels,)."""
        return 1.0 if self.norm is None else gain_of(self.norm).abs()


class Addition:
    """One unit per channel for all connections of a layer; of the output layer, one for all.

    The unit is the coarsest that any connection's weights have by themselves. (Finer units of the
    others would make their weights wide, and the noise of the sum hardly less.) Weights of few
    bits keep their own, if that is finer, up to `GROWN_BITS`. Where there is a shortcut, the unit
    is coarsened on, by less than two, until one count of its source is a whole number of units. Of
    several shortcuts that holds for the finest one; the others' weights are rounded in conversion.

    Parameters
    ----------
    branches : sequence of Branch
        At least one has weights.
    output : bool
        Whether the layer is the output layer, whose logits are compared.
    """

    def __init__(self, branches: Sequence[Branch], *, output: bool = False) -> None:
        known = [branch for branch in branches if branch.source is not None]
        # What the input is worth cancels if all read it.
        alike = all(branch.source is None for branch in branches)
        self.weighted = [b for b in (branches if alike else known) if b.module is not None]
        self.shortcuts = [b for b in (branches if alike else known) if b.module is None]
        self.output = output

    def scale(self, module: Weighted) -> Tensor:
        """Return the real value of one unit of a module's weights.

        Parameters
        ----------
        module : Weighted
            Of one of the branches.

        Returns
        -------
        tensor of float64, shape (channels,)
            So that a unit of every branch, through its batch-norm, is worth the same.
        """
        with torch.no_grad():
            own = module.scale.double().expand(len(module.weight))
            branch = next((b for b in self.weighted if b.module is module), None)
            if branch is None:
                return own
            each = branch.gain() * branch.worth() * torch.ones_like(own)
            return torch.where(each > 0, self._unit(own) / each, own)

    def _unit(self, like: Tensor) -> Tensor:
        """Return the unit of each channel; any, if it has no weights."""
        found = [self._own(branch) for branch in self.weighted]
        coarsest = torch.stack([unit for unit, _ in found]).amax(0)
        finest = torch.stack([torch.where(unit > 0, unit, torch.inf) for unit, _ in found]).amin(0)
        grown = torch.stack([unit / growth for unit, growth in found]).amax(0)
        if self.output:
            coarsest, finest, grown = coarsest.amax(), finest.amin(), grown.amax()
        unit = torch.minimum(torch.maximum(finest, grown), coarsest).expand_as(like)
        if self.shortcuts:
            worths = [torch.as_tensor(b.worth(), dtype=unit.dtype).to(unit) for b in self.shortcuts]
            count = torch.stack(worths).amin()
            units = (count / unit).floor().clamp(1, 1 << MAX_SHORTCUT)
            unit = torch.where(count * (1 << MAX_GROWTH) >= unit, count / units, unit)
        return torch.where(unit > 0, unit, 1.0)

    def _own(self, branch: Branch) -> tuple[Tensor, int]:
        """Return a branch's own unit per channel, 0 without weights, and how far it may grow."""
        module = branch.module
        assert module is not None
        live = module.weight.detach().flatten(1).any(1)
        unit = module.scale.double() * branch.gain() * branch.worth()
        return torch.where(live, unit, 0.0), 1 << max(0, GROWN_BITS - module.bits)


def gain_of(norm: Any) -> Tensor:
    """Return a batch-norm's gain by its running statistics, float64 of shape (channels,)."""
    with torch.no_grad():
        variance = norm.running_var.double()
        gamma = torch.ones_like(variance) if norm.weight is None else norm.weight.double()
        return gamma / torch.sqrt(variance + norm.eps)
