"""Kinds from outside the package: one class a side takes them through every step."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from support.hw.pysim import differing, simulate
from support.models import small
from support.networks.examples import ints, logits_layer

from spikeloom.hw.engine.pool import PoolUnit
from spikeloom.hw.neurons import NeuronUnit
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import plan
from spikeloom.hw.planning.synapses import SynapsesPlan
from spikeloom.hw.verilog import generate
from spikeloom.sw import network as contract
from spikeloom.sw.cli.inspect import summarize
from spikeloom.sw.conversion import convert
from spikeloom.sw.conversion.absorption import Absorber
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.golden import Dynamics, Golden, GoldenPool, GoldenSynapses
from spikeloom.sw.network import Connection, DirectInput, Layer, Network, Neuron, Pool, Synapses
from spikeloom.sw.quantized import QCFS
from spikeloom.sw.spiking import SpikingNeuron, spiking

FAMILIES: tuple[type[Any], ...] = (
    *(Neuron, Dynamics, NeuronUnit, SpikingNeuron, Absorber),
    *(Synapses, GoldenSynapses, SynapsesPlan),
    *(Pool, GoldenPool, PoolUnit),
)


@pytest.fixture(scope="module")
def extension() -> Iterator[ModuleType]:
    """Import the new kinds, and forget them after the tests of this module."""
    with pytest.MonkeyPatch.context() as patch:
        for family in FAMILIES:
            patch.setattr(family, "kinds", dict(family.kinds))
        yield importlib.import_module("support.extension")
    left = [kind for family in FAMILIES for kind in family.kinds.values()]
    assert not any(kind.__module__ == "support.extension" for kind in left)


def network(extension: ModuleType, transport: str) -> Network:
    """Return a network with all new kinds, whose hidden layers exchange counts or spikes."""
    rng = np.random.default_rng(3)
    return Network(
        DirectInput((1, 9, 8), bits=3),
        (
            Layer(
                "first",
                6,
                extension.Alternate(ints(9, 14), ints(4, 7), ints(-2, 1), fraction_bits=1),
                (
                    Connection(
                        "input", "count", extension.Dilated(rng.integers(-3, 4, (2, 1, 2, 2)))
                    ),
                ),
            ),
            Layer(
                "second",
                6,
                extension.Alternate(ints(3, 5, 4), ints(1, 2, 2), ints(1, 0, 1), fraction_bits=0),
                (
                    Connection(
                        "first",
                        transport,
                        extension.Dilated(rng.integers(-3, 5, (3, 2, 2, 1))),
                        extension.FirstPool((2, 1)),
                    ),
                ),
            ),
            logits_layer("second", rng.integers(-3, 4, (3, 18)), 1),
        ),
    )


@pytest.mark.parametrize("transport", ["count", "spikes"])
@pytest.mark.parametrize("time", ["loop", "fold"])
def test_hardware_equals_the_golden_model(extension: ModuleType, transport: str, time: str) -> None:
    made = network(extension, transport)
    images = np.random.default_rng(4).integers(0, 8, (3, 1, 9, 8))
    config = HardwareConfig(debug=True, counters=True, time=time, lanes={"second": 2})
    planned, seen = simulate(made, images, config)
    assert differing(made, images, planned, seen) == []
    counts = Golden(made).run(images).counts
    assert all(0 < count.sum() < count.numel() * 3 for count in counts.values())
    # No class folds the timesteps of this kind, so that they are taken one by one.
    assert not any(layer.folded for layer in planned.layers)


def test_a_worked_example(extension: ModuleType) -> None:
    made = Network(
        DirectInput((1,), bits=4),
        (
            Layer(
                "hidden",
                5,
                extension.Alternate(ints(8), ints(4), ints(0), fraction_bits=0),
                (Connection("input", "count", contract.Linear(ints([1]))),),
            ),
            logits_layer("hidden", ints([1])),
        ),
    )
    # 4+5=9 crosses, 1; 6; 11 crosses and fires, 3; 8 crosses, 0; 5
    trace = Golden(made).run([[5]], trace=True).trace
    assert trace is not None
    assert trace["hidden"].spikes.flatten().tolist() == [0, 0, 1, 0, 0]
    assert trace["hidden"].potentials.flatten().tolist() == [1, 6, 3, 0, 5]


def test_the_file_is_read_again(extension: ModuleType, tmp_path: Path) -> None:
    made = network(extension, "spikes")
    contract.save(made, tmp_path / "toy.safetensors")
    loaded = contract.load(tmp_path / "toy.safetensors")
    assert loaded == made
    assert loaded.digest == made.digest
    kinds = [entry["neuron"]["kind"] for entry in loaded.describe()[0]["layers"]]
    assert kinds == ["alternate", "alternate", "logits"]


def test_verilog_and_summaries_need_nothing_else(extension: ModuleType) -> None:
    made = network(extension, "spikes")
    generated = generate(made)
    assert generated.verilog.count("\nmodule ") > 10
    assert json.loads(json.dumps(generated.sidecar))["layers"][0]["neuron"] == "alternate"
    summary = summarize(made)
    assert summary["layers"][0]["synapses"] == 2 * 4 * 7 * 6
    assert summary["layers"][1]["connections"][0]["pool"]["kind"] == "first"


def test_the_new_kind_is_among_the_choices(extension: ModuleType) -> None:
    assert "alternate" in Neuron.firing()
    assert QCFS().neurons == ("ladder", "if", "dual", "burst", "alternate")


def test_a_model_is_converted_to_the_new_neurons(extension: ModuleType) -> None:
    torch.manual_seed(5)
    shape = (2, 6, 6)
    prepared = small.prepared(small.normed(small.Residual(torch.nn.ReLU), shape), shape)
    options: dict[str, Any] = {"transport": "spikes", "neuron": "alternate", "timesteps": 6}
    converted = convert(prepared, **options)
    assert {x.neuron.kind for x in converted.layers[:-1]} == {"alternate"}
    model = spiking(prepared, **options).eval()
    images = np.random.default_rng(6).integers(0, 16, (8, *shape))
    golden = Golden(converted).run(images, trace=True)
    assert golden.trace is not None
    real = torch.from_numpy(images).double() * float(model.coding.input_scale)
    fired = model.run(real)[1]
    assert any(bool(spikes.any()) for spikes in fired.values())
    assert all(torch.equal(s.long(), golden.trace[name].spikes) for name, s in fired.items())


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (Dynamics, "golden model has no neurons of kind 'alternate'; it has burst, cuba, dual"),
        (GoldenSynapses, "golden model has no synapses of kind 'dilated'; it has linear, conv2d"),
        (NeuronUnit, "layer 'first': no hardware for neurons of kind 'alternate'; there is: "),
        (SynapsesPlan, "layer 'first': synapses of kind 'dilated' cannot be generated"),
    ],
)
def test_a_class_that_is_missing_is_named(
    extension: ModuleType, monkeypatch: pytest.MonkeyPatch, family: type[Any], message: str
) -> None:
    made = network(extension, "count")
    outside = {k: v for k, v in family.kinds.items() if v.__module__ != extension.__name__}
    assert len(outside) == len(family.kinds) - 1
    monkeypatch.setattr(family, "kinds", outside)
    with pytest.raises(UnsupportedError, match=message):
        plan(made) if family in (NeuronUnit, SynapsesPlan) else Golden(made)
