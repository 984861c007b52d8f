"""Logits: an output layer of integers, whose order is that of the real logits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import MAX_WIDTH, Logits, Range
from spikeloom.sw.network.parameters import MAX_FRACTION_BITS
from spikeloom.sw.tasks import CLASSES, LABELS, VALUES

#: Fraction bits that logits have at least, unless they would not fit the contract's width.
LOGIT_FRACTION_BITS = 8


def absorb_logits(
    name: str,
    timesteps: int,
    unit: Fraction,
    biases: Sequence[Fraction],
    reach: Sequence[Range],
    task: str | None = None,
) -> Logits:
    """Return the neurons of the output layer, whose channels share one unit.

    Over one timestep the label is exactly that of the real biases. Logits are only compared, and
    accumulators are integers, so only the order of the biases' fractional parts matters; rounding
    keeps it. Where each logit is compared with 0, its sign is exactly that of the real biases
    instead: they are rounded up. Values are rounded to the nearest.

    Parameters
    ----------
    name : str
        Of the layer, for error messages.
    timesteps : int
        T of the layer.
    unit : Fraction
        Real value of one unit of the accumulator.
    biases : sequence of Fraction
        Real, per channel.
    reach : sequence of Range
        Proven range of the accumulator at one timestep, per channel.
    task : str, optional
        Meaning of the logits, if it is not that the largest decides.

    Raises
    ------
    UnsupportedError
        If the biases do not fit the contract's width.
    """
    real = [bias / unit for bias in biases]
    accumulator = Range(min(r.low for r in reach), max(r.high for r in reach))
    for bits in [*range(LOGIT_FRACTION_BITS, MAX_FRACTION_BITS + 1), *range(8)[::-1]]:
        rounded: list[int] | None
        if timesteps > 1 or task == VALUES:
            rounded = _rounded(real, bits)
        elif task == LABELS or (task == CLASSES and len(real) == 1):
            rounded = _rounded_up(real, bits)
        else:
            rounded = _rounded_in_order(real, bits)
        if rounded is None:
            continue
        if max(map(abs, rounded)).bit_length() >= MAX_WIDTH:
            continue
        logits = Logits(bias=np.array(rounded, dtype=np.int64), fraction_bits=bits)
        if logits.potential(timesteps, accumulator).width <= MAX_WIDTH:
            return logits
    raise UnsupportedError(
        f"the biases of the output layer {name!r}, up to {float(max(map(abs, real))):.3g} units of "
        f"its accumulator, do not fit {MAX_WIDTH} bits: its weights have collapsed; train on"
    )


def _rounded(real: Sequence[Fraction], bits: int) -> list[int]:
    return [round(value * (1 << bits)) for value in real]


def _rounded_up(real: Sequence[Fraction], bits: int) -> list[int]:
    """Round such that the sum of each with any integer is above 0 exactly if it was before."""
    return [math.ceil(value * (1 << bits)) for value in real]


def _rounded_in_order(real: Sequence[Fraction], bits: int) -> list[int] | None:
    """Round so that the fractional parts keep their order, equal ones staying equal."""
    whole = [math.floor(value) for value in real]
    parts = [value - integer for value, integer in zip(real, whole, strict=True)]
    ordered = sorted(set(parts))
    if len(ordered) > 1 << bits:
        return None
    placed = {part: round(part * (1 << bits)) for part in ordered}
    for before, part in pairwise(ordered):
        placed[part] = max(placed[part], placed[before] + 1)
    # All stay within one unit of A, or the largest would reach the smallest of the next integer.
    limit = placed[ordered[0]] + (1 << bits)
    for part in reversed(ordered):
        limit = placed[part] = min(placed[part], limit - 1)
    return [(integer << bits) + placed[part] for integer, part in zip(whole, parts, strict=True)]
