"""Values in hardware: the shapes that hold a proven range, and the signed digits of its numbers."""

from spikeloom.hw.values.digits import DigitPlan
from spikeloom.hw.values.shapes import shape_of

__all__ = ["DigitPlan", "shape_of"]
