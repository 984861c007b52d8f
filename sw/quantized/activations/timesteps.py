r"""Timesteps T of an activation: a fixed number, or one that is learned.

An activation computes ``Q(x) = λ/T · clip(round(x·T/λ), 0, T)``. Wherever T is learned, two
parameters θ determine λ and T, and there is one class for each choice of the two: alpha, which is
λ; d, the step λ/T; n = log2 T; and t, which is T before rounding.

Gradients. With the identity for the derivative of rounding, inside the range, 0 <= x <= alpha,

    ∂Q/∂λ = (Q - x)/λ,   ∂Q/∂T = -(Q - x)/T,

and above it ∂Q/∂λ = 1 and ∂Q/∂T = 0. The paper leaves open how t becomes the whole number that a
neuron has. Here T = round(t) in the forward pass too, so that what is trained is what the hardware
computes; and backward ln T is taken for ln t, that is dT/T = dt/t. With that, the chain rule gives
the paper's eqs. 7 to 10 as they are printed, for the T of the forward pass. (The identity on t
itself would leave a factor t/T in some of them.)

| θ | λ | ln t | 0 <= x <= alpha | x > alpha |
| --- | --- | --- | --- | --- |
| [n, d] (7) | dT | n·ln 2 | (0, 1/d)·(Q - x) | (ln 2·T·d, T) |
| [n, alpha] (8) | alpha | n·ln 2 | (-ln 2, 1/alpha)·(Q - x) | (0, 1) |
| [d, alpha] (9) | alpha | ln alpha - ln d | (1/d, 0)·(Q - x) | (0, 1) |
| [t, alpha] (10) | alpha | ln t | (-1/t, 1/alpha)·(Q - x) | (0, 1) |

In eq. 7, n changes λ and T: ∂Q/∂n = ln 2·(λ·∂Q/∂λ + T·∂Q/∂T), whose terms cancel inside: more
levels of the same step change nothing there. In eq. 9, d changes T alone, by dT/T = -dd/d, and
alpha both, by which it cancels inside in the same way.

alpha and d are positive: their logarithms are what is stored and stepped, and the gradients by
those are the ones above times alpha or d. t and n are stored as they are. T stays within 1 and
`MAX_LEARNED`; at either end, gradients that lead outwards are dropped and those that lead back are
kept, so that neither a vanishing d (with which the paper's [d, alpha] became infinite) nor an
optimizer's momentum can lose it.

References
----------
"QAC: quantization-aware conversion for mixed-timestep spiking neural networks", eq. 5 and 7 to 10.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network.inputs import MAX_TIMESTEPS
from spikeloom.sw.registry import Registered

#: Largest T that is learned: 6 bits per activation.
MAX_LEARNED = 64


class Timesteps(Registered):
    """The source of an activation's T, and with it of λ. A subclass is found by its ``name``.

    Parameters
    ----------
    levels : int
        T at the start.

    Raises
    ------
    ConfigError
        If T is no integer, or out of range.
    """

    kinds: ClassVar[dict[str, type[Timesteps]]] = {}
    name_attribute = "name"
    name: ClassVar[str] = ""
    #: Largest T that is allowed.
    largest: ClassVar[int] = MAX_TIMESTEPS

    def __init__(self, levels: int) -> None:
        self._set(require_levels(levels, self.largest))

    def set(self, levels: int, log_threshold: Tensor, threshold: float | None = None) -> None:
        """Set T, and λ if it is given; otherwise λ keeps its value.

        Parameters
        ----------
        levels : int
        log_threshold : tensor, shape ()
            The activation's parameter; changed in place.
        threshold : float, optional
            λ, positive.

        Raises
        ------
        ConfigError
            If T is no integer, or out of range.
        """
        levels = require_levels(levels, self.largest)
        with torch.no_grad():
            before = self.resolve(log_threshold)[0]
            wanted = torch.full_like(before, math.log(threshold)) if threshold else before.clone()
            self._set(levels)
            log_threshold.copy_(self._stored(wanted, levels))

    def levels(self, log_threshold: Tensor) -> int:
        """Return T of an activation whose parameter is ``log_threshold``."""
        raise NotImplementedError

    def resolve(self, log_threshold: Tensor) -> tuple[Tensor, Tensor | int | None]:
        """Return ln λ and T, from the activation's parameter.

        Parameters
        ----------
        log_threshold : tensor

        Returns
        -------
        log_threshold : tensor, of the same shape and type
        levels : tensor of shape (), int or None
            A whole number: a tensor if T is learned. None if the activation only clips.
        """
        raise NotImplementedError

    def learned(self) -> list[nn.Parameter]:
        """Return the parameters by which T is learned, beside the activation's own."""
        return []

    def by_threshold(self, log_threshold: Tensor) -> float:
        """Return the gradient by ln λ at constant T that a backward pass has left; 0 if none has.

        Parameters
        ----------
        log_threshold : tensor, shape ()
            The activation's parameter.
        """
        # The same if the parameter is ln d: at constant T, λ is proportional to d.
        return _left(log_threshold)

    def _set(self, levels: int) -> None:
        """Store T."""
        raise NotImplementedError

    def _stored(self, log_threshold: Tensor, levels: int) -> Tensor:
        """Return the activation's parameter with which ln λ is ``log_threshold`` at this T."""
        return log_threshold


class Fixed(Timesteps):
    """T as it was set; ``log_threshold`` is ln λ."""

    name = "fixed"

    def levels(self, log_threshold: Tensor) -> int:
        return self._count

    def resolve(self, log_threshold: Tensor) -> tuple[Tensor, Tensor | int | None]:
        return log_threshold, self._count

    def _set(self, levels: int) -> None:
        self._count = levels


class Clip(Fixed):
    """No levels yet: ``clip(x, 0, λ)`` with a λ that is learned, until T comes into force.

    For a warm-up in which a network learns where to clip, before it has to do with few levels.
    ∂Q/∂λ is 1 above λ and 0 below. :func:`~spikeloom.sw.quantized.settle` keeps λ and brings in T.

    References
    ----------
    Ho and Chang, "TCL: an ANN-to-SNN conversion with trainable clipping layers", DAC 2021; used by
    the papers on negative spikes (Wang et al., IJCAI 2025, section 4.1) and on error compensation
    learning.
    """

    name = "clip"

    def resolve(self, log_threshold: Tensor) -> tuple[Tensor, Tensor | int | None]:
        return log_threshold, None


class Learned(Timesteps, nn.Module):
    """T learned with one parameter beside the activation's own.

    Parameters and errors are those of :class:`Timesteps`; T is at most 64.

    Attributes
    ----------
    value : Parameter, shape ()
        The second parameter; each subclass documents its own.
    """

    largest = MAX_LEARNED
    value: nn.Parameter

    def __init__(self, levels: int) -> None:
        nn.Module.__init__(self)
        self.value = nn.Parameter(torch.zeros(()))
        Timesteps.__init__(self, levels)

    def levels(self, log_threshold: Tensor) -> int:
        with torch.no_grad():
            return int(self._rounded(log_threshold).item())

    def resolve(self, log_threshold: Tensor) -> tuple[Tensor, Tensor | int | None]:
        return log_threshold, self._rounded(log_threshold).to(log_threshold.dtype)

    def learned(self) -> list[nn.Parameter]:
        return [self.value]

    def extra_repr(self) -> str:
        return repr(self.name)

    def _rounded(self, log_threshold: Tensor) -> Tensor:
        """Return T, computed in float64: the same number at any precision of the model."""
        log_steps = self._log_steps(self.value.double(), log_threshold.double())
        rounded: Tensor = _Rounded.apply(log_steps)  # type: ignore[no-untyped-call]
        return rounded

    def _log_steps(self, value: Tensor, log_threshold: Tensor) -> Tensor:
        """Return ln t, bounded."""
        raise NotImplementedError


class _Bits(Learned):
    """``value`` is n = log2 t."""

    def _set(self, levels: int) -> None:
        with torch.no_grad():
            self.value.fill_(math.log2(levels))

    def _log_steps(self, value: Tensor, log_threshold: Tensor) -> Tensor:
        return _bounded(value, math.log2(self.largest)) * math.log(2)


class BitsAndStep(_Bits):
    """[n, d], eq. 7. The activation's ``log_threshold`` holds ln d, and λ = d·T."""

    name = "n,d"

    def resolve(self, log_threshold: Tensor) -> tuple[Tensor, Tensor | int | None]:
        steps = self._rounded(log_threshold).to(log_threshold.dtype)
        return log_threshold + steps.log(), steps

    def _stored(self, log_threshold: Tensor, levels: int) -> Tensor:
        return log_threshold - math.log(levels)


class BitsAndThreshold(_Bits):
    """[n, alpha], eq. 8."""

    name = "n,alpha"


class StepAndThreshold(Learned):
    """[d, alpha], eq. 9: ``value`` is ln d, and t = alpha/d.

    A step of alpha changes T, and so does one of d: of the four, this is the choice that training
    upsets most easily.
    """

    name = "d,alpha"

    def _set(self, levels: int) -> None:
        with torch.no_grad():
            self.value.fill_(-math.log(levels))  # for λ = 1

    def _stored(self, log_threshold: Tensor, levels: int) -> Tensor:
        self.value.copy_(log_threshold.reshape(()) - math.log(levels))
        return log_threshold

    def by_threshold(self, log_threshold: Tensor) -> float:
        # A change of alpha alone changes T, too; only one of alpha and d in proportion does not.
        return _left(log_threshold) + _left(self.value)

    def _log_steps(self, value: Tensor, log_threshold: Tensor) -> Tensor:
        return _bounded(log_threshold - value, math.log(self.largest))


class StepsAndThreshold(Learned):
    """[t, alpha], eq. 10: ``value`` is t."""

    name = "t,alpha"

    def _set(self, levels: int) -> None:
        with torch.no_grad():
            self.value.fill_(levels)

    def _log_steps(self, value: Tensor, log_threshold: Tensor) -> Tensor:
        return _bounded(value - 1, self.largest - 1).log1p()


def _left(parameter: Tensor) -> float:
    """Return the gradient of a parameter of shape (); 0 without one."""
    return 0.0 if parameter.grad is None else parameter.grad.item()


class _Bounded(torch.autograd.Function):
    """Clamp to [0, high]; at either end, gradients that lead outwards are dropped."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, high: float) -> Tensor:
        # A diverging loss can leave NaN behind, which is no number of timesteps: take one timestep.
        ctx.save_for_backward(x)
        ctx.high = high
        return x.nan_to_num(nan=0.0).clamp(0, high)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        (x,) = ctx.saved_tensors
        # An optimizer steps against the gradient.
        outwards = ((x <= 0) & (grad > 0)) | ((x >= ctx.high) & (grad < 0))
        return grad.masked_fill(outwards, 0), None


def _bounded(x: Tensor, high: float) -> Tensor:
    result: Tensor = _Bounded.apply(x, high)  # type: ignore[no-untyped-call]
    return result


class _Rounded(torch.autograd.Function):
    """T = round(exp(ln t)), with d ln T = d ln t in the backward pass."""

    @staticmethod
    def forward(ctx: Any, log_steps: Tensor) -> Tensor:
        rounded = torch.floor(log_steps.exp() + 0.5)
        ctx.save_for_backward(rounded)
        return rounded

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (grad,) = grads
        (rounded,) = ctx.saved_tensors
        result: Tensor = grad * rounded
        return result


def require_levels(levels: int, largest: int = MAX_TIMESTEPS) -> int:
    """Return ``levels`` if it is an integer from 1 to ``largest``.

    Raises
    ------
    ConfigError
        Otherwise.
    """
    if isinstance(levels, bool) or not isinstance(levels, int):
        raise ConfigError(f"timesteps must be an integer, not {levels!r}")
    if not 1 <= levels <= largest:
        what = "timesteps" if largest == MAX_TIMESTEPS else "learned timesteps"
        raise ConfigError(f"{what} must be from 1 to {largest}, not {levels}")
    return levels


def timesteps_named(name: str | None, levels: int) -> Timesteps:
    """Return the :class:`Timesteps` with this name, which start at ``levels``.

    Parameters
    ----------
    name : str or None
        ``"n,d"``, ``"n,alpha"``, ``"d,alpha"``, ``"t,alpha"``, ``"clip"``, or None for a fixed T.
    levels : int

    Raises
    ------
    ConfigError
        If there is no such name, or T is out of range.
    """
    name = Fixed.name if name is None else name
    message = f"timesteps cannot be learned as {name!r}: use one of"
    return Timesteps.member(name, ConfigError, message)(levels)
