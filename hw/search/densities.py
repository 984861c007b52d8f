"""Densities: values of layers to search by where there are no sample images.

They are random, always the same, and as sparse as values of their kind usually are.
"""

from __future__ import annotations

import numpy as np

from spikeloom.sw.network import INPUT, Network, Range
from spikeloom.sw.network.record import IntArray

#: Share of values that are not zero, by the kind of source: pixels, counts of a layer, and spikes.
PIXELS, COUNTS, SPIKES = 0.5, 0.3, 0.15
#: Largest count that is drawn; larger ones are rare.
_LARGEST = 7


def typical(network: Network, images: int) -> dict[str, IntArray]:
    """Return values that the input and every firing layer might send, as of some images.

    Parameters
    ----------
    network : Network
    images : int
        Number of images.

    Returns
    -------
    dict of str to array of int64, shape (steps, N, *shape)
        As from :func:`~spikeloom.hw.prediction.activity`.
    """
    rng = np.random.default_rng(0)
    constant = all(c.constant for layer in network.layers for c in layer.connections)
    pixels = network.input.values()
    steps = network.input.steps
    sent = {
        INPUT: _drawn(
            rng,
            (steps or 1, images, *network.input.shape),
            pixels,
            SPIKES if steps else PIXELS,
            max(abs(pixels.low), pixels.high),
        )
    }
    for layer in network.layers:
        if layer.neuron.fires:
            ranges = network.ranges[layer.name]
            shape = (1 if constant else layer.timesteps, images, *network.shapes[layer.name])
            values = ranges.count if constant else ranges.spike
            share = COUNTS if constant else SPIKES
            sent[layer.name] = _drawn(rng, shape, values, share, _LARGEST)
    return sent


def _drawn(
    rng: np.random.Generator, shape: tuple[int, ...], values: Range, share: float, largest: int
) -> IntArray:
    """Return random values of a range, of which a share is not zero."""
    low, high = max(values.low, -largest), min(values.high, largest)
    drawn = rng.integers(low, high + 1, shape, dtype=np.int64)
    drawn[drawn == 0] = high if high else low
    drawn[rng.random(shape) >= share] = 0
    return drawn
