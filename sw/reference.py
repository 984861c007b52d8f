"""The quantized ANN in real numbers (float64): what the integer network is compared with.

Written on purpose without absorption, thresholds or integers: convolve, add, clip, floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.folding import FoldedLayer, FoldedSynapses, fold
from spikeloom.sw.network.network import INPUT


@dataclass(frozen=True)
class ReferenceResult:
    """What the quantized ANN makes of some images.

    Parameters
    ----------
    logits : tensor of float64, shape (N, K)
    labels : tensor of int64, shape (N,)
        Largest logit, the lowest of equals.
    counts : mapping of layer name to tensor of int64, shape (N, *shape)
        ``L·y/λ`` of each activation y: the level from 0 to L that it took.
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
        From :func:`~spikeloom.sw.prepare.prepare`.
    images : integer array or tensor, shape (N, *input_shape)
        Pixels, as the network takes them.
    input_scale : float
        Real value of one pixel step.
    batch_size : int
    """
    layers = fold(prepared)
    pixels = torch.as_tensor(np.asarray(images))
    starts = range(0, len(pixels), batch_size)
    parts = [_run(layers, pixels[i : i + batch_size].double() * input_scale) for i in starts]
    logits = torch.cat([part[0] for part in parts])
    counts = {
        layer.name: torch.cat([part[1][layer.name] for part in parts]) for layer in layers[:-1]
    }
    return ReferenceResult(logits, torch.from_numpy(logits.numpy().argmax(1)), counts)


def _run(layers: list[FoldedLayer], images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    values = {INPUT: images}
    counts: dict[str, Tensor] = {}
    for layer in layers:
        total = sum((_currents(s, values[s.tap.source]) for s in layer.synapses), torch.zeros(()))
        bias = torch.from_numpy(layer.bias)
        total = total + bias.reshape(-1, *[1] * (total.ndim - 2))
        if layer.threshold is None or layer.levels is None:
            return total.flatten(1), counts
        level = torch.floor((total / layer.threshold).clamp(0, 1) * layer.levels + 0.5)
        counts[layer.name] = level.long()
        values[layer.name] = level * layer.threshold / layer.levels
    raise AssertionError("the last layer has a threshold")


def _currents(synapses: FoldedSynapses, source: Tensor) -> Tensor:
    pool = synapses.tap.pool
    if pool is not None:
        pooled = functional.avg_pool2d if pool.kind == "sum" else functional.max_pool2d
        source = pooled(source, pool.size)
    weight = torch.from_numpy(synapses.weight).double()
    scale = torch.from_numpy(synapses.scale).reshape(-1, *[1] * (weight.ndim - 1))
    if weight.ndim == 2:
        return functional.linear(source.flatten(1), weight * scale)
    return functional.conv2d(
        source, weight * scale, stride=synapses.stride, padding=synapses.padding
    )
