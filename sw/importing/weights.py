"""Integer weights: for each channel the unit in which its currents come nearest to the real ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from spikeloom.sw.importing.graph import Reals
from spikeloom.sw.importing.model import Population, Way
from spikeloom.sw.importing.simulation import along
from spikeloom.sw.network.record import IntArray

#: Shares of the largest weight that are tried as the largest integer's worth.
SHARES = np.linspace(1.0, 0.4, 25)
#: Values of a source, images times timesteps, that errors are measured on.
SAMPLES = 256


def quantized(
    population: Population, sources: Mapping[str, Tensor] | None, bits: int
) -> tuple[Reals, list[IntArray]]:
    """Return the worth of one unit of the currents, and the integer weights of each way.

    All ways into a channel share its unit. It is the one with the least mean squared error of the
    currents under the values that the sources have for sample images, or of the weights if there
    are none. The channels of a readout share one unit, since their logits are compared.

    Parameters
    ----------
    population : Population
    sources : mapping of str to Tensor of float64, shape (T, N, *shape), optional
        Values of each source for sample images.
    bits : int
        Of the weights, 2 to 16.

    Returns
    -------
    units : array of float64, shape (channels,)
    weights : list of array of int64
    """
    largest = (1 << (bits - 1)) - 1
    rows = [way.weights.reshape(population.shape[0], -1) for way in population.ways]
    tops = np.max([np.abs(row).max(1) for row in rows], axis=0)
    if population.rule is None:
        tops = np.full_like(tops, tops.max())
        exact = _plain(rows, largest)
        if exact is not None:
            units = np.full(len(tops), exact)
            return units, [_rounded(way.weights, units, largest) for way in population.ways]
    # A channel without weights takes what another one has.
    some = tops[tops > 0]
    tops = np.where(tops > 0, tops, some.mean() if some.size else 1.0)
    best, least = tops / largest, np.full(len(tops), np.inf)
    for share in SHARES:
        units = tops * share / largest
        errors = sum(_error(way, units, largest, sources) for way in population.ways)
        if population.rule is None:
            errors = np.full(len(tops), np.sum(errors))
        better = errors < least
        best, least = np.where(better, units, best), np.where(better, errors, least)
    return best, [_rounded(way.weights, best, largest) for way in population.ways]


def _plain(rows: list[Reals], largest: int) -> float | None:
    """Return the unit in which a readout's weights are small integers, such as ones; or None."""
    values = np.concatenate([row.reshape(-1) for row in rows])
    sizes = np.abs(values[values != 0])
    if not sizes.size:
        return 1.0
    unit = float(sizes.min())
    steps = values / unit
    return unit if np.array_equal(steps, np.rint(steps)) and sizes.max() / unit <= largest else None


def _rounded(weight: Reals, units: Reals, largest: int) -> IntArray:
    scaled = weight / units.reshape(-1, *[1] * (weight.ndim - 1))
    integers: IntArray = np.clip(np.rint(scaled), -largest, largest).astype(np.int64)
    return integers


def _error(
    way: Way, units: Reals, largest: int, sources: Mapping[str, Tensor] | None
) -> Reals:
    """Return the mean squared error of each channel's currents."""
    weight = way.weights
    shaped = units.reshape(-1, *[1] * (weight.ndim - 1))
    off = _rounded(weight, units, largest) * shaped - weight
    if sources is None or way.source not in sources:
        found: Reals = (off.reshape(len(off), -1) ** 2).sum(1)
        return found
    with torch.inference_mode():
        wrong = along(way, sources[way.source], off).flatten(0, 1)
        squares = wrong.square().transpose(0, 1).flatten(1).mean(1)
    measured: Reals = squares.numpy()
    return measured


def samples(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a part of sources' values that is large enough to measure errors on."""
    kept = {}
    for name, one in values.items():
        steps = one.shape[0]
        images = max(1, SAMPLES // steps)
        kept[name] = one[:, :images]
    return kept
