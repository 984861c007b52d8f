"""Behaviour of neurons in the golden model: one class for each kind of the contract.

A new kind is a :class:`~spikeloom.sw.network.Neuron` (its parameters and ranges), a
:class:`Dynamics` and a :class:`~spikeloom.hw.neurons.NeuronUnit`, all of the same ``kind``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import Burst, Cuba, If, Ladder, Layer, Logits, Neuron, Signed
from spikeloom.sw.network.neuron import Integrator
from spikeloom.sw.registry import Registered

#: A neuron's state between timesteps; its first tensor is the membrane potential.
State = tuple[Tensor, ...]

#: Puts an array of shape (channels, ...) on the device as (..., channels, 1, 1), or (..., channels)
#: for a fully connected layer, so that it broadcasts against a layer's (N, *shape).
PerChannel = Callable[[npt.NDArray[Any]], Tensor]


class Dynamics(Registered, ABC):
    """Behaviour of one kind of neuron, found by that kind.

    All tensors are ``int64``, and the contract has proven that nothing in them overflows.

    Parameters
    ----------
    neuron : Neuron
    per_channel : PerChannel
        Puts the neuron's parameters on the device.
    """

    kinds: ClassVar[dict[str, type[Dynamics]]] = {}

    @staticmethod
    def of(layer: Layer, axes: int, device: torch.device) -> Dynamics:
        """Return the dynamics of a layer's neurons.

        Parameters
        ----------
        layer : Layer
        axes : int
            Number of axes of the layer's shape.
        device : torch.device

        Raises
        ------
        UnsupportedError
            If there is no class for their kind.
        """
        kind = layer.neuron.kind
        message = f"layer {layer.name!r}: the golden model has no neurons of kind {kind!r}; it has"
        found = Dynamics.member(kind, UnsupportedError, message, alphabetical=True)

        def per_channel(values: npt.NDArray[Any]) -> Tensor:
            moved = np.moveaxis(values, 0, -1)
            return on_device(moved.reshape(*moved.shape, *[1] * (axes - 1)), device)

        return found(layer.neuron, per_channel)

    @abstractmethod
    def __init__(self, neuron: Neuron, per_channel: PerChannel) -> None:
        """Put the neuron's parameters on the device."""

    @abstractmethod
    def start(self, current: Tensor) -> State:
        """Return the state before the first timestep, in the shape of ``current``."""

    @abstractmethod
    def step(self, t: int, current: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the spikes of timestep ``t`` and the state after it.

        Parameters
        ----------
        t : int
            From 0.
        current : Tensor of int64, shape (N, *shape)
            Accumulators A of this timestep.
        state : State
            After the timestep before.
        """


class IntegratorDynamics(Dynamics):
    """Base of the neurons that have one threshold."""

    def __init__(self, neuron: Neuron, per_channel: PerChannel) -> None:
        """Put the neuron's parameters on the device."""
        neuron = cast(Integrator, neuron)
        self._threshold = per_channel(neuron.threshold)
        self._initial = per_channel(neuron.initial)
        self._bias = per_channel(neuron.bias)
        self._scale = 1 << neuron.fraction_bits
        self._shifts = neuron.shifts

    def start(self, current: Tensor) -> State:
        """Return the initial potential."""
        return (self._initial.expand_as(current),)

    def _integrated(self, potential: Tensor, current: Tensor) -> Tensor:
        """Return ``v - leak(v) + A*2^F + B``."""
        return leaked(potential, self._shifts) + current * self._scale + self._bias


class IfDynamics(IntegratorDynamics, kind="if"):
    """``v += A*2^F + B; s = [v >= threshold]``, and a reset by an amount or to a value."""

    def __init__(self, neuron: Neuron, per_channel: PerChannel) -> None:
        """Put the neuron's parameters on the device."""
        super().__init__(neuron, per_channel)
        neuron = cast(If, neuron)
        amount, value = neuron.reset_amount, neuron.reset_value
        self._amount = self._threshold if amount is None else per_channel(amount)
        self._value = None if value is None else per_channel(value)

    def step(self, t: int, current: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the spikes of timestep ``t`` and the state after it."""
        spikes, potential = self._fired(self._integrated(state[0], current))
        return spikes, (potential,)

    def _fired(self, potential: Tensor) -> tuple[Tensor, Tensor]:
        """Return the spikes of a potential, and what their reset leaves of it."""
        fires = potential >= self._threshold
        spikes = fires.to(torch.int64)
        if self._value is not None:
            return spikes, torch.where(fires, self._value, potential)
        return spikes, potential - spikes * self._amount


class CubaDynamics(IfDynamics, kind="cuba"):
    """As IF, of a leaky current i: ``i += A*2^F + B; v += i``."""

    def __init__(self, neuron: Neuron, per_channel: PerChannel) -> None:
        """Put the neuron's parameters on the device."""
        super().__init__(neuron, per_channel)
        self._current_shifts = cast(Cuba, neuron).current_shifts

    def start(self, current: Tensor) -> State:
        """Return the initial potential, and i = 0."""
        return (*super().start(current), torch.zeros_like(current))

    def step(self, t: int, current: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the spikes of timestep ``t`` and the state after it."""
        potential, i = state
        i = leaked(i, self._current_shifts) + current * self._scale + self._bias
        spikes, potential = self._fired(leaked(potential, self._shifts) + i)
        return spikes, (potential, i)


class DualDynamics(IntegratorDynamics, kind="dual"):
    """As IF, but a negative spike takes one back where v < 0 and the net count m is positive."""

    def start(self, current: Tensor) -> State:
        """Return the initial potential, and m = 0."""
        return (*super().start(current), torch.zeros_like(current))

    def step(self, t: int, current: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the spikes of timestep ``t`` and the state after it."""
        potential, net = state
        potential = self._integrated(potential, current)
        up = (potential >= self._threshold).to(torch.int64)
        down = ((potential < 0) & (net > 0)).to(torch.int64)
        spikes = up - down
        return spikes, (potential - spikes * self._threshold, net + spikes)


class SignedDynamics(Dynamics, kind="signed"):
    """Quanta of two sizes around zero; m is the net number of quanta."""

    def __init__(self, neuron: Neuron, per_channel: PerChannel) -> None:
        """Put the neuron's parameters on the device."""
        neuron = cast(Signed, neuron)
        self._positive = per_channel(neuron.threshold)
        self._negative = per_channel(neuron.negative_threshold)
        self._bias = per_channel(neuron.bias)
        self._scale = 1 << neuron.fraction_bits
        self._amplitudes = (neuron.amplitude, neuron.negative_amplitude)

    def start(self, current: Tensor) -> State:
        """Return a potential of 0, and m = 0."""
        return (torch.zeros_like(current), torch.zeros_like(current))

    def step(self, t: int, current: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the spikes of timestep ``t`` and the state after it."""
        potential, net = state
        potential = potential + current * self._scale + self._bias
        plus, minus = self._amplitudes
        up = torch.where(net >= 0, self._positive, self._negative)
        down = torch.where(net <= 0, self._negative, self._positive)
        rises = 2 * potential >= up
        falls = ~rises & (2 * potential <= -down)
        amplitude_up = torch.where(net >= 0, plus, minus)
        amplitude_down = torch.where(net <= 0, minus, plus)
        spikes = rises * amplitude_up - falls * amplitude_down
        moved = rises.to(torch.int64) - falls.to(torch.int64)
        return spikes, (potential - rises * up + falls * down, net + moved)


class BurstDynamics(IntegratorDynamics, kind="burst"):
    """``v -= leak(v); v += A*2^F + B; s = clip(floor(v / threshold), 0, largest)``."""

    def __init__(self, neuron: Neuron, per_channel: PerChannel) -> None:
        """Put the neuron's parameters on the device."""
        super().__init__(neuron, per_channel)
        self._largest = cast(Burst, neuron).largest

    def step(self, t: int, current: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the spikes of timestep ``t`` and the state after it."""
        potential = self._integrated(state[0], current)
        spikes = potential.div(self._threshold, rounding_mode="floor").clamp(0, self._largest)
        return spikes, (potential - spikes * self._threshold,)


class LadderDynamics(Dynamics, kind="ladder"):
    """``s[t] = [A >= levels[t]]`` for a constant A, which stands for the potential."""

    def __init__(self, neuron: Neuron, per_channel: PerChannel) -> None:
        """Put the neuron's parameters on the device."""
        self._levels = per_channel(cast(Ladder, neuron).levels)

    def start(self, current: Tensor) -> State:
        """Return the initial potential."""
        return (current,)

    def step(self, t: int, current: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the spikes of timestep ``t`` and the state after it."""
        return (current >= self._levels[t]).to(torch.int64), (current,)


class LogitsDynamics(Dynamics, kind="logits"):
    """``v -= leak(v); v += A*2^F + B`` from 0, without spikes."""

    def __init__(self, neuron: Neuron, per_channel: PerChannel) -> None:
        """Put the neuron's parameters on the device."""
        neuron = cast(Logits, neuron)
        self._bias = per_channel(neuron.bias)
        self._scale = 1 << neuron.fraction_bits
        self._shifts = neuron.shifts

    def start(self, current: Tensor) -> State:
        """Return the initial potential."""
        return (torch.zeros_like(current),)

    def step(self, t: int, current: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the spikes of timestep ``t`` and the state after it."""
        potential = leaked(state[0], self._shifts) + current * self._scale + self._bias
        return torch.zeros_like(current), (potential,)


def leaked(state: Tensor, shifts: Sequence[int]) -> Tensor:
    """Return what a leak leaves: ``v >> k`` less for each shift k, or more if k is negative."""
    terms = [state >> k if k > 0 else -(state >> -k) for k in shifts]
    return state - sum(terms)


def on_device(values: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Return ``values`` as an ``int64`` tensor."""
    # A copy, since the contract's arrays are read-only, which torch does not know.
    return torch.from_numpy(values.astype(np.int64)).to(device)
