from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from support.networks.examples import counted, every_kind, everything, firing, ints, logits_layer

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import (
    Connection,
    Conv2d,
    CountInput,
    DirectInput,
    If,
    Ladder,
    Layer,
    Linear,
    Logits,
    Network,
    Range,
    Ranges,
    SpikeInput,
)

ONE = ints([1])
INPUT = DirectInput((1,), 2)
#: An output layer, for networks that are refused before it.
END = (logits_layer("a", ONE),)


def layer(name: str, source: str, transport: str = "count", **options: Any) -> Layer:
    neuron = options.pop("neuron", None) or firing()
    timesteps = options.pop("timesteps", 2)
    weight = options.pop("weight", ONE)
    return Layer(name, timesteps, neuron, (Connection(source, transport, Linear(weight)),))


def test_importing_the_contract_imports_neither_torch_nor_amaranth() -> None:
    code = "import spikeloom.sw.network, sys; print({'torch', 'amaranth'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_shapes_and_classes() -> None:
    network = everything()
    assert network.shapes == {
        "input": (1, 5, 6),
        "conv": (2, 5, 3),
        "again": (1, 2, 3),
        "steps": (3,),
        "out": (2,),
    }
    assert network.output is network["out"]
    assert network.classes == 2


def test_ranges_by_hand() -> None:
    network = Network(
        DirectInput((2,), 2),
        (
            Layer(
                "hidden",
                3,
                If(ints(10, 5), ints(4, 0), ints(-1, 2), fraction_bits=1),
                (counted("input", ints([3, -1], [0, 2])),),
            ),
            Layer(
                "out",
                3,
                Logits(ints(1), fraction_bits=0),
                (
                    Connection("hidden", "spikes", Linear(ints([5, -2]))),
                    counted("hidden", ints([1, 1])),
                ),
            ),
        ),
    )
    # Pixels are 0 to 3: A of channel 0 is -3 to 9, of channel 1 is 0 to 6, together -3 to 9.
    # Current: 2 * (-3) - 1 = -7 to 2 * 9 + 2 = 20, three times, on top of 0 to 4.
    assert network.ranges["hidden"] == Ranges(
        Range(-3, 9), Range(-21, 64), Range(0, 1), Range(0, 3)
    )
    # Spikes are 0 or 1: -2 to 5; counts 0 to 3: 0 to 6.
    assert network.ranges["out"] == Ranges(Range(-2, 11), Range(-3, 36), Range(0, 0), Range(0, 0))


def test_carried_values() -> None:
    network = everything()
    steps, again = network["steps"], network["again"]
    assert network.carried(again, again.connections[0]) == Range(0, 2)
    assert network.carried(steps, steps.connections[0]) == Range(0, 3)
    assert network.carried(network["conv"], network["conv"].connections[0]) == Range(0, 7)


def test_steps_spikes_and_totals_of_sources() -> None:
    network = every_kind()
    assert [network.steps_of(name) for name in ("input", "twice", "signs", "bursts")] == [
        3,
        3,
        5,
        2,
    ]
    assert everything().steps_of("input") is None
    spikes = {"input": (0, 2), "twice": (-1, 1), "signs": (-4, 4), "bursts": (0, 3)}
    totals = {"input": (0, 6), "twice": (0, 3), "signs": (-20, 5), "bursts": (0, 6)}
    assert {name: network.spike_of(name) for name in spikes} == {
        name: Range(*ends) for name, ends in spikes.items()
    }
    assert {name: network.total_of(name) for name in totals} == {
        name: Range(*ends) for name, ends in totals.items()
    }
    signs = network["signs"]
    assert not signs.constant
    assert network["steps"].constant
    assert [network.carried(signs, c) for c in signs.connections] == [Range(-1, 1), Range(0, 6)]


def test_layers_by_name() -> None:
    with pytest.raises(ContractError, match="no layer is called 'x'; there are conv, again, steps"):
        everything()["x"]


def test_a_network_is_frozen() -> None:
    network = everything()
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.name = "x"  # type: ignore[misc]
    with pytest.raises(TypeError, match="does not support item assignment"):
        network.about["x"] = 1  # type: ignore[index]


def test_numpy_integers_become_plain() -> None:
    network = Network(
        DirectInput((np.int32(1),), np.uint8(2)),  # type: ignore[arg-type]
        (logits_layer("input", ONE, np.int64(3)),),  # type: ignore[arg-type]
    )
    assert type(network.input.shape[0]) is int
    assert type(network.output.timesteps) is int
    assert len(network.digest) == 64


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DirectInput((1, 2), 1), r"input shape must be .* not \(1, 2\)"),
        (lambda: DirectInput(3, 1), "input shape must be .* not 3"),  # type: ignore[arg-type]
        (lambda: DirectInput((0,), 1), "input shape must be from 1 to 1048576, not 0"),
        (lambda: DirectInput((1,), 0), "input bits must be from 1 to 16, not 0"),
        (lambda: DirectInput((1,), 17), "input bits must be from 1 to 16, not 17"),
        (lambda: Network("x", ()), "input must be an Input, not 'x'"),  # type: ignore[arg-type]
        (lambda: Network(INPUT, ()), "a network must have at least one layer"),
        (lambda: Network(INPUT, 3), "layers must be a tuple of Layer, not 3"),  # type: ignore[arg-type]
        (lambda: Network(INPUT, ("a",)), r"layers\[0\] must be a Layer, not 'a'"),  # type: ignore[arg-type]
        (lambda: Network(INPUT, (logits_layer("input", ONE),), name=3), "name must be a string"),  # type: ignore[arg-type]
        (
            lambda: Network(INPUT, (layer("a", "input"),)),
            "layer 'a' of kind 'if' is the last, which must not fire: use 'logits'",
        ),
        (
            lambda: Network(INPUT, (logits_layer("input", ONE), layer("a", "input"))),
            "layer 'out' of kind 'logits' does not fire, so it must be the last layer",
        ),
        (
            lambda: Network(
                INPUT, (layer("a", "input"), layer("a", "input"), logits_layer("a", ONE))
            ),
            "two layers have the name 'a'",
        ),
        (
            lambda: Network(INPUT, (layer("a", "out"), logits_layer("a", ONE))),
            r"layer 'a': source 'out' is neither the input nor an earlier layer \(input\), nor",
        ),
        (
            lambda: Network(INPUT, (logits_layer("input", ints([1, 2])),)),
            r"layer 'out': linear weights \(1, 2\) need 2 source values",
        ),
        (
            lambda: Network(
                INPUT,
                (layer("a", "input", weight=ints([1], [2])), logits_layer("a", ints([1, 1]))),
            ),
            "layer 'a': its neurons have parameters for 1 channels, but its connections give 2",
        ),
        (
            lambda: Network(
                INPUT,
                (
                    Layer(
                        "out",
                        1,
                        Logits(ints(0), fraction_bits=0),
                        (counted("input", ONE), counted("input", ints([1], [1]))),
                    ),
                ),
            ),
            r"layer 'out': its connections give different shapes \[\(1,\), \(2,\)\]",
        ),
        (
            lambda: Network(INPUT, (layer("a", "input", "spikes"), logits_layer("a", ONE))),
            "layer 'a': a direct input is constant over time: connect it with count transport",
        ),
        (
            lambda: Network(
                INPUT,
                (
                    layer("a", "input"),
                    layer("b", "a", "spikes", neuron=Ladder(ints([1, 2]))),
                    logits_layer("b", ONE),
                ),
            ),
            "layer 'b': neurons of kind 'ladder' take no spikes transport; they take count",
        ),
        (
            lambda: Network(
                INPUT,
                (
                    layer("a", "input", neuron=Ladder(ints([1, 2]))),
                    layer("b", "a", "spikes"),
                    logits_layer("b", ONE),
                ),
            ),
            "layer 'b': its source 'a' of kind 'ladder' cannot be carried by spikes transport; us",
        ),
        (
            lambda: Network(
                INPUT,
                (layer("a", "input"), layer("b", "a", "replicate", timesteps=1), *END),
            ),
            "layer 'b': source 'a': replicate transport stretches fewer .* not 2 over 1: use trunc",
        ),
        (
            lambda: Network(
                INPUT,
                (layer("a", "input"), layer("b", "a", "truncate", timesteps=3), *END),
            ),
            "layer 'b': source 'a': truncate transport keeps the first of more .* not 3 of 2: use",
        ),
        (
            lambda: Network(CountInput((1,), 3), (layer("a", "input", "replicate"), *END)),
            "layer 'a': a count input is constant over time: connect it with count transport",
        ),
        (
            lambda: Network(SpikeInput((1,), 3), (layer("a", "input", "spikes"), *END)),
            "layer 'a': source 'input': spikes transport needs as many .*: 2 here, 3 there; make",
        ),
        (
            lambda: Network(
                INPUT,
                (
                    layer("a", "input", timesteps=3),
                    layer("b", "a", "spikes", timesteps=2),
                    logits_layer("b", ONE),
                ),
            ),
            "source 'a': spikes transport needs as many timesteps as its source has: 2 here, 3 ",
        ),
    ],
)
def test_networks_that_break_the_contract(build: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        build()


def test_registers_wider_than_the_contract_allows() -> None:
    wide = Linear(np.full((1, 4), 2**31 - 1))
    with pytest.raises(ContractError, match="layer 'out': the accumulator needs 49 bits"):
        Network(
            DirectInput((4,), 16),
            (
                Layer(
                    "out",
                    1,
                    Logits(ints(0), fraction_bits=0),
                    (Connection("input", "count", wide),),
                ),
            ),
        )


def test_a_convolution_network_may_end_in_a_feature_map() -> None:
    conv = Connection("input", "count", Conv2d(np.ones((2, 1, 2, 2), int)))
    network = Network(
        DirectInput((1, 3, 4), 1),
        (Layer("out", 1, Logits(ints(0, 0), fraction_bits=0), (conv,)),),
    )
    assert network.classes == 2 * 2 * 3


def test_a_network_is_shown_in_three_lines_at_most() -> None:
    network = everything()
    text = repr(network)
    first, second = network.layers[0], network.output
    assert text.startswith(f"<Network {network.name!r}: ")
    assert f"-> {network.classes} logits\n  {len(network.layers)} layers: {first.name} (" in text
    assert text.endswith(f"{second.name} (logits, T={second.timesteps})>")
    assert len(text.splitlines()) <= 3
    assert max(map(len, text.splitlines())) <= 120
