"""Neurons that fire at one threshold, behind a leaky current: ``cuba``."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value

from spikeloom.hw.neurons.fire import IfUnit
from spikeloom.hw.neurons.spec import NeuronSpec
from spikeloom.hw.neurons.unit import neuron_of
from spikeloom.hw.values import shape_of
from spikeloom.sw.network import Cuba


class CubaUnit(IfUnit, kind=Cuba.kind):
    """As ``if``, but v integrates i, which leaks: ``i -= current_leak(i); i += A*2^F + B``.

    Attributes
    ----------
    driving : Signal
        i at the end of the timestep.
    """

    def __init__(self, spec: NeuronSpec) -> None:
        super().__init__(spec)
        neuron = neuron_of(spec, Cuba)
        reach = neuron.current(spec.layer.timesteps, spec.ranges.accumulator)
        self.driving = Signal(shape_of(reach))

    def _driven(self, m: Module) -> Value:
        neuron = neuron_of(self.spec, Cuba)
        before = self._leaked(self._keep(m, self.driving), neuron.current_shifts)
        given = (self.current << neuron.fraction_bits) + self.parameters.bias
        m.d.comb += self.driving.eq(before + given)
        return self.driving
