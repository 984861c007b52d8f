"""Small networks for tests of hardware, with hardware's parameters that fit them."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeloom.hw.planning import HardwareConfig
from spikeloom.sw.network import (
    Burst,
    Connection,
    Conv2d,
    DirectInput,
    Dual,
    Identity,
    If,
    Ladder,
    Layer,
    Linear,
    Logits,
    MaxPool,
    Network,
    Signed,
)
from support.networks.examples import logits_layer


def showcase() -> Network:
    """Return a small chain of layers with IF, ladder and logits neurons, counts and spikes."""
    rng = np.random.default_rng(0)

    def weight(*shape: int) -> np.ndarray[Any, Any]:
        return rng.integers(-7, 8, shape)

    def neurons(channels: int) -> If:
        threshold = rng.integers(20, 40, channels)
        return If(threshold, threshold // 2, rng.integers(-9, 10, channels), fraction_bits=1)

    conv = Conv2d(weight(3, 2, 3, 3), padding=(1, 1))
    ladder = Ladder(np.sort(rng.integers(-20, 60, (5, 3)), axis=1))
    layers = (
        Layer("conv", 2, neurons(3), (Connection("input", "count", conv),)),
        Layer(
            "steps",
            3,
            ladder,
            (Connection("conv", "count", Linear(weight(5, 12)), MaxPool((2, 2))),),
        ),
        Layer("spiking", 3, neurons(4), (Connection("steps", "count", Linear(weight(4, 5))),)),
        Layer(
            "out",
            3,
            Logits(rng.integers(-9, 10, 5), fraction_bits=1),
            (Connection("spiking", "spikes", Linear(weight(5, 4))),),
        ),
    )
    return Network(DirectInput((2, 4, 5), bits=3), layers, name="showcase")


#: Lanes that do not divide the channels, and events from one bank and from several.
SHOWCASE = HardwareConfig(
    lanes={"conv": 2, "steps": 2, "spiking": 3, "out": 3}, events={"conv": 2, "steps": 2}
)


def showcase_images(count: int = 2) -> np.ndarray[Any, Any]:
    return np.random.default_rng(count).integers(0, 8, (count, 2, 4, 5))


def residual() -> Network:
    """Return a small network with shortcuts, grouped convolutions and different timesteps."""
    rng = np.random.default_rng(2)

    def conv(source: str, transport: str, outs: int, ins: int, groups: int = 1) -> Connection:
        weight = rng.integers(-7, 8, (outs, ins // groups, 3, 3))
        return Connection(source, transport, Conv2d(weight, padding=(1, 1), groups=groups))

    def channels(low: int, high: int) -> np.ndarray[Any, Any]:
        return rng.integers(low, high, 4)

    def shortcut(source: str, transport: str) -> Connection:
        return Connection(source, transport, Identity(channels(5, 30)))

    stem = If(channels(30, 90), channels(3, 9), channels(-9, 10), fraction_bits=1)
    inner = Dual(channels(6, 12), channels(0, 6), channels(-3, 4), fraction_bits=0)
    depthwise = Signed(channels(9, 20), channels(9, 20), channels(-3, 4), fraction_bits=0)
    outer = Burst(channels(9, 20), channels(0, 9), channels(-3, 4), fraction_bits=0, largest=3)
    size = 4 * 3 * 3
    layers = (
        Layer("stem", 2, stem, (conv("input", "count", 4, 2),)),
        Layer("inner", 2, inner, (conv("stem", "spikes", 4, 4, groups=2),)),
        Layer("depthwise", 4, depthwise, (conv("inner", "replicate", 4, 4, groups=4),)),
        Layer(
            "outer",
            3,
            outer,
            (
                conv("depthwise", "truncate", 4, 4),
                shortcut("stem", "count"),
                shortcut("inner", "replicate"),
            ),
        ),
        Layer(
            "out",
            1,
            Logits(rng.integers(-9, 10, 3), fraction_bits=0),
            (
                Connection(
                    "outer", "count", Linear(rng.integers(-7, 8, (3, size))), MaxPool((2, 2))
                ),
            ),
        ),
    )
    return Network(DirectInput((2, 6, 6), bits=3), layers, name="residual")


#: Two events, and so two banks, also for the grouped convolutions.
RESIDUAL = HardwareConfig(lanes=2, events={"inner": 2, "depthwise": 2, "outer": 2}, time="fold")


def residual_images(count: int = 2) -> np.ndarray[Any, Any]:
    return np.random.default_rng(count).integers(0, 8, (count, 2, 6, 6))


def silent(channels: int) -> If:
    """Return IF neurons with the threshold 9, which begin at 0 and have no bias."""
    zeros = np.zeros(channels, np.int64)
    return If(np.full(channels, 9), zeros, zeros, fraction_bits=0)


def conv(source: str, outs: int, ins: int, side: int = 3, transport: str = "count") -> Connection:
    """Return a connection by a convolution that keeps height and width."""
    weight = np.arange(outs * ins * side * side).reshape(outs, ins, side, side) % 7 - 3
    return Connection(source, transport, Conv2d(weight, padding=(side // 2, side // 2)))


def chain() -> Network:
    """Return 3 channels, 6 by 6, then 5 channels, then 4 logits."""
    return Network(
        DirectInput((2, 6, 6), bits=4),
        (
            Layer("first", 4, silent(3), (conv("input", 3, 2),)),
            Layer("second", 4, silent(5), (conv("first", 5, 3, transport="spikes"),)),
            logits_layer("second", np.ones((4, 180), np.int64)),
        ),
    )
