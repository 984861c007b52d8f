"""Beside the toolkits themselves (``make test-toolkits``): every spike of their own neurons."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import nir
from torch import Tensor, nn

from spikeloom.sw.importing import (
    from_nir,
    from_sinabs,
    from_snntorch,
    from_spikingjelly,
    write_nir,
)
from spikeloom.sw.importing.importer import Imported
from spikeloom.sw.importing.simulation import simulate

pytestmark = [
    pytest.mark.toolkits,
    # What the toolkits say on import is theirs.
    pytest.mark.filterwarnings("ignore"),
]

T = 10
IMAGES = np.random.default_rng(0).integers(0, 256, (100, 64))
PAGE = (Path(__file__).parents[3] / "docs/import.md").read_text(encoding="utf-8")


def model(first: nn.Module, second: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 32), first, nn.Linear(32, 10), second)
    with torch.no_grad():
        for place in (0, 2):
            linear = net[place]
            assert isinstance(linear, nn.Linear)
            linear.weight *= 4
    return net


def pixels() -> Tensor:
    return torch.tensor(IMAGES / 255, dtype=torch.float32)


def differing(imported: Imported, sent: Tensor) -> float:
    """Return the share of the last neurons' spikes, (T, N, 10), that the simulation has not."""
    assert imported.report.model is not None
    spikes = list(simulate(imported.report.model, IMAGES, T).spikes.values())[-1]
    assert float(sent.mean()) > 0.005
    return float((spikes != sent.double()).double().mean())


def _snntorch(**options: Any) -> Callable[[], nn.Module]:
    import snntorch

    return lambda: snntorch.Leaky(init_hidden=True, **options)


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("beta", [0.9, 1.0])
def test_snntorch(reset: str, beta: float) -> None:
    make = _snntorch(beta=beta, reset_mechanism=reset)
    net = model(make(), make())
    with torch.no_grad():
        sent = torch.stack([net(pixels()) for _ in range(T)])
    imported = from_snntorch(net, timesteps=T, images=IMAGES)
    # Theirs are float32 and ours float64: a potential at the threshold may tip.
    assert differing(imported, sent) <= 1e-3


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        import snntorch

        self.fc1, self.lif1 = nn.Linear(64, 32), snntorch.RLeaky(0.8, linear_features=32)
        self.fc2, self.lif2 = nn.Linear(32, 10), snntorch.Synaptic(0.5, 0.75)
        with torch.no_grad():
            self.fc1.weight *= 4
            self.fc2.weight *= 4

    def forward(self, x: Tensor) -> Tensor:
        spk1, mem1 = self.lif1.reset_mem()
        syn2, mem2 = self.lif2.reset_mem()
        sent = []
        for _ in range(T):
            spk1, mem1 = self.lif1(self.fc1(x), spk1, mem1)
            spk2, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
            sent.append(spk2)
        return torch.stack(sent)


def test_snntorch_s_recurrent_and_synaptic_neurons() -> None:
    torch.manual_seed(0)
    net = Recurrent()
    with torch.no_grad():
        sent = net(pixels())
    imported = from_snntorch(net, timesteps=T, images=IMAGES)
    assert differing(imported, sent) <= 1e-3
    assert imported.report.agreement is not None
    assert imported.report.agreement.labels >= 0.9


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("IFNode", {}),
        ("IFNode", {"v_reset": None}),
        ("LIFNode", {"tau": 2.0}),
        ("LIFNode", {"tau": 3.0, "decay_input": False, "v_reset": None}),
        ("LIFNode", {"tau": 2.0, "v_reset": -0.1, "v_threshold": 0.5}),
        ("ParametricLIFNode", {}),
        ("CUBALIFNode", {"v_threshold": 0.5}),
    ],
)
def test_spikingjelly(name: str, options: dict[str, Any]) -> None:
    from spikingjelly.activation_based import functional, neuron

    net = model(getattr(neuron, name)(**options), getattr(neuron, name)(**options))
    functional.reset_net(net)
    with torch.no_grad():
        sent = torch.stack([net(pixels()) for _ in range(T)])
    assert differing(from_spikingjelly(net, timesteps=T, images=IMAGES), sent) <= 1e-3


@pytest.mark.parametrize("options", [{}, {"tau_mem": 10.0, "norm_input": False}])
def test_sinabs(options: dict[str, Any]) -> None:
    import sinabs.layers

    kind = sinabs.layers.LIF if options else sinabs.layers.IAF
    net = model(kind(**options), kind(**options))
    with torch.no_grad():
        sent = net(pixels()[:, None].expand(-1, T, -1)).transpose(0, 1)
    imported = from_sinabs(net, timesteps=T, images=IMAGES)
    assert differing(imported, sent) <= 1e-3
    assert sent.max() > 1


def test_norse(tmp_path: Path) -> None:
    import norse.torch as norse

    node = {**nir.leaky(10, 1e-5, 1.0), "v_threshold": np.full(10, 0.2)}
    weight = np.random.default_rng(1).normal(0, 0.4, (10, 64)).astype(np.float32)
    path = nir.write(tmp_path / "net.nir", nir.chain(nir.affine(weight), node, shape=(64,)))
    imported = from_nir(path, timesteps=T, images=IMAGES)
    cell = norse.LIFBoxCell(norse.LIFBoxParameters(v_th=torch.tensor(0.2)))
    state, sent = None, []
    with torch.no_grad():
        for _ in range(T):
            spikes, state = cell(pixels() @ torch.tensor(weight).T, state)
            sent.append(spikes)
    assert differing(imported, torch.stack(sent)) <= 1e-3


def test_spikingjelly_s_own_file(tmp_path: Path) -> None:
    from spikingjelly.activation_based import functional, neuron, nir_exchange

    net = model(neuron.LIFNode(tau=2.0), neuron.LIFNode(tau=2.0))
    nir_exchange.export_to_nir(net, pixels()[:1], save_path=tmp_path / "net.nir")
    functional.reset_net(net)
    with torch.no_grad():
        sent = torch.stack([net(pixels()) for _ in range(T)])
    imported = from_nir(tmp_path / "net.nir", timesteps=T, images=IMAGES)
    assert imported.report.assumed["origin"].startswith("spikingjelly: ")
    assert differing(imported, sent) <= 1e-3


def test_nir_reads_what_is_exported_and_hands_it_back(tmp_path: Path) -> None:
    import nir as package

    make = _snntorch(beta=0.875)
    network, _ = from_snntorch(model(make(), make()), timesteps=T, images=IMAGES)
    write_nir(network, tmp_path / "net.nir")
    graph = package.read(tmp_path / "net.nir")
    assert {type(node).__name__ for node in graph.nodes.values()} >= {"Affine", "LIF", "Scale"}
    assert from_nir(graph).network.digest == network.digest
    package.write(tmp_path / "again.nir", graph)
    assert from_nir(tmp_path / "again.nir").network.digest == network.digest


@pytest.mark.parametrize("toolkit", ["snntorch", "spikingjelly", "sinabs"])
def test_the_page_s_ten_lines_run(toolkit: str, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (block,) = [block for block in blocks if f"from_{toolkit}(" in block]
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
    names: dict[str, Any] = {"images": IMAGES}
    exec(block, names)
    assert names["network"].input.shape == (64,)
    assert f"origin: {toolkit}" in capsys.readouterr().out


def test_the_page_s_lines_for_a_file_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tree = nir.chain(nir.affine(np.eye(64)[:10]), nir.fire(10), shape=(64,))
    tree["nodes"]["output"]["shape"] = np.array([10])
    nir.write(tmp_path / "norse.nir", tree)
    (block,) = [b for b in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "nir.read" in b]
    exec(block, {"images": IMAGES})
    assert "origin: norse: as you said" in capsys.readouterr().out
