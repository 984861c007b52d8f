"""New kinds, as a package of a user would add them: neurons, synapses and a pool.

Importing this module registers them. Each is one class for the contract, one for the golden model
and one for the hardware; the neurons can be trained, too, which takes a spiking neuron and an
absorber.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from amaranth.hdl import Module, Mux, Signal, Value
from torch import Tensor
from torch.nn import functional

from spikeloom.hw.engine.pool import PoolUnit
from spikeloom.hw.neurons.unit import IntegratorUnit
from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.hw.planning.synapses import Convolution, SynapsesPlan
from spikeloom.sw.conversion.absorption import IfAbsorber
from spikeloom.sw.conversion.fitting import Fit
from spikeloom.sw.golden import GoldenPool, GoldenSynapses
from spikeloom.sw.golden.dynamics import IntegratorDynamics, State
from spikeloom.sw.network import Neuron, Pool, Range, Shape, Synapses
from spikeloom.sw.network.neuron import Integrator
from spikeloom.sw.network.record import TENSOR, IntArray, freeze
from spikeloom.sw.spiking import SpikingNeuron
from spikeloom.sw.spiking.neurons import burst
from spikeloom.sw.spiking.population import Population


@dataclass(frozen=True, eq=False)
class Alternate(Integrator, kind="alternate"):
    """As IF, but only every second crossing of the threshold is a spike; the first one is not."""

    def count(self, timesteps: int) -> Range:
        return Range(0, timesteps // 2)


class AlternateDynamics(IntegratorDynamics, kind=Alternate.kind):
    """``v += A*2^F + B; c = [v >= threshold]; v -= c*threshold; s = c & p; p ^= c``."""

    def start(self, current: Tensor) -> State:
        """Return the initial potential, and p = 0."""
        return (*super().start(current), torch.zeros_like(current))

    def step(self, t: int, current: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the spikes of timestep ``t`` and the state after it."""
        potential = self._integrated(state[0], current)
        crossed = (potential >= self._threshold).to(torch.int64)
        return crossed & state[1], (potential - crossed * self._threshold, state[1] ^ crossed)


class AlternateUnit(IntegratorUnit, kind=Alternate.kind):
    """As the unit of IF neurons, with one bit that tells the crossings apart."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        integrated = Signal.like(self.potential)
        crossed, second = Signal(), Signal()
        before = self._keep(m, second)
        m.d.comb += [
            integrated.eq(self._keep(m, self.potential, self.parameters.initial) + self._current()),
            crossed.eq(integrated >= self.parameters.threshold),
            second.eq(before ^ crossed),
            self.spike.eq(crossed & before),
            self.potential.eq(integrated - Mux(crossed, self.parameters.threshold, 0)),
            self.count.eq(self._keep(m, self.count) + self.spike),
        ]
        return m


class AlternateNeuron(SpikingNeuron, kind=Alternate.kind):
    """The same in real numbers."""

    def forward(self, currents: Tensor, grid: Tensor | None = None) -> Tensor:
        """Return the spikes, 0 or 1."""
        quantum = self.quantum(currents)
        potential, second = self.start(quantum, currents), torch.zeros_like(currents[0])
        spikes = []
        for current in currents:
            potential = potential + current
            crossed = burst(potential / quantum)
            potential = potential - crossed * quantum
            spikes.append(crossed * second)
            second = (second - crossed.detach()).abs()
        return torch.stack(spikes)


class AlternateAbsorber(IfAbsorber, kind=Alternate.kind):
    """As IF: crossings are those of an IF neuron."""

    def neuron(self, population: Population, fits: Sequence[Fit], fraction_bits: int) -> Neuron:
        """Return the neurons with fitted integers as parameters."""
        fitted = super().neuron(population, fits, fraction_bits)
        return Alternate(**fitted.tensors(), fraction_bits=fraction_bits)


@dataclass(frozen=True, eq=False)
class Dilated(Synapses, kind="dilated"):
    """A convolution whose kernel reads every second row and column.

    Parameters
    ----------
    weight : array of int64, shape (out, in, kernel height, kernel width)
    """

    weight: IntArray = field(metadata=TENSOR)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", freeze(self.weight, "weight", 4))

    def shape(self, source: Shape) -> Shape:
        high, wide = self.weight.shape[2:]
        return (self.channels, source[1] - 2 * (high - 1), source[2] - 2 * (wide - 1))

    def pairs(self, source: Shape) -> int:
        return self.weight.size * math.prod(self.shape(source)[1:])


class GoldenDilated(GoldenSynapses, kind=Dilated.kind):
    """An im2col with dilation, and a matrix product."""

    def sums(self, values: Tensor) -> Tensor:
        """Return the sums of weight times value."""
        columns = functional.unfold(values, tuple(self.weight.shape[2:]), dilation=2)
        return self.weight.flatten(1) @ columns


class DilatedPlan(SynapsesPlan, kind=Dilated.kind):
    """A kernel with zeros in between."""

    @staticmethod
    def convolution(synapses: Synapses, source: StreamPlan) -> Convolution:
        """Return the convolution that computes the same sums."""
        outs, ins, high, wide = synapses.weight.shape
        spread = np.zeros((outs, ins, 2 * high - 1, 2 * wide - 1), np.int64)
        spread[:, :, ::2, ::2] = synapses.weight
        return Convolution(spread)


class FirstPool(Pool, kind="first"):
    """The value in the upper left corner of each window."""

    def values(self, source: Range) -> Range:
        return source


class GoldenFirstPool(GoldenPool, kind=FirstPool.kind):
    """The same in torch."""

    @staticmethod
    def combine(windows: Tensor) -> Tensor:
        """Return the corners."""
        return windows[:, :, :, 0, :, 0]


class FirstPoolUnit(PoolUnit, kind=FirstPool.kind):
    """Keeps the first value that comes of each window."""

    @staticmethod
    def combine(so_far: Value, value: Value) -> Value:
        return so_far
