"""THE CONTRACT: the integer network, specified in ``docs/contract.md``.

``sw`` writes it; golden model, hardware, simulation and host driver only read it. Importing this
package pulls in neither torch nor amaranth.
"""

from spikeloom.sw.network.connections import (
    TRANSPORTS,
    Connection,
    Conv2d,
    Linear,
    MaxPool,
    Pool,
    Shape,
    SumPool,
    Synapses,
)
from spikeloom.sw.network.file import VERSION, load, save
from spikeloom.sw.network.network import INPUT, DirectInput, Input, Layer, Network, Ranges
from spikeloom.sw.network.neurons import If, Ladder, Logits, Neuron
from spikeloom.sw.network.ranges import MAX_WIDTH, Range

__all__ = [
    "INPUT",
    "MAX_WIDTH",
    "TRANSPORTS",
    "VERSION",
    "Connection",
    "Conv2d",
    "DirectInput",
    "If",
    "Input",
    "Ladder",
    "Layer",
    "Linear",
    "Logits",
    "MaxPool",
    "Network",
    "Neuron",
    "Pool",
    "Range",
    "Ranges",
    "Shape",
    "SumPool",
    "Synapses",
    "load",
    "save",
]
