"""Clock cycles, predicted exactly from the values that layers send: no hardware is simulated."""

from spikeloom.hw.prediction.measures import MEASURES, activity, slowest, total
from spikeloom.hw.prediction.prediction import LayerCycles, Prediction, predict

__all__ = ["MEASURES", "LayerCycles", "Prediction", "activity", "predict", "slowest", "total"]
