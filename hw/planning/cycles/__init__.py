"""Clock cycles, predicted exactly from what the layers send: no hardware is simulated."""

from spikeloom.hw.planning.cycles.prediction import LayerCycles, Prediction, predict

__all__ = ["LayerCycles", "Prediction", "predict"]
