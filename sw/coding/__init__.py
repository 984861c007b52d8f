"""Coding: how the values of a quantized model become spikes in time.

:mod:`options` lists a user's choices, :mod:`folding` returns layers with integer weights and real
scales, :mod:`coding` decides each layer's neurons, timesteps and transports, and :mod:`units`
brings all weights of a channel to one unit. The spiking model and conversion both read the result.
"""

from spikeloom.sw.coding.coding import ALIGNMENTS, TRANSPORT_CHOICES, Coding, LayerCoding, coding
from spikeloom.sw.coding.folding import FoldedLayer, fold
from spikeloom.sw.coding.options import Options

__all__ = [
    "ALIGNMENTS",
    "TRANSPORT_CHOICES",
    "Coding",
    "FoldedLayer",
    "LayerCoding",
    "Options",
    "coding",
    "fold",
]
