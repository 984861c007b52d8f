from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from support.networks.examples import ints
from torch.nn import functional

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import (
    Connection,
    Conv2d,
    Identity,
    Linear,
    MaxPool,
    Range,
    SumPool,
)


def kernel(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, np.int64)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_convolution_shapes_are_those_of_torch(size: int, stride: int, padding: int) -> None:
    if padding >= size:
        with pytest.raises(ContractError, match=f"vertical padding {padding} must be smaller"):
            Conv2d(kernel(1, 2, size, 3), (stride, 1), (padding, 0))
        with pytest.raises(ContractError, match=f"horizontal padding {padding} must be smaller"):
            Conv2d(kernel(1, 2, 3, size), (1, stride), (0, padding))
        return
    conv = Conv2d(kernel(4, 2, size, 2), (stride, 1), (padding, 1))
    for height in range(max(1, size - 2 * padding), 9):
        expected = functional.conv2d(
            torch.zeros(1, 2, height, 5),
            torch.zeros(4, 2, size, 2),
            stride=(stride, 1),
            padding=(padding, 1),
        )
        assert conv.shape((2, height, 5)) == tuple(expected.shape[1:])


def test_pool_shapes_are_those_of_torch() -> None:
    for size in itertools.product((1, 2, 3), (1, 2)):
        for source in itertools.product((3, 4, 5, 7), (2, 3, 6)):
            expected = functional.max_pool2d(torch.zeros(1, 2, *source), size)
            assert SumPool(size).shape((2, *source)) == tuple(expected.shape[1:])
            assert MaxPool(size).shape((2, *source)) == tuple(expected.shape[1:])


@given(
    st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), st.integers(1, 12)),
    st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), st.integers(1, 12)),
    st.booleans(),
)
def test_shapes_of_pools_that_overlap_are_those_of_torch(
    rows: tuple[int, ...], columns: tuple[int, ...], ceil: bool
) -> None:
    size, stride, padding, source = zip(rows, columns, strict=True)
    assume(all(2 * p <= k for p, k in zip(padding, size, strict=True)))
    pool = MaxPool(size, stride, padding, ceil)
    try:
        expected = functional.max_pool2d(
            torch.zeros(1, 2, *source), size, stride, padding, ceil_mode=ceil
        )
    except RuntimeError:  # too small
        with pytest.raises(ContractError, match="is larger than its source"):
            pool.shape((2, *source))
        return
    assert pool.shape((2, *source)) == tuple(expected.shape[1:])


def test_linear_flattens() -> None:
    assert Linear(kernel(3, 12)).shape((2, 3, 2)) == (3,)
    assert Linear(kernel(3, 12)).shape((12,)) == (3,)


@pytest.mark.parametrize("source", [Range(0, 1), Range(0, 3), Range(-1, 1), Range(1, 2)])
def test_accumulators_are_proven_tightly(source: Range) -> None:
    weight = ints([2, -3, 1], [-1, -1, -1], [4, 0, 2])
    # 0 stands in for a source outside the feature map, whatever the source's own range is.
    values = sorted({0, *range(source.low, source.high + 1)})
    for row, proven in zip(weight, Linear(weight).accumulator(source), strict=True):
        sums = [int(row @ np.array(x)) for x in itertools.product(values, repeat=3)]
        assert proven == Range(min(sums), max(sums))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_grouped_convolutions_have_the_shape_of_torch(groups: int) -> None:
    conv = Conv2d(kernel(8, 4 // groups, 3, 3), (2, 1), (1, 0), groups)
    expected = functional.conv2d(
        torch.zeros(1, 4, 7, 6),
        torch.zeros(8, 4 // groups, 3, 3),
        stride=(2, 1),
        padding=(1, 0),
        groups=groups,
    )
    assert conv.shape((4, 7, 6)) == tuple(expected.shape[1:])
    # Each output channel sees 4 / groups source channels.
    assert conv.accumulator(Range(0, 1)) == [Range(0, 9 * 4 // groups)] * 8


def test_identities_keep_the_shape() -> None:
    identity = Identity(ints(3, -2))
    assert identity.shape((2, 5, 4)) == (2, 5, 4)
    assert identity.shape((2,)) == (2,)
    assert identity.accumulator(Range(-1, 4)) == [Range(-3, 12), Range(-8, 2)]
    with pytest.raises(ContractError, match=r"2 channels needs a source of as many, not \(3,\)"):
        identity.shape((3,))


def test_accumulators_do_not_overflow_int64() -> None:
    (proven,) = Linear(ints([2**31 - 1] * 4)).accumulator(Range(0, 2**40))
    assert proven.high == 4 * (2**31 - 1) * 2**40


def test_pooled_values() -> None:
    connection = Connection("a", "count", Linear(ints([1])), SumPool((2, 3)))
    assert connection.pooled_values(Range(0, 4)) == Range(0, 24)
    assert Connection("a", "count", Linear(ints([1])), MaxPool((2, 3))).pooled_values(
        Range(0, 4)
    ) == Range(0, 4)
    assert Connection("a", "spikes", Linear(ints([1]))).pooled_values(Range(0, 1)) == Range(0, 1)


def test_equality() -> None:
    def build(source: str = "a", transport: str = "count", pool: Any = None) -> Connection:
        return Connection(source, transport, Linear(ints([1])), pool)

    assert build() == build()
    assert build(pool=SumPool((2, 2))) == build(pool=SumPool((2, 2)))
    for other in (build("b"), build(transport="spikes"), build(pool=SumPool((1, 1))), "a"):
        assert build() != other


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4,), r"in 1 groups need a source of shape \(2, height, width\), not \(4,\)"),
        ((3, 5, 5), r"in 1 groups need a source of shape \(2, height, width\), not \(3, 5, 5\)"),
        ((2, 2, 5), r"a kernel of \(3, 3\) with padding \(0, 0\) is larger than its source"),
    ],
)
def test_a_source_that_a_convolution_does_not_fit(shape: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Conv2d(kernel(1, 2, 3, 3)).shape(shape)


def test_sources_that_do_not_fit() -> None:
    with pytest.raises(ContractError, match=r"need 5 source values, but the source has 6 \(1, 2,"):
        Linear(kernel(2, 5)).shape((1, 2, 3))
    with pytest.raises(ContractError, match=r"a pool needs a source of shape .* not \(6,\)"):
        SumPool((2, 2)).shape((6,))
    with pytest.raises(ContractError, match=r"a pool of \(3, 1\) is larger than its source \(1, 2"):
        MaxPool((3, 1)).shape((1, 2, 2))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Linear(kernel(2)), "weight must have 2 axes"),
        (lambda: Linear(kernel(2, 2) * 1.5), "weight must hold signed integers"),  # type: ignore[arg-type]
        (
            lambda: Linear(ints([2**32])),
            "width of the weights in bits must be from 1 to 32, not 33",
        ),
        (lambda: Linear(ints([-(2**31), 2**31])), "must be from 1 to 32, not 33"),
        (lambda: Conv2d(kernel(1, 1, 2)), "weight must have 4 axes"),
        (lambda: Conv2d(kernel(1, 1, 2, 2), (0, 1)), r"stride\[0\] must be from 1 to 4096, not 0"),
        (lambda: Conv2d(kernel(1, 1, 2, 2), 2), "stride must be two integers"),  # type: ignore[arg-type]
        (lambda: Conv2d(kernel(1, 1, 2, 2), (1, 1), (0, -1)), r"padding\[1\] must be from 0"),
        (
            lambda: Conv2d(kernel(4, 1, 1, 1), groups=3),
            "groups 3 must divide the 4 output",
        ),
        (lambda: Conv2d(kernel(4, 1, 1, 1), groups=0), "groups must be from 1 to 1048576, not 0"),
        (lambda: Identity(kernel(2, 2)), "weight must have 1 axes"),
        (lambda: SumPool((0, 1)), r"pool size\[0\] must be from 1 to 4096, not 0"),
        (lambda: MaxPool(2), "pool size must be two integers"),  # type: ignore[arg-type]
        (lambda: MaxPool((2, 2), (0, 1)), r"pool stride\[0\] must be from 1 to 4096, not 0"),
        (lambda: MaxPool((2, 2), padding=(0, -1)), r"pool padding\[1\] must be from 0 to 4096"),
        (
            lambda: MaxPool((3, 2), padding=(2, 2)),
            "horizontal padding 2 must be smaller than the p",
        ),
        (lambda: MaxPool((1, 2), padding=(1, 1)), "vertical padding 1 must be smaller than the p"),
        (lambda: MaxPool((2, 2), ceil=1), "ceil of a pool must be true or false, not 1"),  # type: ignore[arg-type]
        (lambda: Connection(3, "count", Linear(ints([1]))), "source must be a name, not 3"),  # type: ignore[arg-type]
        (
            lambda: Connection("a", "rate", Linear(ints([1]))),
            "one of count, spikes, replicate, truncate, not 'rate'",
        ),
        (
            lambda: Connection("a", ["count"], Linear(ints([1]))),  # type: ignore[arg-type]
            "one of count, spikes, replicate, truncate, not ",
        ),
        (lambda: Connection("a", "count", ints([1])), "synapses must be a Synapses, not array"),  # type: ignore[arg-type]
        (lambda: Connection("a", "count", Linear(ints([1])), 2), "pool must be a Pool, not 2"),  # type: ignore[arg-type]
        (
            lambda: Connection("a", "spikes", Linear(ints([1])), MaxPool((2, 2))),
            "a max-pool of the source 'a' is not exact in spikes transport: use count transport",
        ),
    ],
)
def test_parts_that_break_the_contract(build: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        build()


def test_weights_may_have_32_bits() -> None:
    assert Linear(ints([-(2**31), 2**31 - 1])).channels == 1
    # All positive, so no bit goes to the sign.
    assert Linear(ints([2**32 - 1])).channels == 1
