"""Checks of the parameters of neurons, and the range of their currents."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import IntArray, freeze, require_int

#: Most fraction bits that currents can be shifted by.
MAX_FRACTION_BITS = 16


def current_range(accumulator: Range, fraction_bits: int, bias: IntArray) -> Range:
    """Return the range of the current ``A * 2^F + B`` over all channels, extended to contain 0."""
    current = accumulator.times(1 << fraction_bits) + Range(int(bias.min()), int(bias.max()))
    return current | Range(0, 0)


def freeze_channels(neuron: Any, *names: str) -> None:
    """Freeze the fields of these names, of shape (channels,), and require one common length."""
    for name in names:
        object.__setattr__(neuron, name, freeze(getattr(neuron, name), name, 1))
        require_magnitude(getattr(neuron, name), name)
    lengths = {name: len(getattr(neuron, name)) for name in names}
    if len(set(lengths.values())) > 1:
        raise ContractError(f"parameters must have one value per channel each, not {lengths}")


def require_magnitude(values: IntArray, what: str) -> None:
    """Refuse values that no register of the contract can hold."""
    extremes = Range(int(values.min()), int(values.max()))
    extremes.require_width(what)


def check_threshold(neuron: Any, name: str = "threshold") -> None:
    """Refuse thresholds that are not positive."""
    threshold = getattr(neuron, name)
    low = np.flatnonzero(threshold < 1)
    if low.size:
        c = int(low[0])
        raise ContractError(
            f"{name} of channel {c} must be positive, not {threshold[c]}: "
            f"raise fraction_bits (now {neuron.fraction_bits}) or the channel's threshold"
        )


def check_fraction_bits(neuron: Any) -> None:
    """Refuse a number of fraction bits that is not an integer from 0 to 16."""
    bits = require_int(neuron.fraction_bits, "fraction_bits", 0, MAX_FRACTION_BITS)
    object.__setattr__(neuron, "fraction_bits", bits)
