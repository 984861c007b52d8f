"""Integer weights: for each channel the unit in which its currents are nearest to the real ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from spikeloom.sw.importing.fields import Reals
from spikeloom.sw.importing.model import Population, Way
from spikeloom.sw.importing.simulation import along
from spikeloom.sw.network.record import IntArray

#: Shares of the largest weight that are tried as the largest integer's worth.
SHARES = np.linspace(1.0, 0.4, 25)
#: Largest integer of the ways with larger weights than others.
WIDEST = (1 << 15) - 1
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
        Of the weights, 2 to 16. Of several ways into a layer, those with larger weights have more.

    Returns
    -------
    units : array of float64, shape (channels,)
    weights : list of array of int64
    """
    largest = (1 << (bits - 1)) - 1
    rows = [way.weights.reshape(population.shape[0], -1) for way in population.ways]
    tops = np.array([np.abs(row).max(1) for row in rows])
    if population.rule is None:
        tops = np.broadcast_to(tops.max(1, keepdims=True), tops.shape)
        exact = _plain(rows, largest)
        if exact is not None:
            units = np.full(tops.shape[1], exact)
            most = np.full(tops.shape, largest)
            return units, _all_rounded(population, units, most)
    whole = _whole_units(tops, largest)
    most = np.maximum(np.rint(tops / whole), 1)
    best, least = whole, np.full(len(whole), np.inf)
    for share in SHARES:
        units = whole * share
        errors = sum(
            _error(way, units, limit, sources)
            for way, limit in zip(population.ways, most, strict=True)
        )
        if population.rule is None:
            errors = np.full(len(whole), np.sum(errors))
        better = errors < least
        best, least = np.where(better, units, best), np.where(better, errors, least)
    return best, _all_rounded(population, best, most)


def _whole_units(tops: Reals, largest: int) -> Reals:
    """Return the units in which the largest weights of each channel are the largest integers.

    Of several ways, those with the smallest weights have ``largest``, and the others more: beside
    the spikes of a recurrent way, a pixel's single step is small.
    """
    present = np.where(tops > 0, tops, np.inf).min(0)
    units = np.maximum(present / largest, tops.max(0) / WIDEST)
    known = units[np.isfinite(units)]
    # A channel without weights takes what others have.
    rest = known.mean() if known.size else 1.0
    found: Reals = np.where(np.isfinite(units), units, rest)
    return found


def _all_rounded(population: Population, units: Reals, most: Reals) -> list[IntArray]:
    return [
        _rounded(way.weights, units, limit)
        for way, limit in zip(population.ways, most, strict=True)
    ]


def _plain(rows: list[Reals], largest: int) -> float | None:
    """Return the unit in which a readout's weights are small integers, such as ones; or None."""
    values = np.concatenate([row.reshape(-1) for row in rows])
    sizes = np.abs(values[values != 0])
    if not sizes.size:
        return 1.0
    unit = float(sizes.min())
    steps = values / unit
    return unit if np.array_equal(steps, np.rint(steps)) and sizes.max() / unit <= largest else None


def _rounded(weight: Reals, units: Reals, most: Reals) -> IntArray:
    each = (-1, *[1] * (weight.ndim - 1))
    limit = most.reshape(each)
    scaled = weight / units.reshape(each)
    integers: IntArray = np.clip(np.rint(scaled), -limit, limit).astype(np.int64)
    return integers


def _error(way: Way, units: Reals, most: Reals, sources: Mapping[str, Tensor] | None) -> Reals:
    """Return the mean squared error of each channel's currents."""
    weight = way.weights
    shaped = units.reshape(-1, *[1] * (weight.ndim - 1))
    off = _rounded(weight, units, most) * shaped - weight
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
