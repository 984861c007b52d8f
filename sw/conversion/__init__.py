"""Conversion: from a trained model's real numbers to a network's integers.

:func:`convert` is the whole conversion. In it, :mod:`absorption` (with :mod:`fitting`) computes
integer neurons and :mod:`logits` the output layer. :func:`reference` runs the quantized model in
float64, to compare the network with; :func:`agreement` compares the user's own model, too.
"""

from spikeloom.sw.conversion.agreement import Agreement, agreement
from spikeloom.sw.conversion.convert import convert
from spikeloom.sw.conversion.reference import ReferenceResult, reference

__all__ = ["Agreement", "ReferenceResult", "agreement", "convert", "reference"]
