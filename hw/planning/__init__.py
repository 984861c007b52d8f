"""From a network and a user's choices to every parameter of the hardware; no hardware is made here.

:class:`HardwareConfig` holds the choices, and the function :func:`plan` makes a :class:`Plan` of
them, with a :class:`LayerPlan` for each layer. In it, :mod:`streams` describes the transfers
between layers, :mod:`connection` the way of each connection into its engine, :mod:`synapses` the
convolution that stands for its synapses, :mod:`layout` the words that its source is stored in,
:mod:`windows` which of them it reads and in which order, and :mod:`weights` which memories its
weights are in. :mod:`unrolled` says which layers can
be logic, and :mod:`planes` how these add up a window. :mod:`balance` chooses lanes that are left
open, and :mod:`capacity` finds how many rows a buffer must hold. :mod:`file` keeps choices in a
file.
"""

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.file import PlanFile
from spikeloom.hw.planning.layer import LayerPlan, UnrolledPlan
from spikeloom.hw.planning.plan import Plan, plan

__all__ = ["HardwareConfig", "LayerPlan", "Plan", "PlanFile", "UnrolledPlan", "plan"]
