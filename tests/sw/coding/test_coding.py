"""Coding: what users choose, what they get by default, and what is refused, with what to do."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

import pytest
from support.models import small
from torch import fx, nn

from spikeloom.sw.cli import coding as command
from spikeloom.sw.coding import ALIGNMENTS, TRANSPORT_CHOICES, Coding, coding, fold
from spikeloom.sw.coding.options import INPUT_CHOICES, Options
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.network import BernoulliInput, CountInput, DirectInput, Neuron, SpikeInput
from spikeloom.sw.quantized import SignedQCFS, prepare
from spikeloom.sw.quantized.prepared import META


def three(act: type[nn.Module] = nn.ReLU, **choices: Any) -> fx.GraphModule:
    model = nn.Sequential(
        nn.Linear(4, 5), act(), nn.Linear(5, 6), act(), nn.Linear(6, 5), act(), nn.Linear(5, 2)
    )
    return small.prepared(model, (4,), **choices)


def coded(model: fx.GraphModule | None = None, **options: Any) -> Coding:
    model = three() if model is None else model
    return coding(fold(model), model.meta[META], cast(Options, options))


def of(made: Coding, what: str) -> list[Any]:
    return [getattr(layer, what) for layer in made.layers.values()]


def test_the_defaults() -> None:
    made = coded()
    assert made.input == DirectInput((4,), 4)
    assert made.input_scale == Fraction(1, 16)
    assert of(made, "neuron") == ["ladder", "ladder", "ladder", "logits"]
    assert of(made, "timesteps") == [4, 4, 4, 1]
    assert of(made, "transports") == [("count",)] * 4
    assert of(made, "counted") == [True] * 4


def test_spikes() -> None:
    made = coded(transport="spikes")
    assert of(made, "neuron") == ["if", "if", "if", "logits"]
    assert of(made, "transports") == [("count",), ("spikes",), ("spikes",), ("spikes",)]
    assert of(made, "timesteps") == [4, 4, 4, 4]
    assert of(made, "constant") == [True, False, False, False]
    assert of(made, "counted") == [False, False, False, True]


@pytest.mark.parametrize(
    ("alignment", "to_more", "to_fewer"),
    [
        ("repl+aver", "replicate", "count"),
        ("repl+trunc", "replicate", "truncate"),
        ("aver+trunc", "count", "truncate"),
        ("aver+aver", "count", "count"),
    ],
)
def test_the_alignments_of_table_4(alignment: str, to_more: str, to_fewer: str) -> None:
    steps = {"layer_0": 2, "layer_2": 6, "layer_4": 3}
    made = coded(transport="spikes", alignment=alignment, timesteps=steps)
    # Between equal timesteps nothing is aligned, unless all is averaged.
    same = "count" if alignment == "aver+aver" else "spikes"
    assert of(made, "transports") == [("count",), (to_more,), (to_fewer,), (same,)]
    assert of(made, "timesteps") == [2, 6, 3, 1 if same == "count" else 3]
    own = coded(transport="spikes", alignment=alignment, timesteps={**steps, "layer_6": 9})
    assert own.layers["layer_6"].transports == (to_more,)
    # Of a constant current, one step says all.
    assert own.layers["layer_6"].timesteps == (1 if to_more == "count" else 9)


def test_ladders_stand_where_only_counts_pass() -> None:
    made = coded(
        transport="spikes",
        alignment="aver+trunc",
        timesteps={"layer_0": 2, "layer_2": 6, "layer_4": 8},
    )
    assert of(made, "neuron") == ["ladder", "ladder", "if", "logits"]


def test_all_is_averaged_also_between_equal_timesteps() -> None:
    averaged = coded(transport="spikes", alignment="aver+aver", timesteps=3)
    assert averaged.layers == coded(transport="count", timesteps=3).layers


def test_neurons_by_layer() -> None:
    made = coded(neuron={"first": "if", "layer_2": "burst", "last": "dual"}, largest=2)
    assert of(made, "neuron") == ["if", "burst", "dual", "logits"]
    assert of(made, "timesteps") == [4, 2, 4, 1]
    assert of(made, "largest") == [1, 2, 1, 1]


def test_bursts() -> None:
    assert of(coded(neuron="burst"), "timesteps") == [1, 1, 1, 1]
    assert of(coded(neuron="burst"), "largest") == [4, 4, 4, 1]
    assert of(coded(neuron="burst", largest=3), "timesteps") == [2, 2, 2, 1]
    leaky = coded(neuron="burst", tau=4.0, timesteps=5, largest={"layer_2": 7})
    assert of(leaky, "leak") == [2, 2, 2, None]
    assert of(leaky, "largest") == [4, 7, 4, 1]
    some = coded(neuron="burst", tau={"layer_0": 2, "layer_4": 2**31})
    assert of(some, "leak") == [1, None, 31, None]


def test_signed_neurons() -> None:
    made = coded(three(nn.LeakyReLU), transport="spikes")
    assert of(made, "neuron") == ["signed", "signed", "signed", "logits"]
    # The power of two that is nearest to a slope of 0.01 is 1/128.
    assert made.layers["layer_0"].amplitudes == (128, 1)


def test_real_units() -> None:
    thresholds = {"layer_0": Fraction(3), "layer_2": Fraction(5)}
    made = coded(
        neuron={"layer_2": "burst"}, largest=2, input="spikes", input_timesteps=8, timesteps=4
    )
    assert made.unit("input", "count", {}) == Fraction(1, 16)
    assert made.unit("input", "spikes", {}) == Fraction(1, 2)
    assert made.unit("layer_0", "count", thresholds) == Fraction(3, 4)
    assert made.unit("layer_0", "replicate", thresholds) == 3
    assert made.unit("layer_2", "count", thresholds) == Fraction(5, 8)
    signed = coded(three(nn.LeakyReLU))
    assert signed.unit("layer_0", "spikes", thresholds) == Fraction(3, 128)


def test_pixels_that_become_spikes() -> None:
    made = coded(input="bernoulli", input_timesteps=6, input_seed=9, input_zero=0)
    assert made.input == BernoulliInput((4,), 4, 6, 9)
    # The highest pixel, 15/16, has six spikes.
    assert made.input_scale == Fraction(15, 16) / 6
    assert made.unit("input", "count", {}) == Fraction(15, 16) / 6
    assert made.unit("input", "spikes", {}) == Fraction(15, 16)
    timed = coded(input="bernoulli", input_timesteps=4, input_bits=8, transport="spikes")
    assert timed.input == BernoulliInput((4,), 8, 4)
    assert timed.layers["layer_0"].transports == ("spikes",)


def test_pixels_of_a_normalisation_stay_as_they_are() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    prepared = prepare(model, input_shape=(4,), pixels=Pixels(offset=128.0))
    with pytest.raises(ConfigError, match="the model was prepared for pixels, which enter"):
        coded(prepared, input="bernoulli", input_timesteps=4)


def test_inputs() -> None:
    assert coded(input="count").input == CountInput((4,), 15)
    assert coded(input="count", input_highest=70).input == CountInput((4,), 70)
    made = coded(
        transport="spikes",
        timesteps=9,
        input="spikes",
        input_timesteps=9,
        input_highest=3,
        input_scale=0.5,
        input_shape=(4,),
    )
    assert made.input == SpikeInput((4,), 9, 3)
    assert made.input_scale == Fraction(1, 2)
    assert made.layers["layer_0"].transports == ("spikes",)
    counted = coded(input="spikes", input_timesteps=9)
    assert counted.input == SpikeInput((4,), 9, 1)
    assert of(counted, "timesteps") == [4, 4, 4, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transport": "truncate"}, "transport must be count or spikes, not 'truncate'"),
        (
            {"transport": "spikes", "alignment": "repl"},
            r"alignment must be repl\+aver or .*, not 'repl'",
        ),
        ({"alignment": "aver+aver"}, r"alignment 'aver\+aver' is for spikes, .*: leave alignment"),
        (
            {"transport": "spikes", "timesteps": {"layer_2": 6}},
            r"spikes without an alignment need equal timesteps in all layers, not "
            r"{'layer_0': 4, 'layer_2': 6, .*'layer_0' has 4 and layer 'layer_2' 6.*: give one "
            r"number of timesteps, an alignment \(repl\+aver, .*, or use transport 'count'",
        ),
        (
            {"transport": "spikes", "input": "spikes", "input_timesteps": 9},
            r"\('input' has 9 and layer 'layer_0' 4\)",
        ),
        ({"neuron": "lif"}, "neuron must be burst or dual or if or ladder or signed, not 'lif'"),
        (
            {"neuron": {"layer_2": "signed"}},
            "'signed' neurons cannot stand for the QCFS of layer 'layer_2': use ladder or if or",
        ),
        ({"neuron": {"fc": "if"}}, "neuron names 'fc', but the layers are layer_0, layer_2"),
        (
            {"neuron": "ladder", "transport": "spikes"},
            "'ladder' neurons take no spikes transport, which layer 'layer_0' has",
        ),
        ({"timesteps": 0}, "timesteps of layer 'layer_0' must be an integer from 1 to 4096, not 0"),
        ({"timesteps": True}, "must be an integer from 1 to 4096, not True"),
        ({"timesteps": {"layer_6": 2}}, "timesteps names 'layer_6', but the layers are"),
        (
            {"transport": "spikes", "alignment": "aver+aver", "timesteps": {"layer_6": 0}},
            "timesteps of layer 'layer_6' must be an integer from 1 to 4096, not 0",
        ),
        ({"largest": 3}, "largest is for burst neurons, and there are none: neuron='burst'"),
        ({"tau": 3}, "tau is for burst neurons, and there are none: neuron='burst'"),
        ({"neuron": "burst", "largest": 0}, "largest of layer 'layer_0' must be .* 1 to 4096"),
        ({"neuron": "burst", "largest": 4097}, "an integer from 1 to 4096, not 4097"),
        (
            {"neuron": {"first": "burst"}, "largest": {"layer_2": 2}},
            "largest names layer 'layer_2', whose neurons are not of kind 'burst': leave it out",
        ),
        (
            {"neuron": "burst", "tau": 3},
            "tau of layer 'layer_0' must be a power of two, not 3, since .*: use 2 or 4",
        ),
        ({"neuron": "burst", "tau": 1}, r"must be from 2 to 2\^31, not 1: leave tau out"),
        ({"neuron": "burst", "tau": 2.0**32}, r"must be from 2 to 2\^31, not 4294967296"),
        ({"neuron": "burst", "tau": "4"}, "tau of layer 'layer_0' must be a number, not '4'"),
        ({"input": "events"}, "input must be direct or count or spikes or bernoulli, not 'events'"),
        (
            {"input_timesteps": 4},
            "^input_timesteps is for inputs of kind spikes or bernoulli, not direct: leave it out, "
            "or choose another input$",
        ),
        ({"input_highest": 4}, "input_highest is for inputs of kind count or spikes, not direct"),
        (
            {"input": "count", "input_timesteps": 4},
            "input_timesteps is for inputs of kind spikes or bernoulli, not count: leave it out",
        ),
        (
            {"input": "spikes", "input_timesteps": 4, "input_seed": 1},
            "input_seed is for inputs of kind bernoulli, not spikes: leave it out",
        ),
        (
            {"input": "bernoulli", "input_timesteps": 4, "input_highest": 1},
            "input_highest is for inputs of kind count or spikes, not bernoulli: leave it out",
        ),
        (
            {"input": "bernoulli"},
            "^pixels become spikes over some timesteps: give input_timesteps$",
        ),
        *(
            (
                {"input": "bernoulli", "input_timesteps": 4, **below},
                "^pixels become random spikes only if the pixel 0 stands for 0 and none is below "
                "it: leave input_signed and input_zero out, or use input='direct'$",
            )
            for below in ({"input_signed": True}, {"input_zero": 3}, {"input_zero": [0, 0, 0, 1]})
        ),
        ({"input": "spikes"}, "an input of spikes has a time axis: give input_timesteps"),
        ({"input_scale": -1.0}, r"input_scale must be positive and finite, not -1\.0"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        coded(**options)


def test_neurons_that_do_not_fire_are_no_choice() -> None:
    with pytest.raises(ConfigError, match=r"neuron must be .*, not 'logits'"):
        coded(neuron="logits")


def test_leaky_relus_have_signed_neurons_only() -> None:
    with pytest.raises(ConfigError, match="'if' neurons cannot stand for the SignedQCFS of layer"):
        coded(three(nn.LeakyReLU), neuron="if")


@pytest.mark.parametrize(
    ("ratio", "message"),
    [
        (0.3, r"layer 'layer_0': .* must be a power of two, not 0\.3, .*SignedQCFS\(ratio=0\.25\)"),
        (2.0**-13, r"needs a spike of 2\^13, and the largest is 4096: use a ratio from"),
        (2.0**13, r"needs a spike of 2\^13, and the largest is 4096: use a ratio from"),
    ],
)
def test_ratios_that_are_no_shift(ratio: float, message: str) -> None:
    model = nn.Sequential(nn.Linear(4, 3), SignedQCFS(4, 1.0, 0.3, ratio), nn.Linear(3, 2))
    with pytest.raises(ConfigError, match=message):
        coded(small.prepared(model, (4,)))


def test_max_pools_of_spikes() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 2, 2), nn.ReLU(),
        nn.Flatten(), nn.Linear(8, 2),
    )  # fmt: skip
    made = small.prepared(model, (1, 8, 8))
    with pytest.raises(UnsupportedError, match="'layer_3' reads 'layer_0' through a max-pool"):
        coded(made, transport="spikes")
    aligned = coded(
        made, transport="spikes", alignment="aver+aver", timesteps={"layer_0": 4, "layer_3": 5}
    )
    assert aligned.layers["layer_3"].transports == ("count",)


def test_options_that_do_not_exist() -> None:
    with pytest.raises(TypeError, match="no option is called 'neurons'"):
        coded(neurons="if")


def test_the_command_line_offers_the_same() -> None:
    assert tuple(ALIGNMENTS) == command.ALIGNMENTS
    assert command.INPUTS == INPUT_CHOICES
    assert command.TRANSPORTS == TRANSPORT_CHOICES
    assert sorted(command.NEURONS) == sorted(Neuron.firing())
