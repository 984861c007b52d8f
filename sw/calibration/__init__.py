"""Calibration: the neurons of a spiking network learn when to fire from its quantized model."""

from spikeloom.sw.calibration.calibrate import LEARNABLE, calibrate
from spikeloom.sw.calibration.losses import Loss
from spikeloom.sw.calibration.weightings import Weighting

__all__ = ["LEARNABLE", "Loss", "Weighting", "calibrate"]
