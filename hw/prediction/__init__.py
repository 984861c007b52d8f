"""Clock cycles, predicted exactly from what the layers send: no hardware is simulated."""

from spikeloom.hw.prediction.prediction import LayerCycles, Prediction, predict

__all__ = ["LayerCycles", "Prediction", "predict"]
