"""Calibration of spiking networks against the model that they were made from."""

from spikeloom.sw.calibration.calibrate import LEARNABLE, calibrate
from spikeloom.sw.calibration.losses import Loss
from spikeloom.sw.calibration.weightings import Weighting

__all__ = ["LEARNABLE", "Loss", "Weighting", "calibrate"]
