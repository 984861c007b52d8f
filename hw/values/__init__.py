"""Values in hardware: shapes that hold a proven range, and the signed digits of its values."""

from spikeloom.hw.values.digits import DigitPlan
from spikeloom.hw.values.shapes import shape_of

__all__ = ["DigitPlan", "shape_of"]
