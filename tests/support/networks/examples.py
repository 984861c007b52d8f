"""Small example networks that hold every kind of part."""

from __future__ import annotations

from typing import Any

import numpy as np

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
    SpikeInput,
    SumPool,
)


def ints(*values: Any) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


def counted(source: str, weight: np.ndarray[Any, Any]) -> Connection:
    return Connection(source, "count", Linear(weight))


def firing() -> If:
    return If(ints(4), ints(2), ints(1), fraction_bits=1)


def logits_layer(source: str, weight: np.ndarray[Any, Any], timesteps: int = 1) -> Layer:
    neuron = Logits(np.zeros(len(weight), np.int64), fraction_bits=0)
    return Layer("out", timesteps, neuron, (counted(source, weight),))


def everything() -> Network:
    """Return a network with IF and ladder neurons, both pools, and counts and spikes."""
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


def recurrent() -> Network:
    """Return a network of a layer that reads its own spikes, with leaks and a reset of its own."""
    rng = np.random.default_rng(2)
    neuron = If(
        ints(9, 5, 7), ints(0, 1, 2), ints(0, 1, -1), 0, (2, -4), reset_value=ints(1, 0, -2)
    )
    loop = Layer(
        "loop",
        4,
        neuron,
        (
            counted("input", rng.integers(-3, 4, (3, 4))),
            Connection("loop", "spikes", Linear(rng.integers(-5, 6, (3, 3)))),
        ),
    )
    return Network(DirectInput((4,), 2), (loop, logits_layer("loop", ints([1, 2, 3], [3, -2, 1]))))


def every_kind() -> Network:
    """Return a network of the kinds of parts that :func:`everything` does not have."""
    rng = np.random.default_rng(1)
    depthwise = Conv2d(rng.integers(-3, 4, (2, 1, 3, 3)), padding=(1, 1), groups=2)
    pointwise = Conv2d(rng.integers(-3, 4, (2, 2, 1, 1)))
    parameters = (ints(6, 9), ints(3, 4), ints(-1, 1))
    return Network(
        SpikeInput((2, 4, 4), timesteps=3, highest=2),
        (
            Layer(
                "twice",
                3,
                Dual(*parameters, fraction_bits=0),
                (Connection("input", "spikes", depthwise),),
            ),
            Layer(
                "signs",
                5,
                Signed(ints(8, 6), ints(4, 6), ints(0, -2), 1, 1, 4),
                (
                    Connection("twice", "replicate", pointwise),
                    Connection("input", "count", Identity(ints(-2, 3))),
                ),
            ),
            Layer(
                "bursts",
                2,
                Burst(*parameters, fraction_bits=0, largest=3, leak=2),
                (Connection("signs", "truncate", Identity(ints(5, -4)), SumPool((2, 2))),),
            ),
            Layer(
                "steps",
                2,
                Ladder(ints([0, 6], [-3, 3], [1, 1])),
                (counted("bursts", rng.integers(-3, 4, (3, 8))),),
            ),
            logits_layer("steps", rng.integers(-3, 4, (2, 3))),
        ),
        name="every kind",
    )
