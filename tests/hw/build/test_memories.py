"""Memories of a plan, against those of written designs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from amaranth.back import rtlil
from support.networks.examples import every_kind, everything

from spikeloom.hw.build.family import Family
from spikeloom.hw.build.memories import device_memories, engine_memories
from spikeloom.hw.build.rtlil import memories
from spikeloom.hw.device import Device
from spikeloom.hw.link import LinkPlan
from spikeloom.hw.planning import HardwareConfig, Plan, plan
from spikeloom.hw.search import Budget
from spikeloom.hw.selftest import SelfTest
from spikeloom.sw.cli.networks import open_network
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Network


def written(planned: Plan) -> str:
    """Return a plan's whole device as Yosys reads it, with one image in its self test."""
    network = planned.network
    images = np.zeros((1, *network.input.image_shape), np.int64)
    logits = Golden(network).run(images).logits.numpy().astype(np.int64)
    link = LinkPlan.of(planned, 25_000_000, 115_200)
    device = Device(planned, link, SelfTest(planned, images, logits))
    return rtlil.convert(device, name="top", emit_src=False)


CONFIGS = [
    HardwareConfig(lanes=1, slots=1, counters=True),
    HardwareConfig(lanes=1, slots=1, counters=True, compact=True),
    HardwareConfig(budget=32, slots=4, counters=True),
    HardwareConfig(budget=32, planes={"out": 1}, counters=True),
]


@pytest.mark.parametrize("network", [everything, every_kind], ids=lambda make: make.__name__)
@pytest.mark.parametrize("config", CONFIGS, ids=["small", "compact", "large", "unrolled"])
def test_every_memory_is_that_of_the_design(
    network: Callable[[], Network], config: HardwareConfig
) -> None:
    require_equal(plan(network(), config))


def test_every_memory_is_that_of_a_design_with_copies() -> None:
    copies = {"conv": 2, "again": 3}
    require_equal(plan(everything(), HardwareConfig(budget=32, copies=copies, counters=True)))


def require_equal(planned: Plan) -> None:
    """Require that the memories of a plan are those of its design."""
    expected = list(device_memories(planned, tested=1))
    for layer in planned.layers:
        for memory, number in engine_memories(layer, registers=False):
            # Bits that are 0 in all words are declared, too.
            expected += [replace(memory, blank=0)] * number
    assert sorted(memories(written(planned))) == sorted(expected)


def test_block_rams_of_a_trained_network() -> None:
    events = {"conv2": 2, "conv3": 4}
    lanes = {"conv1": 16, "conv2": 32, "conv3": 32, "fc": 5}
    config = HardwareConfig(lanes=lanes, events=events, counters=True)
    planned = plan(open_network("digits-conv"), config)
    text = written(planned)
    for family in ("ecp5", "gowin"):
        counted = Family.find(family).memory_blocks(text)
        assert Budget(family, device=True).amounts(planned).block_ram == counted > 50
