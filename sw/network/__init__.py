"""THE CONTRACT: the integer network, specified in ``docs/contract.md``.

Conversion writes a network; the golden model, the hardware, the simulation and the host's driver
only read it. Importing this package imports neither torch nor amaranth.
"""

from spikeloom.sw.network.connections import Connection, Conv2d, Identity, Linear, Synapses
from spikeloom.sw.network.cuba import Cuba
from spikeloom.sw.network.file import VERSION, load, save
from spikeloom.sw.network.inputs import INPUT, CountInput, DirectInput, Input, SpikeInput
from spikeloom.sw.network.network import Layer, Network, Ranges
from spikeloom.sw.network.neuron import Neuron
from spikeloom.sw.network.neurons import Burst, Dual, If, Ladder, Logits, Signed
from spikeloom.sw.network.pools import MaxPool, Pool, SumPool
from spikeloom.sw.network.ranges import MAX_WIDTH, Range
from spikeloom.sw.network.record import Shape
from spikeloom.sw.network.transports import TEMPORAL, TRANSPORTS, Transport, source_steps

__all__ = [
    "INPUT",
    "MAX_WIDTH",
    "TEMPORAL",
    "TRANSPORTS",
    "VERSION",
    "Burst",
    "Connection",
    "Conv2d",
    "CountInput",
    "Cuba",
    "DirectInput",
    "Dual",
    "Identity",
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
    "Signed",
    "SpikeInput",
    "SumPool",
    "Synapses",
    "Transport",
    "load",
    "save",
    "source_steps",
]
