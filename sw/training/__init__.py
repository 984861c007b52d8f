"""Training of a float ReLU model, and then of the same model with the hardware's arithmetic.

:func:`train` does both in one call; :mod:`recipe` and :mod:`run` train by a recipe, phase by phase.
"""

from spikeloom.sw.training.fitting import fit, train
from spikeloom.sw.training.groups import param_groups
from spikeloom.sw.training.loop import Epoch
from spikeloom.sw.training.measure import evaluate
from spikeloom.sw.training.trained import Trained

__all__ = ["Epoch", "Trained", "evaluate", "fit", "param_groups", "train"]
