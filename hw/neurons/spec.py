"""Specification of a neuron unit: the contract's neurons, and the schedule of their timesteps."""

from __future__ import annotations

from dataclasses import dataclass

from spikeloom.sw.network import Layer, Range, Ranges


@dataclass(frozen=True)
class NeuronSpec:
    """A layer's neurons, and the schedule of their timesteps.

    Parameters
    ----------
    layer : Layer
        The contract's layer.
    ranges : Ranges
        Its proven value ranges.
    steps_per_cycle : int
        Timesteps that a neuron takes in one cycle; it divides T.
    folded : bool
        Whether the T timesteps under constant current are computed as one division, in a
        logarithmic number of cycles; units then show only the last potential and the count.
    """

    layer: Layer
    ranges: Ranges
    steps_per_cycle: int = 1
    folded: bool = False

    @property
    def shown_spike(self) -> Range:
        """Range of the ``spike`` of a unit and of its tap: that of the count, if time is folded."""
        return self.ranges.count if self.folded else self.ranges.spike
