from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.networks.examples import ints

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import Conv2d, If, Ladder, Linear, Neuron, Pool, SumPool, Synapses
from spikeloom.sw.network.record import freeze, require_int, require_pair


@pytest.mark.parametrize("dtype", "bBhHiIlL")
def test_any_integers_become_read_only_int64(dtype: str) -> None:
    given = np.array([[1, 2], [3, 4]], dtype)
    frozen = freeze(given, "x", 2)
    assert frozen.dtype == np.int64
    given[0, 0] = 9
    assert frozen.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="read-only"):
        frozen[0, 0] = 9


def test_lists_and_other_byte_orders_are_taken() -> None:
    assert freeze([1, -2], "x", 1).tolist() == [1, -2]
    assert freeze(np.array([1, -2], ">i4"), "x", 1).tolist() == [1, -2]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0], "x must hold signed integers of at most 64 bits, not float64"),
        ([True], "not bool"),
        (["1"], "not <U1"),
        ([None], "not object"),
        ([2**64], "not object"),
        (np.array([2**63], np.uint64), "not uint64"),
        ([[1], [2, 3]], "x must be one array of integers: "),
        (1, r"x must have 1 axes, none of them empty, not shape \(\)"),
        ([[1]], r"not shape \(1, 1\)"),
        (np.zeros(0, np.int8), r"not shape \(0,\)"),
    ],
)
def test_no_integers_or_another_shape(value: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        freeze(value, "x", 1)


def test_integers_and_pairs() -> None:
    assert require_int(np.int8(3), "x", 1, 3) == 3
    assert type(require_int(np.int8(3), "x", 1, 3)) is int
    assert require_pair([1, np.int64(2)], "x", 0, 9) == (1, 2)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, [1], float("nan")])
def test_no_integer(value: Any) -> None:
    with pytest.raises(ContractError, match="x must be an integer, not "):
        require_int(value, "x", 0, 9)


@pytest.mark.parametrize("value", [-1, 10, 10**40])
def test_integer_out_of_range(value: int) -> None:
    with pytest.raises(ContractError, match=f"x must be from 0 to 9, not {value}"):
        require_int(value, "x", 0, 9)


@pytest.mark.parametrize("value", [3, "12", None, [1], [1, 2, 3], {"a": 1, "b": 2}])
def test_no_pair(value: Any) -> None:
    with pytest.raises(ContractError, match=r"x must be two integers \(vertical, horizontal\)"):
        require_pair(value, "x", 0, 9)


def test_a_member_is_built_from_its_parts() -> None:
    conv = Conv2d(np.ones((2, 1, 3, 3), int), stride=(2, 1))
    assert conv.header() == {"kind": "conv2d", "stride": (2, 1), "padding": (0, 0), "groups": 1}
    assert list(conv.tensors()) == ["weight"]
    assert Synapses.build(conv.header(), conv.tensors(), "it") == conv
    assert Synapses.build({"kind": "conv2d", "stride": [2, 1]}, conv.tensors(), "it") == conv


@pytest.mark.parametrize(
    ("header", "tensors", "message"),
    [
        (None, {}, "it must be an object with a 'kind', not None"),
        ({}, {}, "with a 'kind'"),
        ({"kind": ["if"]}, {}, "with a 'kind'"),
        (
            {"kind": "izhikevich"},
            {},
            "unknown kind 'izhikevich'; this version knows: burst, cuba, dual, if, ladder, log",
        ),
        ({"kind": "linear"}, {}, "it has the unknown kind 'linear'"),
        ({"kind": "if"}, {}, "it of kind 'if' lacks the field 'fraction_bits'"),
        ({"kind": "ladder"}, {}, "it of kind 'ladder' lacks the tensor 'levels'"),
        # Tensors written as JSON, and options as tensors, are in the wrong place.
        ({"kind": "ladder", "levels": [[1]]}, {}, "has the unknown field 'levels'"),
        ({"kind": "ladder", "leak": 1}, {"levels": [[1]]}, "has the unknown field 'leak'"),
        ({"kind": "ladder"}, {"levels": [[1]], "x": [1]}, "has the unknown tensor 'x'"),
        (
            {"kind": "logits"},
            {"bias": [1], "fraction_bits": np.array(1)},
            "lacks the field 'fraction_bits'",
        ),
    ],
)
def test_a_member_of_wrong_parts(header: Any, tensors: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Neuron.build(header, tensors, "it")


def test_families_do_not_mix() -> None:
    assert Neuron.kinds.keys().isdisjoint(Synapses.kinds)
    assert set(Pool.kinds) == {"sum", "max"}


def test_equality_is_of_kind_options_and_tensors() -> None:
    neuron = If(ints(4), ints(2), ints(0), fraction_bits=0)
    assert neuron == If(ints(4), ints(2), ints(0), fraction_bits=0)
    assert neuron != If(ints(4), ints(2), ints(0), fraction_bits=1)
    assert neuron != If(ints(4), ints(2), ints(1), fraction_bits=0)
    assert neuron != Ladder(ints([4]))
    assert Linear(ints([1, 2])) != Linear(ints([1], [2]))
    assert SumPool((1, 2)) != SumPool((2, 1))
    assert SumPool((1, 2)) != (1, 2)
