"""Training in two phases: a float ReLU model, then the same model as the hardware computes it."""

from spikeloom.sw.training.fitting import fit, train
from spikeloom.sw.training.groups import param_groups
from spikeloom.sw.training.loop import Epoch
from spikeloom.sw.training.measure import evaluate
from spikeloom.sw.training.trained import Trained

__all__ = ["Epoch", "Trained", "evaluate", "fit", "param_groups", "train"]
