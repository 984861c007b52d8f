"""Every neuron in every transport in simulated hardware: all values are equal, for real images.

``make sweep`` compares 500 images for each case. Other runs compare a few images in a few cases.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sim.cosim import cosimulate
from spikeloom.sw import datasets, models, training
from spikeloom.sw.conversion import convert
from spikeloom.sw.network import Network

TEST = datasets.load("digits", "test")
TRAIN = datasets.load("digits", "train")
#: Images of the test split, followed by those of the training split.
IMAGES = np.concatenate([TEST.images, TRAIN.images])
FEW, MANY = 24, 500


@functools.cache
def trained(name: str, leaky: bool) -> training.Trained:
    """Return a briefly trained model of the zoo; if ``leaky``, with LeakyReLU in place of ReLU."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = models.build(name)
    if leaky:
        for path, module in list(model.named_modules()):
            if isinstance(module, nn.ReLU):
                parent, _, leaf = path.rpartition(".")
                setattr(model.get_submodule(parent), leaf, nn.LeakyReLU(0.125))
    result = training.train(model, TRAIN, TEST, epochs=3, tune_epochs=2)
    torch.set_num_threads(threads)
    return result


@dataclass(frozen=True)
class Case:
    """One neuron in one transport; timesteps are the same everywhere, or rise and fall (mixed)."""

    model: str
    neuron: str
    transport: str
    mixed: bool
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        leak = "-leak" if "tau" in self.options else ""
        steps = "mixed" if self.mixed else "equal"
        return f"{self.model}-{self.neuron}{leak}-{self.transport}-{steps}"

    def network(self) -> Network:
        """Return the integer network; mixed timesteps go 2, 4, 3, 2, 4, ... layer by layer."""
        model = trained(self.model, leaky=self.neuron == "signed").model
        options = dict(self.options)
        if self.mixed:
            plain = convert(model, neuron=self.neuron, timesteps=2)
            hidden = [layer.name for layer in plain.layers if layer.neuron.fires]
            options["timesteps"] = {name: (2, 4, 3)[k % 3] for k, name in enumerate(hidden)}
            if self.transport == "spikes":
                options["alignment"] = "repl+trunc"
        elif self.neuron == "burst":
            options["timesteps"] = 3
        return convert(model, neuron=self.neuron, transport=self.transport, **options)


def cases(model: str) -> list[Case]:
    found = []
    for mixed in (False, True):
        for neuron in ("if", "dual", "signed", "burst"):
            found += [Case(model, neuron, way, mixed) for way in ("count", "spikes")]
        found.append(Case(model, "ladder", "count", mixed))
        found.append(Case(model, "burst", "spikes", mixed, {"tau": 4}))
    return found


def assert_equal(case: Case, build_dir: Path, images: int) -> None:
    network = case.network()
    transports = {
        connection.transport for layer in network.layers for connection in layer.connections
    }
    if case.transport == "count":
        assert transports == {"count"}
    else:
        assert transports == {"count", "spikes"} | (
            {"replicate", "truncate"} if case.mixed else set()
        )
    kinds = {layer.neuron.kind for layer in network.layers if layer.neuron.fires}
    assert kinds == {case.neuron}
    config = HardwareConfig(budget=48, time="loop", debug=True, counters=True)
    report = cosimulate(network, IMAGES[:images], config=config, build_dir=build_dir)
    print(f"{case}: {report.images} images, {report.compared:,} values, {report.differing} differ")
    assert report.divergence is None
    assert report.stuck is None
    assert report.images == images
    assert report.equal
    assert all(layer.counters["events"] > 0 for layer in report.layers)
    # Each spike and potential of each timestep was compared, and each value passed on.
    for layer, result in zip(network.layers, report.layers, strict=True):
        neurons = images * int(np.prod(network.shapes[layer.name]))
        assert result.compared >= neurons * (2 * layer.timesteps + 1)


SOME = [
    Case("digits-residual", "dual", "spikes", True),
    Case("digits-conv", "signed", "spikes", False),
    Case("digits-conv", "burst", "spikes", True, {"tau": 4}),
]


@pytest.mark.parametrize("case", SOME, ids=str)
def test_some_images(case: Case, build_dir: Path) -> None:
    assert_equal(case, build_dir, FEW)


@pytest.mark.sweep
@pytest.mark.parametrize("case", cases("digits-conv"), ids=str)
def test_convolutions(case: Case, build_dir: Path) -> None:
    assert_equal(case, build_dir, MANY)


@pytest.mark.sweep
@pytest.mark.parametrize("case", cases("digits-residual"), ids=str)
def test_residual(case: Case, build_dir: Path) -> None:
    assert_equal(case, build_dir, MANY)
