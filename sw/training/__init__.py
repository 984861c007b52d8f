"""Training of a float ReLU model, and then of the same model with the hardware's arithmetic.

:func:`train` does both in one call; :mod:`recipe` and :mod:`run` train by a recipe, phase by phase.
"""

from spikeloom.sw.training.distillation import Distillation, distillation
from spikeloom.sw.training.fitting import fit, train
from spikeloom.sw.training.groups import param_groups
from spikeloom.sw.training.loop import Epoch
from spikeloom.sw.training.losses import TargetLoss, loss_for
from spikeloom.sw.training.measure import evaluate, report
from spikeloom.sw.training.trained import Trained

__all__ = [
    "Distillation",
    "Epoch",
    "TargetLoss",
    "Trained",
    "distillation",
    "evaluate",
    "fit",
    "loss_for",
    "param_groups",
    "report",
    "train",
]
