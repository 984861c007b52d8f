"""Networks that several tests start from."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeloom.sw.network import (
    Connection,
    Conv2d,
    DirectInput,
    If,
    Ladder,
    Layer,
    Linear,
    Logits,
    MaxPool,
    Network,
    SumPool,
)


def ints(*values: Any) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


def counted(source: str, weight: np.ndarray[Any, Any]) -> Connection:
    return Connection(source, "count", Linear(weight))


def logits_layer(source: str, weight: np.ndarray[Any, Any], timesteps: int = 1) -> Layer:
    neuron = Logits(np.zeros(len(weight), np.int64), fraction_bits=0)
    return Layer("out", timesteps, neuron, (counted(source, weight),))


def everything() -> Network:
    """Return a small network with every kind of part in it."""
    rng = np.random.default_rng(0)
    return Network(
        DirectInput((1, 5, 6), bits=3),
        (
            Layer(
                "conv",
                3,
                If(ints(9, 14), ints(4, 7), ints(-2, 1), fraction_bits=1),
                (
                    Connection(
                        "input",
                        "count",
                        Conv2d(rng.integers(-3, 4, (2, 1, 3, 3)), stride=(1, 2), padding=(1, 1)),
                    ),
                ),
            ),
            Layer(
                "again",
                3,
                If(ints(5), ints(0), ints(0), fraction_bits=0),
                (
                    Connection(
                        "conv", "spikes", Conv2d(rng.integers(-3, 4, (1, 2, 1, 1))), SumPool((2, 1))
                    ),
                ),
            ),
            Layer(
                "steps",
                2,
                Ladder(ints([0, 6], [-3, 3], [1, 1])),
                (
                    Connection(
                        "conv", "count", Linear(rng.integers(-3, 4, (3, 4))), MaxPool((2, 2))
                    ),
                    Connection("again", "count", Linear(rng.integers(-300, 300, (3, 6)))),
                ),
            ),
            Layer(
                "out",
                1,
                Logits(ints(3, -2), fraction_bits=2),
                (counted("steps", rng.integers(-3, 4, (2, 3))),),
            ),
        ),
        name="everything",
        about={"accuracy": 0.5, "recipe": ["a", {"b": None}]},
    )
