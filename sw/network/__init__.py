"""THE CONTRACT: the integer network, specified in ``docs/contract.md``.

Conversion writes a network; the golden model, the hardware, the simulation and the host's driver
only read it. Importing this package imports neither torch nor amaranth.

:mod:`network` has the :class:`Network` and its proven :class:`Ranges`, :mod:`layer` has the
:class:`Layer`, and :mod:`about` checks the notes about a network's origin. :mod:`inputs` has the
kinds of inputs, :mod:`bernoulli` the one whose pixels become random spikes, and :mod:`lfsr` the
random numbers for it. :mod:`connections` has connections and their synapses, :mod:`transports` the
timing of what they carry, and :mod:`pools` the pools that they may have. :mod:`neuron` has the base
of all neurons, :mod:`neurons` and :mod:`cuba` the kinds, :mod:`parameters` the checks of their
parameters, and :mod:`leaks` their leaks. :mod:`ranges` has intervals of integers, :mod:`digits`
their digits, :mod:`record` the base of all these dataclasses, and :mod:`file` the format of files.
"""

from spikeloom.sw.network.bernoulli import BernoulliInput
from spikeloom.sw.network.connections import Connection, Conv2d, Identity, Linear, Synapses
from spikeloom.sw.network.cuba import Cuba
from spikeloom.sw.network.file import VERSION, load, save
from spikeloom.sw.network.inputs import (
    INPUT,
    CountInput,
    DirectInput,
    Input,
    PixelInput,
    SpikeInput,
)
from spikeloom.sw.network.layer import Layer
from spikeloom.sw.network.network import Network, Ranges
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
    "BernoulliInput",
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
    "PixelInput",
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
