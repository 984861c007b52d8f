"""The built-in self test around real accelerators, in Amaranth's simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring
from amaranth.sim import Simulator
from support.hw.components import Bench, small_plan
from support.networks.examples import every_kind, everything

from spikeloom.hw.accelerator import Accelerator
from spikeloom.hw.build import Images
from spikeloom.hw.planning import HardwareConfig, plan
from spikeloom.hw.selftest import SelfTest, in_order
from spikeloom.sw.errors import DataError
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Network


class Pair(Elaboratable):
    def __init__(self, network: Network, images: np.ndarray, logits: np.ndarray) -> None:
        planned = plan(network, HardwareConfig(budget=16))
        self.test, self.dut = SelfTest(planned, images, logits), Accelerator(planned)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.test, m.submodules.dut = self.test, self.dut
        wiring.connect(m, self.test.o, self.dut.i)
        wiring.connect(m, self.dut.o, self.test.i)
        return m


def run(network: Network, images: np.ndarray, logits: np.ndarray) -> tuple[int, int]:
    """Return ``passed`` and ``failed`` some time after the last logit."""
    pair = Pair(network, images, logits)
    shown = []

    async def watch(ctx: Any) -> None:
        due = len(images) * network.classes
        for _ in range(100_000):
            *_, i, ready = await ctx.tick().sample(pair.test.i.valid, pair.test.i.ready)
            due -= i and ready
            if not due:
                break
        assert not due, "the accelerator stands still"
        await ctx.tick().repeat(3)
        shown.append((ctx.get(pair.test.passed), ctx.get(pair.test.failed)))

    simulator = Simulator(pair)
    simulator.add_clock(1e-6)
    simulator.add_testbench(watch)
    simulator.run()
    return shown[0]


def golden(network: Network, images: np.ndarray) -> np.ndarray:
    return Golden(network).run(images).logits.numpy().astype(np.int64)


@pytest.mark.parametrize("network", [everything(), every_kind()], ids=["everything", "every kind"])
def test_right_logits_pass(network: Network) -> None:
    images = Images.random(network, 3).pixels
    assert run(network, images, golden(network, images)) == (1, 0)


@pytest.mark.parametrize(("image", "logit"), [(0, 0), (0, -1), (1, 1), (2, -1)])
def test_a_single_wrong_logit_fails(image: int, logit: int) -> None:
    network = everything()
    images = Images.random(network, 3).pixels
    logits = golden(network, images)
    logits[image, logit] ^= 1
    assert run(network, images, logits) == (0, 1)


def test_a_wrong_pixel_fails() -> None:
    network = everything()
    images = Images.random(network, 1).pixels
    logits = golden(network, images)
    assert not np.array_equal(logits, golden(network, images * 0))
    assert run(network, images * 0, logits) == (0, 1)


def test_images_are_sent_once() -> None:
    """And logits are taken until all have come; one more that is offered is a failure."""
    planned = small_plan()
    images = Images.random(planned.network, 2).pixels
    logits = golden(planned.network, images)
    dut = SelfTest(planned, images, logits)
    bench = Bench(dut)
    pixels = bench.get(dut.o, images.size, stall=0.3)
    seen = bench.watch(dut.passed, dut.failed, dut.i.ready)

    async def answer(ctx: Any) -> None:
        for image in logits.tolist():
            for place, value in enumerate(image):
                ctx.set(dut.i.payload, {"value": value, "last": place == len(image) - 1})
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(3)
        ctx.set(dut.i.valid, 1)
        await ctx.tick().repeat(2)

    bench.simulator.add_testbench(answer)
    bench.run()
    assert pixels == in_order(planned.network, images)
    assert (1, 0, 0) in seen
    assert seen[-1] == (0, 1, 0)


def test_no_image_is_no_test() -> None:
    network = everything()
    with pytest.raises(DataError, match="a self test needs at least one image"):
        in_order(network, Images.random(network, 0).pixels)
