"""Tally of a layer's outputs over several batches, for the shares in its health."""

from __future__ import annotations

import torch
from torch import Tensor


class Tally:
    """Sums over the outputs of one layer's neurons, kept on their device."""

    def __init__(self) -> None:
        self._sums: Tensor | None = None
        self._alive: Tensor | None = None

    def add(self, fired: Tensor, share: Tensor, full: Tensor, *others: Tensor) -> None:
        """Add one batch.

        Parameters
        ----------
        fired : tensor of bool, shape (N, C, ...)
            Whether the output is not 0.
        share : tensor, of the same shape
            Spikes over T.
        full : tensor of bool, of any shape
            Whether the layer fires as much as it can.
        *others : tensor of bool, shape (N, C, ...)
            Other conditions to count.
        """
        total = fired.numel()
        parts = [fired, share, *others]
        sums = torch.stack(
            [part.sum(dtype=torch.float64) for part in parts]
            + [full.sum(dtype=torch.float64) * (total / full.numel())]
        )
        sums = torch.cat([sums, sums.new_tensor([total])])
        alive = fired.transpose(0, 1).flatten(1).any(1)
        self._sums = sums if self._sums is None else self._sums + sums
        self._alive = alive if self._alive is None else self._alive | alive

    @property
    def empty(self) -> bool:
        """Whether nothing was added."""
        return self._sums is None

    def result(self) -> tuple[dict[str, float], list[float]]:
        """Return shares by the names of :class:`LayerHealth`, and the counts of the ``others``."""
        assert self._sums is not None
        assert self._alive is not None
        fired, share, *others, full, total = self._sums.tolist()
        shares = {
            "zero": 1 - fired / total,
            "dead": 1 - float(self._alive.double().mean()),
            "rate": share / total,
            "saturation": full / total,
        }
        return shares, others


def activity(
    spikes: Tensor, largest: int, amplitudes: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the arguments of :meth:`Tally.add` for spikes over time.

    Parameters
    ----------
    spikes : tensor of whole numbers, shape (T, N, C, ...)
    largest : int
        Largest number of spikes in one timestep, 1 except for bursts.
    amplitudes : (int, int)
        Value of a positive and of a negative spike.

    Returns
    -------
    fired, share, full : tensors
        A spike that the neuron takes back later does not count.
    """
    plus, minus = amplitudes
    net = spikes.sum(0)
    count = torch.where(net < 0, -net / minus, net / plus)
    full = spikes >= largest if largest > 1 else count >= len(spikes)
    return net != 0, count / len(spikes), full
