"""Modules in memory, by classes that look like the toolkits', which are not needed.

`test_toolkits.py` compares with the toolkits.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.importing import from_sinabs, from_snntorch, from_spikingjelly
from spikeloom.sw.importing.modules import read_modules
from spikeloom.sw.importing.rules import Rule


def fake(package: str, name: str, **attributes: Any) -> nn.Module:
    """Return a module that looks like a toolkit's; it cannot be called."""

    class Module(nn.Module):
        def forward(self, *values: Tensor) -> Tensor:
            raise AssertionError("modules are read, not called")

    Module.__name__ = name
    Module.__module__ = f"{package}.neurons"
    made = Module()
    for key, value in attributes.items():
        setattr(made, key, value)
    return made


def leaky(name: str = "Leaky", **others: Any) -> nn.Module:
    attributes = {"beta": torch.tensor(0.5), "threshold": torch.tensor(2.0)}
    return fake("snntorch", name, **{**attributes, "reset_mechanism": "subtract", **others})


def jelly(name: str = "LIFNode", **others: Any) -> nn.Module:
    attributes = {"tau": 4.0, "decay_input": True, "v_threshold": 1.0, "v_reset": 0.0}
    return fake("spikingjelly", name, **{**attributes, **others})


class MultiSpike:
    pass


class SingleSpike:
    pass


def lif(**others: Any) -> nn.Module:
    attributes: dict[str, Any] = {
        "alpha_mem_calculated": torch.tensor(0.75),
        "alpha_syn_calculated": None,
        "tau_syn": None,
        "norm_input": True,
        "min_v_mem": None,
        "spike_threshold": torch.tensor(1.5),
        "spike_fn": MultiSpike,
        "reset_fn": SimpleNamespace(subtract_value=None),
    }
    return fake("sinabs", "LIF", **{**attributes, **others})


def rule(origin: str, module: nn.Module) -> Rule:
    graph = read_modules(nn.Sequential(nn.Linear(2, 3), module), origin)
    (found,) = graph.rules.values()
    return found


def test_snntorch() -> None:
    found = rule("snntorch", leaky())
    assert (found.decay, found.strict, found.delayed, found.value) == (0.5, True, True, None)
    assert found.threshold.tolist() == [2]
    assert rule("snntorch", leaky(reset_mechanism="zero")).value == 0
    synaptic = rule("snntorch", leaky("Synaptic", alpha=torch.tensor(0.25)))
    assert synaptic.current_decay == 0.25
    assert rule("snntorch", leaky(beta=torch.tensor(1.5))).decay == 1  # it clamps


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (leaky(inhibition=True), "has inhibition"),
        (leaky(state_quant=abs), "a quantized state"),
        (leaky(reset_delay=False), "reset_delay=False"),
        (leaky(graded_spikes_factor=2.0), "graded spikes"),
        (leaky(reset_mechanism="none"), "reset 'none'"),
        (leaky("Synaptic", alpha=torch.tensor(0.5), reset_mechanism="zero"), "reset 'zero'"),
        (leaky(beta=torch.tensor([0.5, 0.6, 0.5])), "one leak for all its neurons"),
        (fake("snntorch", "Leaky"), "of another version of snntorch"),
    ],
)
def test_snntorch_neurons_without_a_place(module: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"^module '1' \(.*{message}"):
        rule("snntorch", module)


def test_spikingjelly() -> None:
    found = rule("spikingjelly", jelly())
    assert (found.decay, found.gain.tolist(), found.strict, found.value) == (0.75, [0.25], False, 0)
    soft = rule("spikingjelly", jelly(v_reset=None, decay_input=False))
    assert (soft.gain.tolist(), soft.value) == ([1], None)
    rest = rule("spikingjelly", jelly("IFNode", v_reset=-0.5))
    assert (rest.threshold.tolist(), rest.start.tolist(), rest.decay) == ([1.5], [0], 1)
    learned = rule("spikingjelly", jelly("ParametricLIFNode", w=torch.tensor(0.0)))
    assert (learned.decay, learned.gain.tolist()) == (0.5, [0.5])
    cuba = rule("spikingjelly", jelly("CUBALIFNode", c_decay=0.5, v_decay=0.75))
    assert (cuba.current_decay, cuba.decay) == (0.5, 0.75)


def test_sinabs() -> None:
    found = rule("sinabs", lif())
    assert (found.decay, found.gain.tolist(), found.several) == (0.75, [0.25], True)
    single = lif(spike_fn=SingleSpike, tau_syn=4.0, alpha_syn_calculated=torch.tensor(0.5))
    current = rule("sinabs", single)
    assert (current.several, current.current_decay, current.gain.tolist()) == (False, 0.5, [0.125])


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (lif(min_v_mem=torch.tensor(-1.0)), "keeps its potential above -1"),
        (lif(spike_fn=SimpleNamespace), "fires by SimpleNamespace"),
        (lif(tau_syn=4.0, alpha_syn_calculated=torch.tensor(0.5)), "tau_syn and several spikes"),
        (lif(reset_fn=SimpleNamespace(subtract_value=3.0)), "resets by"),
    ],
)
def test_sinabs_neurons_without_a_place(module: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        rule("sinabs", module)


class Loop(nn.Module):
    """As snnTorch's tutorials write it: states in and out, and a loop over timesteps."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(4, 3), leaky("RLeaky")
        self.lif1.recurrent = nn.Linear(3, 3)
        self.fc2, self.lif2 = nn.Linear(3, 2), leaky()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        spk1, mem1, mem2 = torch.zeros(1), torch.zeros(1), torch.zeros(1)
        spikes, potentials = [], []
        for _ in range(3):
            spk1, mem1 = _two(self.lif1(self.fc1(x), spk1, mem1))
            spk2, mem2 = _two(self.lif2(self.fc2(spk1), mem2))
            spikes.append(spk2)
            potentials.append(mem2)
        return torch.stack(spikes), torch.stack(potentials)


def _two(value: Tensor) -> tuple[Tensor, Tensor]:
    return value[0], value[1]


def test_a_loop_over_timesteps_is_one_graph() -> None:
    graph = read_modules(Loop(), "snntorch")
    assert set(graph.edges) == {
        ("input", "fc1"),
        ("fc1", "lif1"),
        ("lif1", "lif1.recurrent"),
        ("lif1.recurrent", "lif1"),
        ("lif1", "fc2"),
        ("fc2", "lif2"),
        ("lif2", "output"),
    }


def test_pools_norms_and_flattening_become_part_of_weights() -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    with torch.no_grad():
        for part in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            assert part is not None
            part.uniform_(0.5, 2)
    head = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), norm, nn.AvgPool2d(2))
    net = nn.Sequential(*head, jelly("IFNode"), nn.Dropout(), nn.Flatten(), nn.Linear(64, 3))
    images = np.random.default_rng(0).integers(0, 256, (5, 1, 8, 8))
    found, report = from_spikingjelly(net, timesteps=2, images=images, input_shape=(1, 8, 8))
    assert [layer.neuron.kind for layer in found.layers] == ["if", "logits"]
    assert report.model is not None
    from spikeloom.sw.importing.simulation import currents

    values = torch.from_numpy(images)[None].double()
    got = currents(report.model.populations[0], {"input": values}, 1)[0]
    head.eval()
    assert torch.allclose(got, head.double()(values[0] / 255), atol=1e-6)


class Adds(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.fire = nn.Linear(4, 3), nn.Linear(4, 3), leaky()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fire(self.a(x) + self.b(x))
        return out


class Squares(Adds):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fire(torch.square(self.a(x)))
        return out


class Twice(Adds):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fire(self.a(x) + self.a(self.b(x)))
        return out


class Branches(Adds):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fire(self.a(x) if x.sum() > 0 else self.b(x))
        return out


def test_sums_of_modules_are_two_connections() -> None:
    found, _ = from_snntorch(Adds(), timesteps=3)
    assert len(found.layers[0].connections) == 2


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Squares(), "forward calls square"),
        (Twice(), "'a' is called with values of input and of b"),
        (Branches(), "torch.fx cannot follow Branches.forward"),
        (nn.Sequential(nn.Linear(2, 2)), "no neurons of snntorch"),
        (nn.Sequential(nn.Linear(2, 2), leaky(), nn.MaxPool2d(2)), "maximum of single spikes"),
        (nn.Sequential(nn.Linear(2, 2), leaky(), nn.Tanh()), "neither linear nor a neuron"),
        (
            nn.Sequential(nn.Conv2d(1, 1, 3, padding_mode="circular"), leaky()),
            "pads with circular",
        ),
        (nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), leaky()), "ceil_mode"),
    ],
)
def test_networks_without_a_place(module: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        from_snntorch(module, timesteps=3)


def test_sinabs_network_holds_its_model() -> None:
    whole = nn.Module()
    whole.spiking_model = nn.Sequential(nn.Linear(2, 3), lif())
    found, _ = from_sinabs(whole, timesteps=3)
    assert found.layers[0].neuron.kind == "burst"
