"""Units: the integer weights of all synapses of a channel, as multiples of one real value.

The accumulator adds up integers, so one unit of it must be worth the same for every connection.
Each connection's own unit is the scale of its weights times the real value of one unit of its
source, over its pool's area. For counts at the timesteps of the training, all connections have the
same unit, since the model was trained so (:mod:`spikeloom.sw.quantized.additions`). In other
codings units differ: then the weights are quantized once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from spikeloom.sw.coding.coding import Coding
from spikeloom.sw.coding.folding import FoldedLayer, FoldedSynapses
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.quantized.additions import MAX_GROWTH, MAX_SHORTCUT


@dataclass(frozen=True, eq=False)
class SharedUnits:
    """A layer's integer weights in one unit per channel.

    Parameters
    ----------
    weights : tuple of int64 arrays
        One per connection, of the shapes of the layer's own.
    units : tuple of Fraction, length channels
        Real value of one unit of the accumulator.
    """

    weights: tuple[IntArray, ...]
    units: tuple[Fraction, ...]


def thresholds_of(layers: Sequence[FoldedLayer]) -> dict[str, Fraction]:
    """Return λ of every layer that fires, exactly as in float64."""
    return {
        layer.name: Fraction(layer.activation.threshold)
        for layer in layers
        if layer.activation is not None
    }


def shared_units(
    folded: FoldedLayer, chosen: Coding, thresholds: Mapping[str, Fraction]
) -> SharedUnits:
    """Return a layer's integer weights and their real units in a coding.

    The network, the quantized ANN and the spiking network all use this function.

    Parameters
    ----------
    folded : FoldedLayer
    chosen : Coding
    thresholds : mapping of layer name to Fraction
        λ of every layer that fires.
    """
    transports = chosen.layers[folded.name].transports
    return share_units(
        folded,
        [
            chosen.unit(synapses.tap.source, transport, thresholds)
            for synapses, transport in zip(folded.synapses, transports, strict=True)
        ],
    )


def share_units(layer: FoldedLayer, sources: Sequence[Fraction]) -> SharedUnits:
    """Return a layer's weights in units that its connections have in common.

    The unit of a channel is the smallest among its connections that have weights other than 0;
    shortcuts are considered only if no other connection has any. The weights of that connection
    stay as they are, and those of the others are rounded to multiples of the unit, halves to even.
    The unit is at least 2^-8 of the largest one, and 2^-16 of a shortcut's, so that a connection
    with tiny weights does not make those of the others huge. All channels of the output layer have
    one unit, since logits are compared.

    Parameters
    ----------
    layer : FoldedLayer
    sources : sequence of Fraction
        Per connection, the real value of a count or spike of 1 that it carries.
    """
    own = [_units(synapses, a) for synapses, a in zip(layer.synapses, sources, strict=True)]
    live = [[bool(row.any()) for row in s.weight] for s in layer.synapses]
    channels = range(len(layer.bias))
    found = [
        _smallest(
            [
                u[c]
                for u, on, s in zip(own, live, layer.synapses, strict=True)
                if on[c] and not s.identity
            ],
            [
                u[c]
                for u, on, s in zip(own, live, layer.synapses, strict=True)
                if on[c] and s.identity
            ],
        )
        for c in channels
    ]
    if layer.activation is None:
        least = min((unit for unit in found if unit is not None), default=own[0][0])
        units = [least for _ in channels]
    else:
        # A channel without any weights has no unit; any will do.
        units = [own[0][c] if unit is None else unit for c, unit in enumerate(found)]
    weights = [
        np.stack(
            [_in_unit(row, u / unit) for row, u, unit in zip(s.weight, us, units, strict=True)]
        )
        for s, us in zip(layer.synapses, own, strict=True)
    ]
    return SharedUnits(tuple(weights), tuple(units))


def _units(synapses: FoldedSynapses, source: Fraction) -> list[Fraction]:
    worth = source / synapses.divisor
    return [Fraction(scale) * worth for scale in synapses.scale.tolist()]


def _smallest(weighted: list[Fraction], shortcuts: list[Fraction]) -> Fraction | None:
    if not weighted:
        return min(shortcuts, default=None)
    lower = [unit / (1 << MAX_SHORTCUT) for unit in shortcuts]
    return max(min(weighted), max(weighted) / (1 << MAX_GROWTH), *lower)


def _in_unit(row: IntArray, ratio: Fraction) -> IntArray:
    """Return ``row * ratio`` as integers."""
    if ratio == 1:
        return row
    values, places = np.unique(row, return_inverse=True)
    scaled = np.array([round(value * ratio) for value in values.tolist()], dtype=np.int64)
    return scaled[places].reshape(row.shape)
