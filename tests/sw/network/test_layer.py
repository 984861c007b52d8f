"""Layers alone, and those that read their own spikes."""

from __future__ import annotations

from typing import Any

import pytest
from support.networks.examples import counted, firing, ints, logits_layer

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import (
    Connection,
    DirectInput,
    Identity,
    Ladder,
    Layer,
    Linear,
    Logits,
    Network,
    Range,
)

ONE = ints([1])
INPUT = DirectInput((1,), 2)


def recurrent(*own: Connection, neuron: Any = None, source: str = "input") -> Network:
    """Return a network whose layer reads itself by the connections given."""
    before = (counted(source, ONE),) if source else ()
    loop = Layer("loop", 2, neuron or firing(), (*before, *own))
    return Network(INPUT, (loop, logits_layer("loop", ONE)))


READS = (counted("input", ONE),)
OWN = Connection("loop", "spikes", Linear(ONE))


def test_recurrent_layers() -> None:
    network = recurrent(OWN)
    assert [layer.recurrent for layer in network.layers] == [True, False]
    assert not network["loop"].constant
    # Pixels of 0 to 3 and a spike, each with the weight 1.
    assert network.ranges["loop"].accumulator == Range(0, 4)
    other = recurrent(Connection("loop", "spikes", Linear(ints([-1]))))
    assert other.ranges["loop"].accumulator == Range(-1, 3)
    assert other.digest != network.digest


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: recurrent(OWN, source=""), "it reads nothing but its own spikes: connect it wi"),
        (lambda: recurrent(OWN, OWN), "it reads its own spikes 2 times: add the weights up"),
        (
            lambda: recurrent(Connection("loop", "count", Linear(ONE))),
            "its own spikes need spikes transport, without a pool",
        ),
        (
            lambda: recurrent(Connection("loop", "spikes", Identity(ints(1)))),
            "only a fully connected layer reads its own spikes, and by linear synapses",
        ),
        (
            lambda: recurrent(Connection("loop", "spikes", Linear(ints([1, 1])))),
            r"linear weights \(1, 2\) need 2 source values, but the source has 1",
        ),
        (
            lambda: recurrent(OWN, neuron=Logits(ints(0), fraction_bits=0)),
            "layer 'loop' of kind 'logits' does not fire, so it must be the last",
        ),
        (
            lambda: recurrent(OWN, neuron=Ladder(ints([1, 2]))),
            "neurons of kind 'ladder' take no spikes transport",
        ),
    ],
)
def test_recurrent_layers_that_are_refused(build: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        build()


@pytest.mark.parametrize(
    "name", ["", "A", "1a", "a.b", "a-b", "_a", "a" * 64, "input", "ä", "a\n", 3, None]
)
def test_names_that_are_refused(name: Any) -> None:
    with pytest.raises(
        ContractError, match=r"a layer's name must match .* and not be 'input', not"
    ):
        Layer(name, 2, firing(), READS)


@pytest.mark.parametrize(
    ("timesteps", "neuron", "connections", "message"),
    [
        (0, firing(), READS, "timesteps of layer 'a' must be from 1 to 4096"),
        (4097, firing(), READS, "must be from 1 to 4096, not 4097"),
        (2.0, firing(), READS, "must be an integer, not 2.0"),
        (2, "if", READS, "neuron of layer 'a' must be a Neuron, not 'if'"),
        (1, firing(), (), "layer 'a' has no connection"),
        (1, firing(), None, "connections of layer 'a' must be a tuple of Conn"),
        (
            1,
            firing(),
            (Linear(ONE),),
            r"connections of layer 'a'\[0\] must be a Connection, not ",
        ),
    ],
)
def test_layers_that_are_refused(
    timesteps: Any, neuron: Any, connections: Any, message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        Layer("a", timesteps, neuron, connections)
