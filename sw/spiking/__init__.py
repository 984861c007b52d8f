"""The spiking model: a quantized model through time, as a torch module that can be trained.

:mod:`network` has its layers, :mod:`inputs` what images become in time, :mod:`neurons` the dynamics
and surrogate gradients, and :mod:`population` the same neurons in exact real numbers.
"""

from spikeloom.sw.spiking.network import SpikingNetwork, spiking
from spikeloom.sw.spiking.neurons import SpikingNeuron

__all__ = ["SpikingNetwork", "SpikingNeuron", "spiking"]
