"""NeuroBench's metrics: closed forms here, and the package itself by ``make test-toolkits``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support.networks.examples import every_kind
from torch import Tensor, nn

from spikeloom.sw.golden import Golden, Meter
from spikeloom.sw.golden.neurobench import NeuroBench
from spikeloom.sw.network import (
    Connection,
    Conv2d,
    CountInput,
    DirectInput,
    Identity,
    If,
    Layer,
    Linear,
    Logits,
    Network,
    SpikeInput,
)


def metrics(network: Network, images: Any) -> NeuroBench:
    meter = Meter(network)
    Golden(network).run(images, meter=meter)
    return NeuroBench.of(network, meter.work)


def test_by_hand() -> None:
    """Two pixels, of which one is 0; a neuron that spikes at one of two timesteps; two logits."""
    one = np.ones(1, np.int64)
    hidden = If(300 * one, 0 * one, 0 * one, 0)
    network = Network(
        CountInput((2,), 200),
        (
            Layer("hidden", 2, hidden, (Connection("input", "count", Linear(np.array([[1, 0]]))),)),
            Layer(
                "out",
                2,
                Logits(np.array([0, 0]), 0),
                (Connection("hidden", "spikes", Linear(np.array([[5], [0]]))),),
            ),
        ),
    )
    found = metrics(network, np.array([[160, 0], [0, 200]]))
    assert found == NeuroBench(
        # Weights of a byte each, a threshold of two, and three other parameters of one.
        footprint=2 + 2 + 1 + 1 + 2 + 2,
        connection_sparsity=2 / 4,
        # The first image alone has one spike: 160 + 160 reaches 300.
        activation_sparsity=3 / 4,
        # That spike meets one weight that is not 0, and so does the pixel 160.
        effective_acs=1 / 2,
        effective_macs=1 / 2,
        # Two pixels, and two weights at two timesteps.
        dense=2 + 4,
    )
    assert found.as_dict()["footprint"] == 10


def test_a_network_without_spikes_and_weights_to_multiply() -> None:
    ways = (Connection("input", "count", Identity(np.array([0, 3]))),)
    network = Network(CountInput((2,), 1), (Layer("out", 1, Logits(np.array([0, 0]), 0), ways),))
    found = metrics(network, np.array([[1, 1]]))
    assert (found.activation_sparsity, found.connection_sparsity) == (None, 0.0)
    assert (found.effective_acs, found.effective_macs, found.dense) == (0, 0, 0)


def test_every_kind_is_within_its_bounds() -> None:
    network = every_kind()
    found = metrics(network, np.ones((2, *network.input.image_shape), np.int64))
    assert 0 < found.effective_acs + found.effective_macs < found.dense
    assert found.activation_sparsity is not None
    assert 0 < found.activation_sparsity < 1


class Module(nn.Module):
    """A network of IF layers as a module that NeuroBench can look into.

    Its layers are torch's, with the integers of the network, and its neurons are ReLUs as far as
    NeuroBench can tell, which knows no others but snnTorch's.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.ways = nn.ModuleList(_way(layer.connections[0].synapses) for layer in network.layers)
        self.neurons = nn.ModuleList(_Neuron(layer) for layer in network.layers[:-1])

    def forward(self, batch: Tensor) -> Tensor:
        """Return the logits of images, shape (N, *shape), or (N, T, *shape) with time."""
        timed = self.network.input.steps is not None
        values = list(batch.unbind(1)) if timed else [batch]
        for layer, way, neuron in zip(
            self.network.layers, self.ways, [*self.neurons, None], strict=True
        ):
            if layer.connections[0].constant:
                values = [torch.stack(values).sum(0)]
            flat = isinstance(way, nn.Linear)
            currents = [way(v.flatten(1) if flat else v) for v in values]
            if layer.connections[0].constant:
                currents *= layer.timesteps
            if neuron is None:
                return torch.stack(currents).sum(0)
            neuron.potential = 0.0
            values = [neuron(current) for current in currents]
        raise AssertionError("the last layer has no neurons")


def _way(synapses: Any) -> nn.Module:
    weight = torch.from_numpy(synapses.weight.astype(np.float32))
    outs, ins = weight.shape[:2]
    if isinstance(synapses, Linear):
        made: nn.Module = nn.Linear(ins, outs, bias=False)
    else:
        ins *= synapses.groups
        made = nn.Conv2d(
            *(ins, outs, synapses.kernel, synapses.stride, synapses.padding),
            groups=synapses.groups,
            bias=False,
        )
    made.weight = nn.Parameter(weight)
    return made


class _Neuron(nn.ReLU):
    """IF neurons with initial potential and bias 0; a ReLU for NeuroBench's hooks."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        assert isinstance(layer.neuron, If)
        self.threshold = float(layer.neuron.threshold[0])
        self.potential: Any = 0.0

    def forward(self, current: Tensor) -> Tensor:
        """Return the spikes of one timestep."""
        self.potential = self.potential + current
        spikes = (self.potential >= self.threshold).float()
        self.potential = self.potential - spikes * self.threshold
        return spikes


def networks() -> list[Network]:
    """Return networks of pixels and counts, and of spikes alone, with weights of 0."""
    rng = np.random.default_rng(0)

    def neurons(channels: int, threshold: int) -> If:
        zero = np.zeros(channels, np.int64)
        return If(zero + threshold, zero, zero, 0)

    def weights(*shape: int) -> Any:
        return rng.integers(-6, 7, shape) * (rng.random(shape) < 0.7)

    def layers(transport: str, first: str, last: int) -> tuple[Layer, ...]:
        conv = Conv2d(weights(4, 2, 3, 3), (2, 1), (1, 0))
        grouped = Conv2d(weights(4, 1, 2, 2), padding=(1, 1), groups=4)
        full = Linear(weights(5, 64))
        return (
            Layer("conv", 3, neurons(4, 9), (Connection("input", first, conv),)),
            Layer("deep", 3, neurons(4, 3), (Connection("conv", transport, grouped),)),
            Layer("full", 3, neurons(5, 7), (Connection("deep", transport, full),)),
            Layer(
                "out",
                last,
                Logits(np.zeros(3, np.int64), 0),
                (Connection("full", transport, Linear(weights(3, 5))),),
            ),
        )

    return [
        Network(DirectInput((2, 5, 5), 4), layers("spikes", "count", 3)),
        Network(DirectInput((2, 5, 5), 4), layers("count", "count", 1)),
        Network(SpikeInput((2, 5, 5), 3), layers("spikes", "spikes", 3)),
    ]


@pytest.mark.parametrize("network", networks(), ids=["pixels", "counts", "spikes"])
def test_the_module_is_the_network(network: Network) -> None:
    """Its logits are those of the golden model, so that NeuroBench sees the same values."""
    images = pictures(network)
    found = Module(network)(torch.from_numpy(images).float())
    assert torch.equal(found.long(), Golden(network).run(images).logits)


def pictures(network: Network) -> Any:
    rng = np.random.default_rng(1)
    shape = (6, *network.input.image_shape)
    return rng.integers(0, network.input.pixels().high + 1, shape) * (rng.random(shape) < 0.6)


@pytest.mark.toolkits
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("network", networks(), ids=["pixels", "counts", "spikes"])
def test_equals_neurobench(network: Network) -> None:
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import ConnectionSparsity, Footprint
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
    from neurobench.models import TorchModel

    images = pictures(network)
    data = [(torch.from_numpy(images).float(), torch.zeros(len(images)))]

    class Loader(list):  # type: ignore[type-arg]
        dataset = range(len(images))

    chosen = [[Footprint, ConnectionSparsity], [ActivationSparsity, SynapticOperations]]
    benchmark = Benchmark(TorchModel(Module(network)), Loader(data), [], [], chosen)
    theirs = benchmark.run(quiet=True)
    ours = metrics(network, images)
    weights = [layer.connections[0].synapses.weight for layer in network.layers]
    # The module has 32-bit weights, and no parameters of neurons.
    assert theirs["Footprint"] == 4 * sum(w.size for w in weights)
    assert theirs["ConnectionSparsity"] == round(ours.connection_sparsity, 4)
    assert theirs["ActivationSparsity"] == pytest.approx(ours.activation_sparsity, abs=1e-12)
    assert theirs["SynapticOperations"] == {
        "Effective_ACs": ours.effective_acs,
        "Effective_MACs": ours.effective_macs,
        "Dense": ours.dense,
    }
