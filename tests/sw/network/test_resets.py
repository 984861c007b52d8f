"""Neurons of other toolkits: their parameters, ranges, files and digests."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.networks.examples import counted, ints, logits_layer
from support.networks.naive import step

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import (
    Burst,
    Connection,
    Cuba,
    DirectInput,
    Dual,
    If,
    Layer,
    Linear,
    Logits,
    Network,
    Neuron,
    Range,
    load,
    save,
)

LEAKS: list[tuple[int, ...]] = [(), (1,), (2, -3), (1, 2), (-1, 1, 1), (-2,)]
RESETS: list[dict[str, Any]] = [
    {},
    {"reset_amount": ints(1)},
    {"reset_amount": ints(9)},
    {"reset_value": ints(-6)},
    {"reset_value": ints(8)},
]


def reached(neuron: Any, totals: Sequence[int], timesteps: int) -> tuple[set[int], set[int]]:
    """Return every potential after a timestep, and every second state, of any accumulators."""
    states: set[Any] = {None}
    potentials, others = {int(neuron.initial[0])}, {0}
    for t in range(timesteps):
        states = {step(neuron, 0, t, state, a)[1] for state in states for a in totals}
        potentials |= {v for v, _ in states}
        others |= {i for _, i in states}
    return potentials, others


@pytest.mark.parametrize("leak", LEAKS)
@pytest.mark.parametrize("resets", RESETS, ids=str)
def test_every_potential_is_in_the_proven_range(
    resets: dict[str, Any], leak: tuple[int, ...]
) -> None:
    reach, timesteps = Range(-3, 2), 3
    totals = range(reach.low, reach.high + 1)
    for threshold, initial, bias in itertools.product((1, 4), (-5, 0, 3), (-1, 2)):
        if initial not in range(threshold) and not (leak or resets):
            continue
        given = (ints(threshold), ints(initial), ints(bias), 1, leak)
        # A threshold that is never reached shows the potentials before firing.
        for first in (given, (ints(10**6), *given[1:])):
            neuron = If(*first, **resets)
            seen, _ = reached(neuron, totals, timesteps)
            proven = neuron.potential(timesteps, reach)
            assert proven | Range(min(seen), max(seen)) == proven
            cuba = Cuba(*first, **resets, current_leak=leak)
            seen, currents = reached(cuba, totals, timesteps)
            proven, current = (f(timesteps, reach) for f in (cuba.potential, cuba.current))
            assert proven | Range(min(seen), max(seen)) == proven
            assert current | Range(min(currents), max(currents)) == current


def test_ranges_by_hand() -> None:
    # 0 - 4 = -4; -4 - (-2) - 4 = -6; and up 5, 5 - 2 + 5 = 8. An amount leaves at least 4 - 11.
    given = (ints(4), ints(0), ints(0), 0, (1,))
    assert If(*given).potential(2, Range(-4, 5)) == Range(-6, 8)
    assert If(*given, reset_amount=ints(11)).potential(1, Range(-4, 5)) == Range(-7, 5)
    assert If(*given, reset_value=ints(99)).potential(1, Range(-4, 5)) == Range(-4, 99)
    # i: -4 to 5, then -4 + 2 - 4 = -6 to 5 - 2 + 5 = 8; v: the same, then -4 + 2 - 6 and 3 + 8.
    cuba = Cuba(*given, current_leak=(1,))
    assert cuba.current(2, Range(-4, 5)) == Range(-6, 8)
    assert cuba.potential(2, Range(-4, 5)) == Range(-8, 11)
    assert Logits(ints(0), 0, (1,)).potential(2, Range(-4, 5)) == Range(-6, 8)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda **x: If(**x, reset_amount=ints(1), reset_value=ints(1)), "a reset_value, not both"),
        (lambda **x: If(**x, reset_amount=ints(0)), "reset_amount of channel 0 must be positive"),
        (lambda **x: If(**x, reset_value=ints(0, 1)), "one value per channel each, not {'reset_va"),
        (lambda **x: If(**x, reset_value=ints(2**60)), "reset_value needs 61 bits"),
        (lambda **x: If(**(x | {"initial": ints(9)})), "from 0 to threshold - 1 = 3, not 9"),
        (lambda **x: Dual(**(x | {"initial": ints(9)}), leak=1), "from 0 to threshold - 1 = 3"),
        (lambda **x: Cuba(**x, current_leak=(0,)), "current_leak must be from 1 to 31, or from"),
    ],
)
def test_parameters_that_do_not_fit(build: Callable[..., Neuron], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        build(threshold=ints(4), initial=ints(0), bias=ints(0), fraction_bits=0)


def test_currents_wider_than_any_register() -> None:
    cuba = Cuba(ints(4), ints(0), ints(0), 16, current_leak=(31,))
    cuba.check(8, Range(0, 2**22))
    with pytest.raises(ContractError, match="the current i needs 49 bits"):
        cuba.check(8, Range(0, 2**30))


def test_headers_are_those_of_before_where_no_option_is_used() -> None:
    given = (ints(4), ints(0), ints(0), 0)
    for neuron in (If(*given), Dual(*given), If(*given, leak=None), Dual(*given, leak=[])):
        assert neuron.header() == {"kind": neuron.kind, "fraction_bits": 0}
        assert neuron.tensors().keys() == {"threshold", "initial", "bias"}
    assert Logits(ints(0), 0).header() == {"kind": "logits", "fraction_bits": 0}
    leaks = [None, 3, (3,), (-3,), (3, -4)]
    headers = [Burst(*given, largest=2, leak=leak).header()["leak"] for leak in leaks]
    assert headers == [None, 3, 3, (-3,), (3, -4)]


def network(neuron: Neuron, logits: Logits | None = None) -> Network:
    own = Connection("loop", "spikes", Linear(ints([1, -2], [3, 0])))
    last = logits_layer("loop", ints([1, 2]))
    last = last if logits is None else dataclasses.replace(last, neuron=logits)
    loop = Layer("loop", 3, neuron, (own, counted("input", ints([1, 0], [0, 1]))))
    return Network(DirectInput((2,), 3), (loop, last))


GIVEN = (ints(4, 5), ints(0, 1), ints(0, -1), 2)
OTHERS = [
    network(If(*GIVEN)),
    network(If(*GIVEN), Logits(ints(0), 0, (4,))),
    network(If(*GIVEN, leak=(3,))),
    network(If(*GIVEN, leak=(-3,))),
    network(If(*GIVEN, leak=(3, -5, 7))),
    network(If(*GIVEN, reset_amount=ints(4, 5))),
    network(If(*GIVEN, reset_amount=ints(4, 6))),
    network(If(*GIVEN, reset_value=ints(4, 5))),
    network(Dual(*GIVEN, leak=(3,))),
    network(Burst(*GIVEN, 3, (3, -4))),
    network(Cuba(*GIVEN)),
    network(Cuba(*GIVEN, leak=(2,))),
    network(Cuba(*GIVEN, current_leak=(2,))),
]


def test_digests_see_every_option() -> None:
    assert len({other.digest for other in OTHERS}) == len(OTHERS)
    assert all(one != other for one, other in itertools.combinations(OTHERS, 2))


@pytest.mark.parametrize("made", OTHERS, ids=lambda made: repr(made["loop"].neuron.header()))
def test_files_come_back(tmp_path: Path, made: Network) -> None:
    save(made, tmp_path / "one.safetensors")
    loaded = load(tmp_path / "one.safetensors")
    assert (loaded, loaded.digest) == (made, made.digest)
