"""Neuron units: one class per kind of the contract's neurons, found by its name.

To add a kind, write its unit, its parameters' layout and values and one timestep's logic, and
import it here.
"""

from spikeloom.hw.neurons.burst import BurstUnit, FoldedBurst
from spikeloom.hw.neurons.fire import DualUnit, FoldedDual, FoldedIf, IfUnit
from spikeloom.hw.neurons.folded import FoldedUnit
from spikeloom.hw.neurons.signed import FoldedSigned, SignedUnit
from spikeloom.hw.neurons.spec import NeuronSpec
from spikeloom.hw.neurons.stateless import LadderUnit, LogitsUnit
from spikeloom.hw.neurons.unit import SENT, NeuronUnit

__all__ = [
    "SENT",
    "BurstUnit",
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
