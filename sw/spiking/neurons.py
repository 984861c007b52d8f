"""Trainable spiking neurons: torch modules with a time axis, thresholds to learn, and gradients.

Each takes real currents of shape (T, N, ...) and returns its spikes, of the same shape, as whole
numbers in floating point: the spike values of the contract's neuron of the same kind. Layers that
read the spikes multiply them by their real value.

**Gradients.** A spike is a step function of the potential, and its derivative is replaced by a
surrogate, in units of the quantum: one of :mod:`.surrogates`. By default, with d the distance from
the nearest threshold in quanta, it is 1 for d < 1/4 and ``exp(-3(d - 1/4))`` beyond. That is the
rectified linear surrogate with exponential tails of QB-LIF, with its linear core around the
*thresholds*: around the nearest multiple of Δ, below it and above it alike, a core as wide as one
half would reach everywhere, and the tails nowhere. The soft reset carries gradients, too: the part
of a current that does not contribute to this spike remains for later ones.

**Freed parameters.** A neuron's threshold is λ, and its potential starts from half of it. After
:meth:`SpikingNeuron.free` both are parameters of their own, per channel, and decide only *when* the
neuron fires. The real value of a spike still follows from λ, so that no weight changes.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.quantized import Activation, SignedQCFS
from spikeloom.sw.registry import Registered
from spikeloom.sw.spiking.surrogates import DEFAULT, Surrogate

#: Largest share of its threshold that a freed potential starts from.
MOST = 1 - 2.0**-10

#: Parameters that :meth:`SpikingNeuron.free` makes, by what they free.
FREEDOMS = {
    "start": "start_share",
    "threshold": "threshold_gain",
    "negative": "negative_gain",
}


class _Burst(torch.autograd.Function):
    """``clip(floor(x), 0, largest)``, with the surrogate's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, largest: int, surrogate: Surrogate) -> Tensor:
        ctx.save_for_backward(x)
        ctx.largest, ctx.surrogate = largest, surrogate
        return x.floor().clamp(0, largest)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        distance = (x - x.round().clamp(1, ctx.largest)).abs()
        return grads[0] * ctx.surrogate.derivative(distance), None, None


def burst(x: Tensor, largest: int = 1, surrogate: Surrogate = DEFAULT) -> Tensor:
    """Return ``clip(floor(x), 0, largest)``, with a surrogate gradient.

    Parameters
    ----------
    x : tensor
        Potential, in quanta.
    largest : int
        Most spikes at once.
    surrogate : Surrogate
    """
    spikes: Tensor = _Burst.apply(x, largest, surrogate)  # type: ignore[no-untyped-call]
    return spikes


class SpikingNeuron(Registered, nn.Module):
    """Base of trainable neurons, found by the kind of the contract's neurons.

    Parameters
    ----------
    activation : Activation
        The activation that the neurons stand for. ``log_threshold`` is *its* parameter, so that
        training one trains the other.
    largest : int
        Most spikes of one timestep; 1 except for burst neurons.
    leak : int, optional
        k of a leak by 2^-k, for burst neurons.
    channels : int
        Number of thresholds, and of initial potentials, that can be freed.

    Attributes
    ----------
    log_threshold : Parameter
        ln λ, of the activation. One spike takes ``λ / largest`` from the potential, unless the
        threshold is freed.
    start_share : Parameter or None
        Once freed, v0 as a share of the threshold, shape (channels,) or (1,). The share is clamped
        to [0, 1) where it is used, since the closed forms of all kinds need v0 below the threshold;
        the gradient passes the clamp.
    threshold_gain : Parameter or None
        Once freed, g of ``Θ = λ·exp(g) / largest``, the firing threshold, which one spike takes
        from the potential; shape (channels,) or (1,).
    negative_gain : Parameter or None
        Once freed, the same for the negative quantum alone; of signed neurons only.
    surrogate : Surrogate
        Derivative that stands in for that of a spike.
    freedoms : tuple of str
        Parameters that neurons of this kind can free.
    """

    kinds: ClassVar[dict[str, type[SpikingNeuron]]] = {}
    freedoms: ClassVar[tuple[str, ...]] = ("start", "threshold")
    start_share: nn.Parameter | None
    threshold_gain: nn.Parameter | None
    negative_gain: nn.Parameter | None

    def __init__(
        self,
        activation: Activation,
        largest: int = 1,
        leak: int | None = None,
        channels: int = 1,
    ) -> None:
        super().__init__()
        # In a tuple, it is no submodule: its parameters are the prepared model's, and a file that
        # named them twice would be refused.
        self._activation = (activation,)
        self.largest = largest
        self.leak = leak
        self.channels = channels
        self.surrogate: Surrogate = DEFAULT
        for name in FREEDOMS.values():
            self.register_parameter(name, None)

    @property
    def log_threshold(self) -> Tensor:
        """Natural logarithm of λ."""
        return self._activation[0].log_threshold

    @property
    def rest(self) -> float:
        """v0 as a share of the threshold, unless it is freed."""
        return 0.5

    def free(self, *what: str, per: str = "channel") -> list[nn.Parameter]:
        """Make parameters of the initial potential and the threshold, at the values they have.

        Parameters
        ----------
        *what : {"start", "threshold", "negative"}
            Parameters that the kind does not have are left out, and those that are free already
            stay as they are.
        per : {"channel", "layer"}

        Returns
        -------
        list of Parameter

        Raises
        ------
        ConfigError
            If a choice is unknown.
        """
        for choice, known in ((per, ("channel", "layer")), *((w, tuple(FREEDOMS)) for w in what)):
            if choice not in known:
                raise ConfigError(f"neurons can free {' or '.join(known)}, not {choice!r}")
        freed = []
        for name in (FREEDOMS[w] for w in what if w in self.freedoms):
            if getattr(self, name) is None:
                value = self.rest if name == FREEDOMS["start"] else 0.0
                values = torch.full((self.channels if per == "channel" else 1,), value)
                both = self.threshold_gain
                if name == FREEDOMS["negative"] and both is not None:
                    # So far the gain of both quanta.
                    values = values + both.detach().cpu().to(values.dtype)
                self._add(name, values)
            freed.append(getattr(self, name))
        return freed

    def shares(self) -> Tensor | None:
        """Return v0 as shares of the threshold in [0, 1), (channels,) or (1,); None if not free."""
        share = self.start_share
        return None if share is None else share + (share.clamp(0, MOST) - share).detach()

    def gains(self) -> Tensor | None:
        """Return Θ as multiples of ``λ / largest``, (channels,) or (1,); None if not free."""
        return None if self.threshold_gain is None else self.threshold_gain.exp()

    def negative_gains(self) -> Tensor | None:
        """Return the negative quantum as multiples of that of the activation; None if not free."""
        gain = self.threshold_gain if self.negative_gain is None else self.negative_gain
        return None if gain is None else gain.exp()

    def quantum(self, currents: Tensor) -> Tensor:
        """Return the potential that one spike takes, of the type of ``currents``.

        Its shape broadcasts against (N, ...).
        """
        quantum = self.log_threshold.to(currents.dtype).exp() / self.largest
        if self.threshold_gain is None:
            return quantum
        return quantum * _per_channel(self.threshold_gain.to(currents.dtype).exp(), currents)

    def start(self, quantum: Tensor, currents: Tensor) -> Tensor:
        """Return the initial potential; its shape broadcasts against (N, ...)."""
        shares = self.shares()
        if shares is None:
            return quantum * self.rest
        return quantum * _per_channel(shares.to(currents.dtype), currents)

    def _add(self, name: str, values: Tensor) -> None:
        place = self.log_threshold
        setattr(self, name, nn.Parameter(values.to(device=place.device, dtype=place.dtype)))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        # A state of freed parameters frees them; others of the wrong shape are refused by torch.
        for name in FREEDOMS.values():
            given = state_dict.get(prefix + name)
            if given is not None and getattr(self, name) is None:
                shape = (1,) if given.shape == (1,) else (self.channels,)
                self._add(name, torch.empty(shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @abstractmethod
    def forward(self, currents: Tensor, grid: Tensor | None = None) -> Tensor:
        """Return the spikes.

        Parameters
        ----------
        currents : tensor, shape (T, N, ...)
            Real currents, bias included.
        grid : tensor, optional
            Real value of one integer unit of the potential; it broadcasts against (N, ...). Leaky
            neurons then compute in whole units, as the contract does; others do not need it.

        Returns
        -------
        tensor of whole numbers, of the shape and type of ``currents``
        """


class IfNeuron(SpikingNeuron, kind="if"):
    """Integrate-and-fire from ``v = λ/2``: ``v += I; s = [v >= λ]; v -= sλ``."""

    def forward(self, currents: Tensor, grid: Tensor | None = None) -> Tensor:
        """Return the spikes, 0 or 1."""
        quantum = self.quantum(currents)
        potential = self.start(quantum, currents)
        spikes = []
        for current in currents:
            potential = potential + current
            fired = burst(potential / quantum, 1, self.surrogate)
            potential = potential - fired * quantum
            spikes.append(fired)
        return torch.stack(spikes)


class LadderNeuron(SpikingNeuron, kind="ladder"):
    """An IF neuron under constant current, solved beforehand: ``s[t] = [TI/λ + v0/λ >= t + 1]``."""

    def forward(self, currents: Tensor, grid: Tensor | None = None) -> Tensor:
        """Return the spikes, 0 or 1, for currents that do not change over time."""
        quantum = self.quantum(currents)
        share = self.start(torch.ones_like(quantum), currents)
        level = currents * (len(currents) / quantum) + share
        steps = torch.arange(len(currents), dtype=currents.dtype, device=currents.device)
        below = steps.reshape(-1, *[1] * (currents.ndim - 1))
        return burst(level - below, 1, self.surrogate)


class DualNeuron(SpikingNeuron, kind="dual"):
    """As IF, but -1 where v < 0 and the net count m of spikes is positive.

    References
    ----------
    "Efficient ANN-SNN conversion with error compensation learning", arXiv:2506.01968, eq. 4 and 5.
    """

    def forward(self, currents: Tensor, grid: Tensor | None = None) -> Tensor:
        """Return the spikes: -1, 0 or 1."""
        quantum = self.quantum(currents)
        potential, net = self.start(quantum, currents), torch.zeros_like(currents[0])
        spikes = []
        for current in currents:
            potential = potential + current
            up = burst(potential / quantum, 1, self.surrogate)
            # v < 0 is floor(v/λ + 1) < 1
            down = (1 - burst(potential / quantum + 1, 1, self.surrogate)) * (net > 0)
            fired = up - down
            potential = potential - fired * quantum
            net = net + fired.detach()
            spikes.append(fired)
        return torch.stack(spikes)


class SignedNeuron(SpikingNeuron, kind="signed"):
    """Quanta of two sizes around zero; m is their net number.

    P = λ upwards if m >= 0, else N back; N downwards if m <= 0, else P back.
    ``v += I``; if ``2v >= up``, the spike is the amplitude of that quantum; else if
    ``2v <= -down``, minus its amplitude. A freed threshold is a gain of both quanta, unless the
    negative one is freed, too, and has a gain of its own; v0 is 0.

    Parameters
    ----------
    activation : SignedQCFS

    References
    ----------
    Wang et al., "A fast and accurate ANN-SNN conversion algorithm with negative spikes", IJCAI
    2025, eq. 11 to 18.
    """

    freedoms = ("threshold", "negative")

    @property
    def rest(self) -> float:
        """v0 as a share of the threshold."""
        return 0.0

    def forward(self, currents: Tensor, grid: Tensor | None = None) -> Tensor:
        """Return the spikes: 0, plus or minus an amplitude."""
        (activation,) = self._activation
        assert isinstance(activation, SignedQCFS)
        positive = self.quantum(currents)
        negative = self._negative(positive, currents) * activation.ratio / activation.slope
        plus, minus = activation.amplitudes
        potential, net = torch.zeros_like(currents[0]), torch.zeros_like(currents[0])
        spikes = []
        for current in currents:
            potential = potential + current
            up = torch.where(net >= 0, positive, negative)
            down = torch.where(net <= 0, negative, positive)
            rises = burst(potential / up + 0.5, 1, self.surrogate)
            falls = burst(-potential / down + 0.5, 1, self.surrogate) * (rises == 0)
            potential = potential - rises * up + falls * down
            spikes.append(
                rises * torch.where(net >= 0, plus, minus)
                - falls * torch.where(net <= 0, minus, plus)
            )
            net = net + (rises - falls).detach()
        return torch.stack(spikes)

    def _negative(self, positive: Tensor, currents: Tensor) -> Tensor:
        """Return the negative quantum, over the ratio of both that the activation has."""
        if self.negative_gain is None:
            return positive
        quantum = self.log_threshold.to(currents.dtype).exp()
        return quantum * _per_channel(self.negative_gain.to(currents.dtype).exp(), currents)


class BurstNeuron(SpikingNeuron, kind="burst"):
    """``v -= v / 2^k; v += I; s = clip(floor(v/Δ), 0, largest); v -= sΔ``, with ``Δ = λ/largest``.

    It starts from Δ/2, or from 0 if there is a leak; unless that is freed.

    References
    ----------
    Bai et al., "QB-LIF: learnable-scale quantized burst neurons", arXiv:2604.25688, with the leak
    ``(1 - 1/tau) v``.
    """

    @property
    def rest(self) -> float:
        """v0 as a share of the threshold where it is not freed."""
        return 0.5 if self.leak is None else 0.0

    def forward(self, currents: Tensor, grid: Tensor | None = None) -> Tensor:
        """Return the spikes, 0 to ``largest``."""
        quantum = self.quantum(currents)
        potential = self.start(quantum, currents)
        if self.leak is not None and grid is not None:
            # Whole units from here on: the shift rounds down, as in the contract.
            quantum = (quantum / grid).round()
            currents = (currents / grid).round()
            potential = torch.minimum((potential / grid).round(), quantum - 1)
        spikes = []
        for current in currents:
            if self.leak is not None:
                lost = potential / (1 << self.leak)
                potential = potential - (lost if grid is None else lost.floor())
            potential = potential + current
            fired = burst(potential / quantum, self.largest, self.surrogate)
            potential = potential - fired * quantum
            spikes.append(fired)
        return torch.stack(spikes)


def _per_channel(values: Tensor, currents: Tensor) -> Tensor:
    """Return values of shape (channels,) as they broadcast against (N, channels, ...)."""
    return values.reshape(-1, *[1] * (currents.ndim - 3))
