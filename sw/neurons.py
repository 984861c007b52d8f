"""Trainable spiking neurons: torch modules with a time axis, thresholds to learn, and gradients.

Each takes real currents of shape (T, N, ...) and returns its spikes, of the same shape, as whole
numbers in floating point: the values that the contract's neuron of the same kind has. What a
spike is worth in real units is the business of who reads it.

**Gradients.** A spike is a step function of the potential, and its derivative is replaced by a
surrogate, in units of the quantum: with d the distance from the nearest threshold in quanta, it
is 1 for d < 1/4 and ``exp(-3(d - 1/4))`` beyond. That is the rectified linear surrogate with
exponential tails of QB-LIF, with its linear core around the *thresholds*: around the nearest
multiple of Δ, below it and above it alike, a core as wide as one half would reach everywhere, and
the tails nowhere. The soft reset carries gradients, too: what a current does not give to this
spike stays for later ones.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from spikeloom.sw.activations import Activation, SignedQCFS

#: Half the width of the surrogate's linear core, in quanta, and the decay of its tails per quantum.
CORE, DECAY = 0.25, 3.0


class _Burst(torch.autograd.Function):
    """``clip(floor(x), 0, largest)``, with the surrogate's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, largest: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.largest = largest
        return x.floor().clamp(0, largest)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        distance = (x - x.round().clamp(1, ctx.largest)).abs()
        return grads[0] * surrogate(distance), None


def surrogate(distance: Tensor) -> Tensor:
    """Return the derivative that stands for a spike's, at a distance from its threshold.

    Parameters
    ----------
    distance : tensor
        Not negative, in quanta.

    References
    ----------
    Bai et al., "QB-LIF: learnable-scale quantized burst neurons", arXiv:2604.25688.
    """
    return torch.exp(-DECAY * (distance - CORE).clamp(min=0))


def burst(x: Tensor, largest: int = 1) -> Tensor:
    """Return ``clip(floor(x), 0, largest)``, with a surrogate gradient.

    Parameters
    ----------
    x : tensor
        Potential, in quanta.
    largest : int
        Most spikes at once.
    """
    spikes: Tensor = _Burst.apply(x, largest)  # type: ignore[no-untyped-call]
    return spikes


class SpikingNeuron(nn.Module):
    """What trainable neurons have in common; found by the contract's kind.

    Parameters
    ----------
    activation : Activation
        What the neurons stand for. ``log_threshold`` is *its* parameter, so that training one
        trains the other.
    largest : int
        Most spikes of a timestep; 1 but for burst neurons.
    leak : int, optional
        k of a leak by 2^-k, for burst neurons.

    Attributes
    ----------
    log_threshold : Parameter
        ln λ. One spike takes ``λ / largest`` from the potential.
    """

    kinds: ClassVar[dict[str, type[SpikingNeuron]]] = {}

    def __init_subclass__(cls, kind: str) -> None:
        super().__init_subclass__()
        cls.kinds[kind] = cls

    def __init__(self, activation: Activation, largest: int = 1, leak: int | None = None) -> None:
        super().__init__()
        self.log_threshold = activation.log_threshold
        self.largest = largest
        self.leak = leak

    def quantum(self, like: Tensor) -> Tensor:
        """Return ``λ / largest`` in the precision of ``like``."""
        return self.log_threshold.to(like.dtype).exp() / self.largest

    @abstractmethod
    def forward(self, currents: Tensor, grid: Tensor | None = None) -> Tensor:
        """Return the spikes.

        Parameters
        ----------
        currents : tensor, shape (T, N, ...)
            Real currents, bias included.
        grid : tensor, optional
            Real value of one integer unit of the potential, to broadcast against (N, ...): leaky
            neurons then compute in whole units, as the contract does. Others need no such thing.

        Returns
        -------
        tensor of whole numbers, of the shape and type of ``currents``
        """


class IfNeuron(SpikingNeuron, kind="if"):
    """Integrate-and-fire from ``v = λ/2``: ``v += I; s = [v >= λ]; v -= sλ``."""

    def forward(self, currents: Tensor, grid: Tensor | None = None) -> Tensor:
        """Return the spikes, 0 or 1."""
        quantum = self.quantum(currents)
        potential = quantum / 2
        spikes = []
        for current in currents:
            potential = potential + current
            fired = burst(potential / quantum)
            potential = potential - fired * quantum
            spikes.append(fired)
        return torch.stack(spikes)


class LadderNeuron(SpikingNeuron, kind="ladder"):
    """An IF neuron under constant current, solved beforehand: ``s[t] = [TI/λ + 1/2 >= t + 1]``."""

    def forward(self, currents: Tensor, grid: Tensor | None = None) -> Tensor:
        """Return the spikes, 0 or 1, for currents that do not change over time."""
        level = currents * (len(currents) / self.quantum(currents)) + 0.5
        steps = torch.arange(len(currents), dtype=currents.dtype, device=currents.device)
        return burst(level - steps.reshape(-1, *[1] * (currents.ndim - 1)))


class DualNeuron(SpikingNeuron, kind="dual"):
    """As IF, but -1 where v < 0 and the net count m of spikes is positive.

    References
    ----------
    "Efficient ANN-SNN conversion with error compensation learning", arXiv:2506.01968, eq. 4 and 5.
    """

    def forward(self, currents: Tensor, grid: Tensor | None = None) -> Tensor:
        """Return the spikes: -1, 0 or 1."""
        quantum = self.quantum(currents)
        potential, net = quantum / 2, torch.zeros_like(currents[0])
        spikes = []
        for current in currents:
            potential = potential + current
            up = burst(potential / quantum)
            # v < 0 is floor(v/λ + 1) < 1
            down = (1 - burst(potential / quantum + 1)) * (net > 0)
            fired = up - down
            potential = potential - fired * quantum
            net = net + fired.detach()
            spikes.append(fired)
        return torch.stack(spikes)


class SignedNeuron(SpikingNeuron, kind="signed"):
    """Quanta of two sizes around zero; m is their net number.

    P = λ upwards if m >= 0, else N back; N downwards if m <= 0, else P back.
    ``v += I``; if ``2v >= up``, the spike is the amplitude of that quantum; else if
    ``2v <= -down``, minus its amplitude.

    Parameters
    ----------
    activation : SignedQCFS

    References
    ----------
    Wang et al., "A fast and accurate ANN-SNN conversion algorithm with negative spikes", IJCAI
    2025, eq. 11 to 18.
    """

    def __init__(self, activation: Activation, largest: int = 1, leak: int | None = None) -> None:
        super().__init__(activation, largest, leak)
        assert isinstance(activation, SignedQCFS)
        self.amplitudes = activation.amplitudes
        self.ratio, self.slope = activation.ratio, activation.slope

    def forward(self, currents: Tensor, grid: Tensor | None = None) -> Tensor:
        """Return the spikes: 0, plus or minus an amplitude."""
        positive = self.quantum(currents)
        negative = positive * self.ratio / self.slope
        plus, minus = self.amplitudes
        potential, net = torch.zeros_like(currents[0]), torch.zeros_like(currents[0])
        spikes = []
        for current in currents:
            potential = potential + current
            up = torch.where(net >= 0, positive, negative)
            down = torch.where(net <= 0, negative, positive)
            rises = burst(potential / up + 0.5)
            falls = burst(-potential / down + 0.5) * (rises == 0)
            potential = potential - rises * up + falls * down
            spikes.append(
                rises * torch.where(net >= 0, plus, minus)
                - falls * torch.where(net <= 0, minus, plus)
            )
            net = net + (rises - falls).detach()
        return torch.stack(spikes)


class BurstNeuron(SpikingNeuron, kind="burst"):
    """``v -= v / 2^k; v += I; s = clip(floor(v/Δ), 0, largest); v -= sΔ``, with ``Δ = λ/largest``.

    It starts from Δ/2, or from 0 if there is a leak.

    References
    ----------
    Bai et al., "QB-LIF: learnable-scale quantized burst neurons", arXiv:2604.25688, with the leak
    ``(1 - 1/tau) v``.
    """

    def forward(self, currents: Tensor, grid: Tensor | None = None) -> Tensor:
        """Return the spikes, 0 to ``largest``."""
        quantum = self.quantum(currents)
        if self.leak is None or grid is None:
            potential = quantum / 2 if self.leak is None else torch.zeros_like(quantum)
        else:
            # Whole units from here on: the shift rounds down, as in the contract.
            quantum = (quantum / grid).round()
            currents = (currents / grid).round()
            potential = torch.zeros_like(quantum)
        spikes = []
        for current in currents:
            if self.leak is not None:
                lost = potential / (1 << self.leak)
                potential = potential - (lost if grid is None else lost.floor())
            potential = potential + current
            fired = burst(potential / quantum, self.largest)
            potential = potential - fired * quantum
            spikes.append(fired)
        return torch.stack(spikes)
