"""``spikeloom convert``: its options reach the conversion."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from support.models import small

from spikeloom.sw import network as contract
from spikeloom.sw.cli import main
from spikeloom.sw.network import BernoulliInput, Burst, Network, SpikeInput
from spikeloom.sw.training import checkpoint


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "trained.safetensors"
    checkpoint.save(small.trained("digits-mlp"), path)
    return path


def converted(trained: Path, *options: str) -> Network:
    out = trained.parent / "net.safetensors"
    result = CliRunner().invoke(main, ["convert", str(trained), *options, "--out", str(out)])
    assert result.exit_code == 0, result.output
    return contract.load(out)


def test_neurons_and_timesteps_by_layer(trained: Path) -> None:
    network = converted(
        trained, "--neuron", "first=if, default=burst", "--largest", "fc2=3", "--tau", "4",
        "--timesteps", "fc1=6,default=5",
    )  # fmt: skip
    assert [layer.neuron.kind for layer in network.layers] == ["if", "burst", "logits"]
    assert [layer.timesteps for layer in network.layers] == [6, 5, 1]
    burst = network["fc2"].neuron
    assert isinstance(burst, Burst)
    assert (burst.largest, burst.leak) == (3, (2,))


def test_alignments(trained: Path) -> None:
    network = converted(
        trained, "--transport", "spikes", "--alignment", "repl+trunc", "--neuron", "dual",
        "--timesteps", "fc1=2,fc2=3,fc3=2",
    )  # fmt: skip
    transports = [c.transport for layer in network.layers for c in layer.connections]
    assert transports == ["count", "replicate", "truncate"]


def test_inputs(trained: Path) -> None:
    options = ("--input", "spikes", "--input-timesteps", "7", "--input-highest", "2")
    network = converted(trained, *options)
    assert network.input == SpikeInput((1, 8, 8), 7, 2)
    options = ("--input", "bernoulli", "--input-timesteps", "5", "--input-seed", "3")
    assert converted(trained, *options).input == BernoulliInput((1, 8, 8), 5, 5, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--neuron", "first=if,dual"), "'dual' is no layer=kind"),
        (("--neuron", "fc1=if,fc1=dual"), "neuron names the layer 'fc1' twice"),
        (("--neuron", "lif"), "neuron must be burst or dual"),
        (("--neuron", "burst", "--tau", "3"), "must be a power of two, not 3.0"),
        (("--timesteps", "four"), "timesteps must be a number, or numbers by layer"),
        (("--transport", "truncate"), "'truncate' is not one of 'count', 'spikes'"),
    ],
)
def test_options_that_cannot_be_met(trained: Path, options: tuple[str, ...], message: str) -> None:
    out = trained.parent / "none.safetensors"
    result = CliRunner().invoke(main, ["convert", str(trained), *options, "--out", str(out)])
    assert result.exit_code == 2
    assert message in result.stderr
    assert not out.exists()
