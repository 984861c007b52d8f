"""Reference: the quantized ANN in float64, with which the integer network is compared.

It does without absorption, units and integer thresholds on purpose: convolve, add, clip, floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from spikeloom.sw.coding import FoldedLayer, fold
from spikeloom.sw.coding.folding import FoldedSynapses, pooled
from spikeloom.sw.network import INPUT
from spikeloom.sw.network.inputs import along_channels
from spikeloom.sw.quantized.input_grid import input_grid_of


@dataclass(frozen=True)
class ReferenceResult:
    """The values that the quantized ANN computes for N images.

    Parameters
    ----------
    logits : tensor of float64, shape (N, K)
    labels : tensor of int64, shape (N,)
        Largest logit, the lowest of equals.
    counts : mapping of layer name to tensor of int64, shape (N, *shape)
        ``L·a_P·y/λ`` of each activation y: its level from 0 to L; for a leaky ReLU with spike
        values a_P and a_N, from ``-L·a_N`` to ``L·a_P``.
    """

    logits: Tensor
    labels: Tensor
    counts: dict[str, Tensor]


def reference(
    prepared: nn.Module,
    images: npt.NDArray[Any] | Tensor,
    input_scale: float,
    batch_size: int = 256,
) -> ReferenceResult:
    """Run the quantized ANN, with batch-norm folded, in float64.

    Parameters
    ----------
    prepared : nn.Module
        From :func:`~spikeloom.sw.quantized.prepare`.
    images : integer array or tensor, shape (N, *input_shape)
        Pixels or counts, as the network takes them; of spikes, the sum over the time axis.
    input_scale : float
        Real value of one pixel step or count; of a model that rounds its input to pixels, the unit
        of its grid.
    batch_size : int
    """
    layers = fold(prepared)
    pixels = torch.as_tensor(np.asarray(images)).long()
    grid = input_grid_of(prepared)
    if grid is not None:
        pixels = pixels - along_channels(torch.tensor(grid.zeros), pixels.ndim)
    starts = range(0, len(pixels), batch_size)
    parts = [_run(layers, pixels[i : i + batch_size].double() * input_scale) for i in starts]
    logits = torch.cat([part[0] for part in parts])
    counts = {name: torch.cat([part[1][name] for part in parts]) for name in parts[0][1]}
    return ReferenceResult(logits, torch.from_numpy(logits.numpy().argmax(1)), counts)


def _run(layers: list[FoldedLayer], images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    values = {INPUT: images}
    counts: dict[str, Tensor] = {}
    for folded in layers:
        total = sum(
            (
                synapses.currents(
                    pooled(synapses.tap.pool, values[synapses.tap.source]), _real(synapses)
                )
                for synapses in folded.synapses
            ),
            torch.zeros(()),
        )
        bias = torch.from_numpy(folded.bias)
        total = total + bias.reshape(-1, *[1] * (total.ndim - 2))
        activation = folded.activation
        if activation is None:
            return total.flatten(1), counts
        counts[folded.name] = activation.counts(total)
        units = activation.levels * activation.amplitudes[0]
        values[folded.name] = counts[folded.name].double() * (activation.threshold / units)
    raise AssertionError("the last layer has a threshold")


def _real(synapses: FoldedSynapses) -> Tensor:
    """Return the real weights of a connection."""
    scale = torch.from_numpy(synapses.scale)
    weight = torch.from_numpy(synapses.weight).double()
    # An average pool divides already.
    scale = scale / synapses.summed
    return weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
