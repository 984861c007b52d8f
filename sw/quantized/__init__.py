"""Quantized models: ordinary torch modules that compute exactly as the hardware will.

:func:`prepare` makes one of a user's model, with the layers of :mod:`.activations` and
:mod:`.weights`. :mod:`.choices` has what a user chooses for each layer, :mod:`.additions` gives all
connections of a sum one unit, :mod:`.initialisation` sets the thresholds from images,
:mod:`.prepared` tells the layers of a prepared model, and :mod:`.rules` lets one be analysed as its
original is.
"""

from spikeloom.sw.quantized.activations import QCFS, Activation, SignedQCFS
from spikeloom.sw.quantized.initialisation import initialise
from spikeloom.sw.quantized.prepare import check, prepare
from spikeloom.sw.quantized.prepared import (
    activation_of,
    activations_of,
    layers_of,
    requantized,
    settle,
)
from spikeloom.sw.quantized.weights import QuantConv1d, QuantConv2d, QuantLinear

__all__ = [
    "QCFS",
    "Activation",
    "QuantConv1d",
    "QuantConv2d",
    "QuantLinear",
    "SignedQCFS",
    "activation_of",
    "activations_of",
    "check",
    "initialise",
    "layers_of",
    "prepare",
    "requantized",
    "settle",
]
