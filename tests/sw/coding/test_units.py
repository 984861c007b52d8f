"""Units: all of a channel's weights as multiples of one real value."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.sw.coding import FoldedLayer
from spikeloom.sw.coding.folding import FoldedSynapses
from spikeloom.sw.coding.units import share_units
from spikeloom.sw.graph import Pooling, Tap
from spikeloom.sw.quantized import QCFS

POSITIVE = st.floats(2**-6, 2**6).map(Fraction)


def linear(
    weight: list[list[int]], scale: list[float], pool: Pooling | None = None
) -> FoldedSynapses:
    return FoldedSynapses(Tap("input", pool), np.array(weight), np.array(scale))


def shortcut(channels: int) -> FoldedSynapses:
    ones = np.ones(channels, dtype=np.int64)
    return FoldedSynapses(Tap("x"), ones, np.ones(channels), identity=True)


def layer(*synapses: FoldedSynapses, output: bool = False) -> FoldedLayer:
    bias = np.zeros(len(synapses[0].weight))
    return FoldedLayer("layer", synapses, bias, None if output else QCFS())


def test_one_connection_keeps_its_weights() -> None:
    made = share_units(layer(linear([[3, -7], [0, 2]], [0.5, 0.25])), [Fraction(1, 3)])
    assert made.units == (Fraction(1, 6), Fraction(1, 12))
    assert made.weights[0].tolist() == [[3, -7], [0, 2]]


def test_averages_divide_the_unit() -> None:
    pooled = linear([[3, -7]], [0.5], Pooling("sum", (2, 3)))
    assert share_units(layer(pooled), [Fraction(1)]).units == (Fraction(1, 12),)
    peaked = linear([[3, -7]], [0.5], Pooling("max", (2, 3)))
    assert share_units(layer(peaked), [Fraction(1)]).units == (Fraction(1, 2),)


def test_the_smaller_unit_is_kept_and_others_are_its_multiples() -> None:
    made = share_units(
        layer(linear([[3, -7], [1, 1]], [0.5, 0.5]), linear([[5, 2], [1, -1]], [0.2, 0.8])),
        [Fraction(1), Fraction(1)],
    )
    assert made.units == (Fraction(0.2), Fraction(1, 2))
    # 3·0.5/0.2 = 7.5 less a little (0.2 is more than 1/5 in binary), -7·0.5/0.2 = -17.5, too
    assert made.weights[0].tolist() == [[7, -17], [1, 1]]
    assert made.weights[1].tolist() == [[5, 2], [2, -2]]


def test_connections_without_weights_do_not_choose() -> None:
    made = share_units(layer(linear([[0, 0]], [2**-9]), linear([[5, 2]], [0.5])), [Fraction(1)] * 2)
    assert made.units == (Fraction(1, 2),)
    assert [w.tolist() for w in made.weights] == [[[0, 0]], [[5, 2]]]


def test_connections_of_little_weight_do_not_blow_up_others() -> None:
    made = share_units(
        layer(linear([[100, 3]], [2**-20]), linear([[5, 2]], [1.0])), [Fraction(1)] * 2
    )
    assert made.units == (Fraction(1, 256),)
    assert [w.tolist() for w in made.weights] == [[[0, 0]], [[1280, 512]]]
    beside = share_units(layer(linear([[100, 3]], [2**-20]), shortcut(1)), [Fraction(1)] * 2)
    assert beside.units == (Fraction(1, 1 << 16),)
    assert beside.weights[1].tolist() == [1 << 16]


def test_shortcuts_are_multiples_of_the_weights_unit() -> None:
    made = share_units(
        layer(linear([[3], [2], [0]], [0.5, 0.3, 1.0]), shortcut(3)), [Fraction(1), Fraction(4)]
    )
    # A channel with nothing but a shortcut counts in the shortcut's own unit.
    assert made.units == (Fraction(1, 2), Fraction(0.3), Fraction(4))
    assert made.weights[1].tolist() == [8, 13, 1]


def test_logits_share_one_unit() -> None:
    made = share_units(
        layer(linear([[3], [2]], [0.5, 0.5]), linear([[1], [0]], [0.25, 2**-5]), output=True),
        [Fraction(1), Fraction(1)],
    )
    assert made.units == (Fraction(1, 4), Fraction(1, 4))
    assert [w.tolist() for w in made.weights] == [[[6], [4]], [[1], [0]]]


def test_channels_without_any_weights() -> None:
    made = share_units(layer(linear([[0, 0]], [0.5])), [Fraction(3)])
    assert made.units == (Fraction(3, 2),)


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=4), st.data())
def test_weights_are_off_by_half_a_unit_at_most(
    scales: list[tuple[Fraction, Fraction]], data: st.DataObject
) -> None:
    integers = st.lists(st.integers(-127, 127), min_size=3, max_size=3)
    rows = [data.draw(st.tuples(integers, integers)) for _ in scales]
    sources = [data.draw(POSITIVE), data.draw(POSITIVE)]
    synapses = [
        linear([row[s] for row in rows], [float(scale[s]) for scale in scales]) for s in (0, 1)
    ]
    made = share_units(layer(*synapses), sources)
    for c, (row, scale) in enumerate(zip(rows, scales, strict=True)):
        for s in (0, 1):
            for before, after in zip(row[s], made.weights[s][c].tolist(), strict=True):
                real = before * scale[s] * sources[s]
                assert abs(after * made.units[c] - real) <= made.units[c] / 2
