"""The quantized model: an ordinary torch module that computes what the hardware will compute.

:func:`prepare` makes it of a user's model, with the layers of :mod:`activations` and
:mod:`weights`; :mod:`additions` gives the connections of a sum one unit; :mod:`initialisation` sets
the thresholds from images.
"""

from spikeloom.sw.quantized.activations import QCFS, Activation, SignedQCFS
from spikeloom.sw.quantized.initialisation import initialise
from spikeloom.sw.quantized.prepare import activations_of, check, prepare, settle
from spikeloom.sw.quantized.weights import QuantConv2d, QuantLinear

__all__ = [
    "QCFS",
    "Activation",
    "QuantConv2d",
    "QuantLinear",
    "SignedQCFS",
    "activations_of",
    "check",
    "initialise",
    "prepare",
    "settle",
]
