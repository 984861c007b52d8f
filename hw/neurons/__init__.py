"""Neuron units: one class for each kind of the contract's neurons, found by that kind.

A unit has the values of its parameters and the logic of one timestep. A module that defines one
need only be imported, as the modules of this package are here.
"""

from spikeloom.hw.neurons.burst import BurstUnit, FoldedBurst
from spikeloom.hw.neurons.cuba import CubaUnit
from spikeloom.hw.neurons.fire import DualUnit, FoldedDual, FoldedIf, IfUnit
from spikeloom.hw.neurons.folded import FoldedUnit
from spikeloom.hw.neurons.signed import FoldedSigned, SignedUnit
from spikeloom.hw.neurons.spec import NeuronSpec
from spikeloom.hw.neurons.stateless import LadderUnit, LogitsUnit
from spikeloom.hw.neurons.unit import NeuronUnit

__all__ = [
    "BurstUnit",
    "CubaUnit",
    "DualUnit",
    "FoldedBurst",
    "FoldedDual",
    "FoldedIf",
    "FoldedSigned",
    "FoldedUnit",
    "IfUnit",
    "LadderUnit",
    "LogitsUnit",
    "NeuronSpec",
    "NeuronUnit",
    "SignedUnit",
]
