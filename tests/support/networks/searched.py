"""Small networks whose plans are searched for, and what their layers send."""

from __future__ import annotations

import numpy as np

from spikeloom.hw.prediction import activity
from spikeloom.sw.network import Connection, Conv2d, DirectInput, If, Layer, Network
from spikeloom.sw.network.record import IntArray
from support.networks.examples import logits_layer


def small(seed: int) -> Network:
    """Return a convolution of 4 channels, one of 6, and 4 logits, with random weights."""
    rng = np.random.default_rng(seed)

    def conv(source: str, outs: int, ins: int) -> Connection:
        weight = rng.integers(-4, 5, (outs, ins, 3, 3))
        return Connection(source, "count", Conv2d(weight, padding=(1, 1)))

    def neurons(channels: int) -> If:
        zeros = np.zeros(channels, np.int64)
        return If(rng.integers(9, 30, channels), zeros, zeros, fraction_bits=0)

    return Network(
        DirectInput((1, 4, 4), bits=3),
        (
            Layer("first", 4, neurons(4), (conv("input", 4, 1),)),
            Layer("second", 3, neurons(6), (conv("first", 6, 4),)),
            logits_layer("second", rng.integers(-5, 6, (4, 96))),
        ),
    )


def sent(network: Network, seed: int) -> dict[str, IntArray]:
    """Return the activity of two sparse images."""
    rng = np.random.default_rng(seed + 100)
    values = rng.integers(0, 8, (2, 1, 4, 4), dtype=np.int64)
    return activity(network, values * (rng.random(values.shape) < 0.5))
