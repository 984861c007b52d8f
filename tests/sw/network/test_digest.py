"""Equality of networks, and their digests."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from support.networks.examples import every_kind, everything, ints, logits_layer
from support.networks.strategies import networks

from spikeloom.sw.network import (
    BernoulliInput,
    Conv2d,
    DirectInput,
    Layer,
    MaxPool,
    Network,
    SpikeInput,
    SumPool,
)


def test_equality_leaves_out_what_is_for_people() -> None:
    network = everything()
    other = dataclasses.replace(network, name="other", about={})
    assert network == other
    assert network.digest == other.digest
    assert network != "everything"


def changes() -> list[Network]:
    """Return networks that differ from `everything` in one thing each."""
    network = everything()
    conv, again, steps, out = network.layers

    def with_layers(*layers: Layer) -> Network:
        return Network(network.input, layers)

    def changed(layer: Layer, **neuron: Any) -> Layer:
        old: Any = layer.neuron
        return dataclasses.replace(layer, neuron=dataclasses.replace(old, **neuron))

    def rewired(layer: Layer, **connection: Any) -> Layer:
        first = dataclasses.replace(layer.connections[0], **connection)
        return dataclasses.replace(layer, connections=(first, *layer.connections[1:]))

    return [
        Network(DirectInput((1, 5, 6), 4), network.layers),
        with_layers(changed(conv, threshold=ints(9, 15)), again, steps, out),
        with_layers(changed(conv, initial=ints(4, 6)), again, steps, out),
        with_layers(changed(conv, bias=ints(-2, 2)), again, steps, out),
        with_layers(changed(conv, fraction_bits=2), again, steps, out),
        with_layers(conv, again, changed(steps, levels=ints([0, 6], [-3, 4], [1, 1])), out),
        with_layers(conv, again, rewired(steps, pool=SumPool((2, 2))), out),
        with_layers(conv, again, rewired(steps, pool=MaxPool((4, 3), (1, 1))), out),
        with_layers(conv, again, rewired(steps, pool=MaxPool((4, 2), (2, 2), (1, 0))), out),
        with_layers(conv, rewired(again, transport="count"), steps, out),
        with_layers(conv, again, steps, dataclasses.replace(out, timesteps=2)),
        with_layers(conv, again, steps, dataclasses.replace(out, name="logits")),
    ]


def test_digest_and_equality_see_every_change() -> None:
    network = everything()
    digests = {network.digest, *(other.digest for other in changes())}
    assert len(digests) == 1 + len(changes())
    assert all(network != other for other in changes())


def test_digest_is_as_the_contract_defines_it() -> None:
    network = Network(
        DirectInput((3,), 4), (logits_layer("input", ints([1, -2, 3], [4, 5, -600])),), name="any"
    )
    header = (
        '{"input": {"bits": 4, "kind": "direct", "shape": [3]}, "layers": [{"connections": '
        '[{"pool": null, "source": "input", "synapses": {"kind": "linear"}, "transport": "count"}]'
        ', "name": "out", "neuron": {"fraction_bits": 0, "kind": "logits"}, "timesteps": 1}]}'
    )
    assert header == json.dumps(json.loads(header), sort_keys=True)
    content = header.encode()
    content += b"layers.out.connections.0.weight(2, 3)"
    content += b"".join(w.to_bytes(8, "little", signed=True) for w in (1, -2, 3, 4, 5, -600))
    content += b"layers.out.neuron.bias(2,)" + bytes(16)
    assert network.digest == hashlib.sha256(content).hexdigest()


@settings(max_examples=20)
@given(networks())
def test_digests_do_not_depend_on_memory_layout(network: Network) -> None:
    layers = []
    for old in network.layers:
        connections = []
        for connection in old.connections:
            weight = np.asfortranarray(connection.synapses.weight)
            synapses = dataclasses.replace(connection.synapses, weight=weight)  # type: ignore[type-var]
            connections.append(dataclasses.replace(connection, synapses=synapses))
        layers.append(dataclasses.replace(old, connections=tuple(connections)))
    assert Network(network.input, tuple(layers)).digest == network.digest


def other_kinds() -> list[Network]:
    """Return networks that differ from `every_kind` in one thing each."""
    network = every_kind()
    twice, signs, bursts, *rest = network.layers

    def with_layers(*layers: Layer) -> Network:
        return Network(network.input, (*layers, *rest))

    def changed(layer: Layer, **neuron: Any) -> Layer:
        old: Any = layer.neuron
        return dataclasses.replace(layer, neuron=dataclasses.replace(old, **neuron))

    def rewired(layer: Layer, **connection: Any) -> Layer:
        first = dataclasses.replace(layer.connections[0], **connection)
        return dataclasses.replace(layer, connections=(first, *layer.connections[1:]))

    grouped = twice.connections[0].synapses
    whole = Conv2d(np.ones((2, 2, 3, 3), np.int64), padding=(1, 1))
    assert grouped.header() == whole.header() | {"groups": 2}
    return [
        Network(SpikeInput((2, 4, 4), 3, 3), network.layers),
        *(
            Network(BernoulliInput((2, 4, 4), bits, 3, seed), network.layers)
            for bits, seed in ((8, 0), (8, 1), (7, 0))
        ),
        with_layers(rewired(twice, transport="replicate"), signs, bursts),
        with_layers(rewired(twice, synapses=whole), signs, bursts),
        with_layers(twice, changed(signs, negative_threshold=ints(4, 7)), bursts),
        with_layers(twice, changed(signs, amplitude=2), bursts),
        with_layers(twice, changed(signs, negative_amplitude=2), bursts),
        with_layers(twice, dataclasses.replace(signs, connections=signs.connections[:1]), bursts),
        with_layers(twice, dataclasses.replace(signs, connections=signs.connections[::-1]), bursts),
        with_layers(twice, signs, changed(bursts, largest=4)),
        with_layers(twice, signs, changed(bursts, leak=3)),
        with_layers(twice, signs, changed(bursts, leak=None)),
    ]


def test_digest_and_equality_see_every_option_of_every_kind() -> None:
    network = every_kind()
    digests = {network.digest, *(other.digest for other in other_kinds())}
    assert len(digests) == 1 + len(other_kinds())
    assert all(network != other for other in other_kinds())
