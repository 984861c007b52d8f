"""The network that the hand-written ``tiny.v`` computes, its sidecar, and images for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikeloom.sim.design import Design
from spikeloom.sw.network import Connection, Conv2d, DirectInput, If, Layer, Linear, Logits, Network

SOURCE = Path(__file__).with_name("tiny.v")


def tiny_network() -> Network:
    k = np.arange(12)
    return Network(
        DirectInput((1, 2, 2), bits=4),
        (
            Layer(
                "hidden",
                3,
                If(
                    threshold=np.array([20, 5, 7]),
                    initial=np.array([10, 2, 3]),
                    bias=np.array([1, 12, -2]),
                    fraction_bits=0,
                ),
                (Connection("input", "count", Conv2d(np.array([3, -2, 1]).reshape(3, 1, 1, 1))),),
            ),
            Layer(
                "output",
                1,
                Logits(bias=np.array([-20, 6]), fraction_bits=0),
                (Connection("hidden", "count", Linear(np.stack([k - 5, 4 - k]))),),
            ),
        ),
        name="tiny",
    )


#: Defects that ``tiny.v`` can be given: values of its argument ``+defect=``.
POTENTIAL, HANG, SURPLUS, MISSING, LAST, UNSTABLE, COUNT, CRASH = range(1, 9)


def tiny_sidecar(network: Network) -> dict[str, Any]:
    def layer(
        name: str, neuron: str, shape: list[int], timesteps: int, sends: str, value: Any
    ) -> Any:
        return {
            "name": name,
            "neuron": neuron,
            "shape": shape,
            "timesteps": timesteps,
            "lanes": 2,
            "events": 1,
            "groups": -(-shape[0] // 2),
            "sends": sends,
            "units": 2,
            "steps_per_cycle": 1,
            "folded": False,
            "tap": {
                "potential": {"width": 10, "signed": True},
                "spike": {"width": 1, "signed": False},
                "value": value,
            },
        }

    return {
        "format": "spikeloom-hardware",
        "version": 1,
        "top": "tiny",
        "network": {"name": "tiny", "digest": network.digest},
        "debug": True,
        "counters": True,
        "input": {"shape": [1, 2, 2], "bits": 4, "timesteps": 1, "transfers": 4},
        "output": {
            "classes": 2,
            "transfers": 2,
            "logit_width": 10,
            "payload_width": 11,
            "signed": True,
        },
        "layers": [
            layer("hidden", "if", [3, 2, 2], 3, "count", {"width": 2, "signed": False}),
            layer("output", "logits", [2], 1, "logits", {"width": 10, "signed": True}),
        ],
    }


def tiny_design(network: Network) -> Design:
    return Design.from_sidecar(SOURCE.read_text(), tiny_sidecar(network), "tiny.json")


def tiny_images(count: int, seed: int = 0) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, 16, (count, 1, 2, 2))
