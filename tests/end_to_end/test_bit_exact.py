"""The whole test split through simulated hardware: every value of every layer must be equal."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.sim.cosim import cosimulate
from spikeloom.sw import datasets, models, training
from spikeloom.sw.conversion import convert, reference
from spikeloom.sw.network import Network

TEST = datasets.load("digits", "test")


class AveragePools(nn.Sequential):
    """The zoo's digits-pool with average pools only: maxima are not exact in spike transport."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(8, 12, 2),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.AvgPool2d((3, 1)),
            nn.Flatten(),
            nn.Linear(36, 10),
        )


MODELS = {**models.MODELS, "average-pools": AveragePools}


@dataclass(frozen=True)
class Case:
    """A network, and the hardware that it runs on."""

    model: str
    transport: str
    lanes: int | dict[str, int]
    events: dict[str, int]
    neuron: str | None = None
    stalls: tuple[float, float] = (0.0, 0.0)
    time: str = "loop"


@functools.cache
def trained(name: str) -> training.Trained:
    """Return a model trained for so few epochs that it often errs: wrong labels must agree, too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = MODELS[name]()
    result = training.train(model, datasets.load("digits", "train"), TEST, epochs=3, tune_epochs=2)
    torch.set_num_threads(threads)
    return result


def values_per_layer(network: Network, case: Case) -> dict[str, int]:
    """Return the number of values, by layer, in a complete comparison of the test split."""
    values = {}
    for layer in network.layers:
        neurons = len(TEST) * math.prod(network.shapes[layer.name])
        steps = layer.timesteps
        # Spikes and potentials of each step, one count or logit, and the spikes passed on, if any.
        passed = steps if layer.neuron.fires and case.transport == "spikes" else 0
        values[layer.name] = neurons * (2 * steps + 1 + passed)
        if case.time == "fold" and layer.neuron.fires:
            # The last potential, the count, and the count passed on.
            values[layer.name] = neurons * 3
    return values


def assert_equal(case: Case, build_dir: Path) -> None:
    """Simulate the whole test split, and require that every value of every layer is equal."""
    model = trained(case.model)
    network = convert(model.model, transport=case.transport, neuron=case.neuron)
    config = HardwareConfig(
        lanes=case.lanes, events=case.events, time=case.time, debug=True, counters=True
    )
    report = cosimulate(
        network,
        TEST.images,
        labels=TEST.labels,
        config=config,
        build_dir=build_dir,
        stalls=case.stalls,
    )
    assert report.divergence is None
    assert report.stuck is None
    assert report.images == len(TEST) == 360
    compared = {layer.name: layer.compared for layer in report.layers}
    assert compared == values_per_layer(network, case)
    assert {layer.differing for layer in report.layers} == {0}
    assert report.equal
    # All layers were active and classes were distinguished: the equal values are not all 0.
    assert all(layer.counters["events"] > 0 for layer in report.layers)
    assert report.accuracy is not None
    assert report.accuracy > 0.5
    if case.transport == "count":
        ann = reference(model.model, TEST.images, TEST.scale)
        assert report.labels.tolist() == ann.labels.tolist()
        assert report.accuracy == model.quantized_accuracy


# There is one class per model: its tests run in one process, which trains the model once.


class TestMultilayerPerceptron:
    def test_counts(self, build_dir: Path) -> None:
        assert_equal(Case("digits-mlp", "count", 8, {"fc2": 2, "fc3": 4}), build_dir)

    @pytest.mark.sweep
    def test_spikes(self, build_dir: Path) -> None:
        lanes = {"fc1": 16, "fc2": 3, "fc3": 2}
        assert_equal(Case("digits-mlp", "spikes", lanes, {"fc2": 4}, stalls=(0.1, 0.3)), build_dir)


class TestStrideAndPadding:
    def test_counts(self, build_dir: Path) -> None:
        lanes = {"conv1": 4, "conv2": 8, "conv3": 16, "fc": 3}
        assert_equal(Case("digits-conv", "count", lanes, {"conv3": 2}), build_dir)

    @pytest.mark.sweep
    def test_spikes(self, build_dir: Path) -> None:
        lanes = {"conv1": 5, "conv2": 16, "conv3": 8, "fc": 10}
        assert_equal(Case("digits-conv", "spikes", lanes, {"fc": 2}), build_dir)


class TestBothPools:
    @pytest.mark.sweep
    def test_counts(self, build_dir: Path) -> None:
        lanes = {"conv1": 4, "conv2": 8, "fc": 1}
        assert_equal(Case("digits-pool", "count", lanes, {"conv2": 4}, neuron="if"), build_dir)

    def test_counts_of_folded_time(self, build_dir: Path) -> None:
        case = Case("digits-pool", "count", 4, {}, neuron="dual", time="fold")
        assert_equal(case, build_dir)


class TestAveragePools:
    def test_spikes(self, build_dir: Path) -> None:
        lanes = {"layer_0": 8, "layer_4": 4, "layer_9": 10}
        stalls = (0.1, 0.3)
        case = Case("average-pools", "spikes", lanes, {"layer_4": 2}, stalls=stalls)
        assert_equal(case, build_dir)
