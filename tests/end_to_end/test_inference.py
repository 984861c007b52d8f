"""Golden model, simulated Verilog and a board's pins give the same tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.cosim.tiny import tiny_images, tiny_network
from support.link.board import SimulatedBoard
from support.link.network_board import BAUD, CLOCK, manifest_of, planned
from support.networks.examples import everything

from spikeloom.hw.device import Device
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sw.errors import LinkError
from spikeloom.sw.golden import Golden
from spikeloom.sw.inference import BoardDriver, Contents, run
from spikeloom.sw.link import Client
from spikeloom.sw.network import BernoulliInput, DirectInput, Network

CONFIG = HardwareConfig(lanes={"hidden": 2, "output": 1}, debug=True, counters=True)


def signed_network() -> Network:
    """Return the tiny network for signed pixels with a zero point for each channel."""
    plain = tiny_network()
    assert isinstance(plain.input, DirectInput)
    shape, bits = plain.input.shape, plain.input.bits
    zeros = range(-1, shape[0] - 1)
    return replace(plain, input=DirectInput(shape, bits, signed=True, zero=list(zeros)))


def random_network() -> Network:
    """Return the tiny network for pixels that become random spikes."""
    plain = tiny_network()
    assert isinstance(plain.input, DirectInput)
    return replace(plain, input=BernoulliInput(plain.input.shape, plain.input.bits, 3, seed=2))


@pytest.mark.parametrize("build", [tiny_network, signed_network, random_network])
def test_all_targets_give_the_same(
    build: Callable[[], Network], tmp_path: Path, build_dir: Path
) -> None:
    network = build()
    images = tiny_images(2).astype(np.int64) + network.input.pixels().low
    found, link = planned(network, CONFIG)
    pins = SimulatedBoard(Device(found, link), CLOCK, BAUD)
    contents = Contents.of(manifest_of(found, link, tmp_path))
    client = Client(pins, timeout=1e-3, clock=pins.time, image_timeout=1)
    driver = BoardDriver(contents, client)

    wanted = ["hidden"]
    golden = run(images, network, counts=wanted)
    sim = run(images, network, "sim", counts=wanted, config=CONFIG, build_dir=build_dir)
    board = run(images, network, "board", counts=wanted, driver=driver)
    expected = Golden(network).run(images)
    for result in (golden, sim, board):
        assert result.logits.dtype == result.labels.dtype == torch.int64
        assert torch.equal(result.logits, expected.logits)
        assert torch.equal(result.labels, expected.labels)
        assert list(result.counts) == wanted
        assert torch.equal(result.counts["hidden"], expected.counts["hidden"])
    assert (golden.target, sim.target, board.target) == ("golden", "sim", "board")
    assert golden.counters is None
    assert sim.counters is not None
    assert board.counters is not None
    for layer in ("hidden", "output"):
        assert board.counters[layer]["events"] == sim.counters[layer]["events"] > 0
    with pytest.raises(LinkError, match=r"^the board holds the network"):
        run(images, everything(), "board", driver=driver)
