"""Clock cycles, predicted exactly from the values that layers send: no hardware is simulated."""

from spikeloom.hw.prediction.measures import MEASURES, activity, slowest, total
from spikeloom.hw.prediction.prediction import LayerCycles, Prediction, predict
from spikeloom.hw.prediction.timeline import Timeline, coarse

__all__ = [
    "MEASURES",
    "LayerCycles",
    "Prediction",
    "Timeline",
    "activity",
    "coarse",
    "predict",
    "slowest",
    "total",
]
