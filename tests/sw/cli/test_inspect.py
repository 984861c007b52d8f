"""``spikeloom inspect`` on networks of every kind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from support.networks.examples import every_kind
from support.networks.strategies import networks

from spikeloom.sw.cli import main
from spikeloom.sw.cli.inspect import summarize
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import (
    Conv2d,
    CountInput,
    Identity,
    Layer,
    Logits,
    Network,
    save,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(every_kind(), tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def test_tables_show_every_kind(path: Path) -> None:
    result = CliRunner().invoke(main, ["inspect", str(path)])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith(
        "every kind: spikes input shape 2x4x4 timesteps 3 highest 2, 5 layers"
    )
    for name, kind, spikes in [
        ("twice", "dual", "-1..1"),
        ("signs", "signed", "-4..4"),
        ("bursts", "burst", "0..3"),
    ]:
        (row,) = [x for x in lines if x.split()[:1] == [name] and f" {kind} " in x]
        assert spikes in row, row
    for text in ("replicate", "truncate", "identity", "groups 2", "negative_amplitude 4", "leak 2"):
        assert text in result.output, text
    assert "None" not in result.output


def test_json_has_one_entry_per_connection(path: Path) -> None:
    result = CliRunner().invoke(main, ["inspect", str(path), "--json"])
    summary = json.loads(result.output)
    assert summary["input"] == {
        "kind": "spikes", "shape": [2, 4, 4], "timesteps": 3, "highest": 2,
    }  # fmt: skip
    layers = {layer["name"]: layer for layer in summary["layers"]}
    ways = [
        (w["source"], w["transport"], w["synapses"]["kind"]) for w in layers["signs"]["connections"]
    ]
    assert ways == [("twice", "replicate", "conv2d"), ("input", "count", "identity")]
    assert layers["signs"]["count_range"] == [-20, 5]
    assert layers["twice"]["connections"][0]["synapses"]["groups"] == 2


@settings(max_examples=60)
@given(networks(max_timesteps=2))
def test_synapses_are_counted_in_every_structure(network: Network) -> None:
    summary = summarize(network)
    for layer, shown in zip(network.layers, summary["layers"], strict=True):
        for connection, way in zip(layer.connections, shown["connections"], strict=True):
            shape = connection.pooled_shape(network.shapes[connection.source])
            # Each synapse of ones over ones adds 1.
            ones = connection.synapses.tensors()["weight"] * 0 + 1
            parts = connection.synapses.header() | {"weight": ones}
            parts.pop("kind")
            synapses = type(connection.synapses)(**parts)
            silent = Logits(np.zeros(synapses.channels, np.int64), fraction_bits=0)
            alone = Layer("out", 1, silent, (type(connection)("input", "count", synapses),))
            counted = Golden(Network(CountInput(shape, 1), (alone,))).run(np.ones((1, *shape), int))
            assert way["synapse_count"] == int(counted.logits.sum())
            assert connection.synapses.pairs(shape) == way["synapse_count"]


def test_grouped_convolutions_have_fewer_synapses() -> None:
    ones = np.ones((4, 1, 1, 1), np.int64)
    assert Conv2d(ones, groups=4).pairs((4, 3, 3)) == 36
    assert Identity(np.ones(4, np.int64)).pairs((4, 3, 3)) == 36
    assert Identity(np.ones(4, np.int64)).pairs((4,)) == 4
