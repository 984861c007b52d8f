"""Training in two phases: a float ReLU model, then the same model as the hardware computes it."""

from spikeloom.sw.trained import Trained
from spikeloom.sw.training.loop import Epoch, evaluate, fit, param_groups, train

__all__ = ["Epoch", "Trained", "evaluate", "fit", "param_groups", "train"]
