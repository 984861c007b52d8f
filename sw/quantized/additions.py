"""Additions: one unit for all connections of a layer, already while it is trained.

An accumulator adds up integers, so one unit must be worth the same on all connections of a layer.
The unit that suits a connection best is the scale of its quantized weights, times the gain of its
batch-norm, times the worth of one count of its source. If each connection kept its own unit,
conversion would have to round the weights of all connections but one. So the quantized model
computes with one unit from the beginning: the scale of every connection's weights is derived from
it, and a shortcut, whose weight is 1, is a whole number of units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from spikeloom.sw.quantized.activations import Activation

#: Width in bits to which narrower weights may grow where another connection's unit is finer than
#: theirs: 8-bit networks have it anyway, and ternary networks can spare it.
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
        Activation of the layer that it reads; or, if it reads the input, the real value of one unit
        of the input, None if that is not known.
    area : int
        Area of its pool, by which an average divides; 1 without a pool.
    module : Weighted or None
        Its weights; None for a shortcut, which adds its source's values unchanged.
    norm : batch-norm or None
        Batch-norm behind the weights.
    filled : tensor of bool, shape (channels,), optional
        Of a shortcut: the channels that it adds to; all, if left out.
    """

    source: Activation | float | None
    area: int = 1
    module: Weighted | None = None
    norm: Any = None
    filled: Tensor | None = None

    def worth(self) -> Tensor | float:
        """Return the real value of one count of its source."""
        if not isinstance(self.source, Activation):
            return (1.0 if self.source is None else self.source) / self.area
        activation = self.source
        log_threshold, levels = activation.timesteps.resolve(activation.log_threshold.double())
        units = (activation.levels if levels is None else levels) * activation.amplitudes[0]
        return log_threshold.exp() / units / self.area

    def gain(self) -> Tensor | float:
        """Return the magnitude of its batch-norm's gain, shape (channels,); 1 without one."""
        return 1.0 if self.norm is None else gain_of(self.norm).abs()


class Addition:
    """The unit that all connections of a layer share: one per channel, or one for the output layer.

    It is the coarsest of the connections' own units. (A finer one would make the other connections'
    weights wide, and the sum hardly less noisy.) Where weights have few bits, the unit is as fine
    as the finest of the connections' own units, as far as no weights need more than `GROWN_BITS`
    for that. Where there is a shortcut, the unit is then made coarser, by a factor of less than
    two, so that one count of the shortcut's source is a whole number of units. Of several
    shortcuts, this holds for the one whose count is worth least; the others' weights are rounded in
    conversion.

    Parameters
    ----------
    branches : sequence of Branch
        The layer's connections; at least one has weights.
    output : bool
        Whether the layer is the output layer, whose logits are compared.
    """

    def __init__(self, branches: Sequence[Branch], *, output: bool = False) -> None:
        known = [branch for branch in branches if branch.source is not None]
        # If all branches read an input of unknown worth, that worth cancels out.
        comparable = known or branches
        self.weighted = [b for b in comparable if b.module is not None]
        self.shortcuts = [b for b in comparable if b.module is None]
        self.output = output

    def scale(self, module: Weighted) -> Tensor:
        """Return the real value of one unit of a module's weights.

        Parameters
        ----------
        module : Weighted
            The weights of one of the branches.

        Returns
        -------
        tensor of float64, shape (channels,)
            With it, a unit is worth the same on every branch, behind its batch-norm.
        """
        with torch.no_grad():
            own = module.scale.double().expand(len(module.weight))
            branch = next((b for b in self.weighted if b.module is module), None)
            if branch is None:
                return own
            each = branch.gain() * branch.worth() * torch.ones_like(own)
            return torch.where(each > 0, self._unit(own) / each, own)

    def _unit(self, like: Tensor) -> Tensor:
        """Return the unit of each channel, 1 for a channel without weights; shaped as ``like``."""
        found = [self._own(branch) for branch in self.weighted]
        coarsest = torch.stack([unit for unit, _ in found]).amax(0)
        finest = torch.stack([torch.where(unit > 0, unit, torch.inf) for unit, _ in found]).amin(0)
        grown = torch.stack([unit / growth for unit, growth in found]).amax(0)
        if self.output:
            coarsest, finest, grown = coarsest.amax(), finest.amin(), grown.amax()
        unit = torch.minimum(torch.maximum(finest, grown), coarsest).expand_as(like)
        if self.shortcuts:
            worths = [_worth_of(branch, unit) for branch in self.shortcuts]
            count = torch.stack(worths).amin(0)
            units = (count / unit).floor().clamp(1, 1 << MAX_SHORTCUT)
            there = torch.isfinite(count) & (count * (1 << MAX_GROWTH) >= unit)
            unit = torch.where(there, count / units, unit)
        return torch.where(unit > 0, unit, 1.0)

    def _own(self, branch: Branch) -> tuple[Tensor, int]:
        """Return a branch's own unit per channel, 0 without weights, and its factor of growth."""
        module = branch.module
        assert module is not None
        live = module.weight.detach().flatten(1).any(1)
        unit = module.scale.double() * branch.gain() * branch.worth()
        return torch.where(live, unit, 0.0), 1 << max(0, GROWN_BITS - module.bits)


def _worth_of(branch: Branch, like: Tensor) -> Tensor:
    """Return a shortcut's worth per channel, infinite where it adds nothing; shaped as ``like``."""
    worth = torch.as_tensor(branch.worth(), dtype=like.dtype).to(like).expand_as(like)
    if branch.filled is None:
        return worth
    return torch.where(branch.filled.to(like.device), worth, torch.inf)


def gain_of(norm: Any) -> Tensor:
    """Return a batch-norm's gain from its running statistics, float64 of shape (channels,)."""
    with torch.no_grad():
        variance = norm.running_var.double()
        gamma = torch.ones_like(variance) if norm.weight is None else norm.weight.double()
        return gamma / torch.sqrt(variance + norm.eps)
