"""Conversion: from a trained model's real numbers to a network's integers.

:func:`convert` goes the whole way. :mod:`absorption` (with :mod:`fitting`) makes integer neurons,
:mod:`logits` the output layer; :mod:`reference` is the quantized model in float64, to compare with.
"""

from spikeloom.sw.conversion.convert import convert
from spikeloom.sw.conversion.reference import ReferenceResult, reference

__all__ = ["ReferenceResult", "convert", "reference"]
