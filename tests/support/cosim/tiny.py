"""The network that the hand-written ``tiny.v`` computes, its description, and images for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikeloom.sim.design import Design, EngineInfo, Field, Taps
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


def tiny_design(network: Network) -> Design:
    def layer(
        name: str, neuron: str, shape: tuple[int, ...], timesteps: int, sends: str, value: Field
    ) -> EngineInfo:
        return EngineInfo(
            name=name,
            neuron=neuron,
            shape=shape,
            timesteps=timesteps,
            lanes=2,
            events=1,
            groups=-(-shape[0] // 2),
            sends=sends,
            units=2,
            steps_per_cycle=1,
            folded=False,
            taps=Taps(Field(10, True), Field(1, False), value),
        )

    return Design(
        verilog=SOURCE.read_text(),
        top="tiny",
        digest=network.digest,
        debug=True,
        counters=True,
        input_bits=4,
        input_transfers=4,
        output_transfers=2,
        payload_width=11,
        logit=Field(10, True),
        layers=(
            layer("hidden", "if", (3, 2, 2), 3, "count", Field(2, False)),
            layer("output", "logits", (2,), 1, "logits", Field(10, True)),
        ),
    )


def tiny_images(count: int, seed: int = 0) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, 16, (count, 1, 2, 2))
