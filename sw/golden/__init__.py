"""The golden model: every value that a network computes, bit for bit, in PyTorch.

:mod:`model` is the network, :mod:`synapses` its synapses and pools, :mod:`dynamics` its neurons,
:mod:`images` the check of its input, and :mod:`streams` the order in which values travel into an
accelerator and out of it. :mod:`work` counts additions, reads of weights and spikes, :mod:`energy`
and :mod:`neurobench` are estimates and metrics of them, and :mod:`figures` all of it as JSON.
"""

from spikeloom.sw.golden.dynamics import Dynamics
from spikeloom.sw.golden.images import Images, check_images, check_parts
from spikeloom.sw.golden.model import Golden, LayerTrace, Result, lowest_argmax
from spikeloom.sw.golden.synapses import GoldenPool, GoldenSynapses
from spikeloom.sw.golden.work import LayerWork, Meter, Work

__all__ = [
    "Dynamics",
    "Golden",
    "GoldenPool",
    "GoldenSynapses",
    "Images",
    "LayerTrace",
    "LayerWork",
    "Meter",
    "Result",
    "Work",
    "check_images",
    "check_parts",
    "lowest_argmax",
]
