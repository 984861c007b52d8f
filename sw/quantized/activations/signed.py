"""Signed QCFS: the activation that turns into a neuron with spikes of both signs."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network.neurons import MAX_SPIKE
from spikeloom.sw.quantized.activations.base import Activation, by_levels, levelled


class _SignedQuantClipFloorShift(torch.autograd.Function):
    """QCFS on both sides of zero; the levels of the negative one are ``ratio`` times as high."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        threshold: Tensor,
        levels: Tensor | int | None,
        slope: float,
        ratio: Tensor | float,
    ) -> Tensor:
        ctx.slope, ctx.ratio = slope, ratio.item() if isinstance(ratio, Tensor) else ratio
        ctx.learned = isinstance(ratio, Tensor)
        ratio = ctx.ratio
        negative = x < 0
        share = torch.where(negative, -x * (slope / ratio), x) / threshold
        quantized = levelled(share.clamp(max=1), levels)
        ctx.save_for_backward(share, quantized, negative, threshold)
        ctx.levels = levels.detach() if isinstance(levels, Tensor) else None
        return torch.where(negative, -ratio * quantized, quantized) * threshold

    @staticmethod
    def backward(
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None, None, Tensor | None]:
        (grad,) = grads
        share, quantized, negative, threshold = ctx.saved_tensors
        inside = share <= 1
        side = torch.where(negative, ctx.slope, 1.0).to(grad.dtype)
        # y = ±(1 or ratio) · λ · q(share), where share falls as 1/λ
        height = torch.where(negative, -ctx.ratio, 1.0).to(grad.dtype)
        by_threshold = grad * height * (quantized - share * inside)
        return (
            grad * inside * side,
            by_threshold.sum_to_size(threshold.shape),
            None if ctx.levels is None else by_levels(by_threshold, inside, ctx.levels, threshold),
            None,
            # β alone makes N and the height of the negative side grow: as θ_N = βλ does, times λ.
            (by_threshold * negative).sum() * (threshold / ctx.ratio) if ctx.learned else None,
        )


class SignedQCFS(Activation):
    """Leaky ReLU in levels: the response of a signed neuron to constant input.

    ``y = λ/L · clip(floor(xL/λ + 1/2), 0, L)`` for x >= 0, and
    ``y = -βλ/L · clip(floor(-xL/N + 1/2), 0, L)`` below, where ``N = βλ/slope``. The gradient is
    straight-through: ∂y/∂x is 1 in [0, λ], ``slope`` in [-N, 0), and 0 outside.

    Parameters
    ----------
    levels : int
        L, 1 to 4096.
    threshold : float
        Initial λ, positive and finite.
    slope : float
        Slope below zero, positive and finite.
    ratio : float, optional
        β = a_N / a_P, the height of a negative quantum over that of a positive one; by default
        the power of two that is nearest to ``slope`` on a logarithmic scale. Only powers of two can
        be converted, since a spike's value is a shift.
    negative : bool
        Whether θ_N = βλ, at which the negative side saturates, is learned apart from λ; β is then
        the power of two that is nearest to θ_N / λ on a logarithmic scale, and λ learns from
        positive inputs alone. See :meth:`learn_negative`.
    learn : str, optional
        How L is learned, as in :class:`.Activation`. Both sides contribute to the gradients: eqs. 7
        to 10 of :mod:`.timesteps` also hold below zero, where the step is -βλ/L.

    Attributes
    ----------
    log_negative : Parameter, shape (), or None
        ln θ_N, if it is learned. A step of the optimizer moves it between powers of two times λ,
        and the straight-through estimator takes it as if it were in force.
    learned_shift : Tensor of int64, shape (), or None
        log2 β, if θ_N was learned and is settled.

    Raises
    ------
    ConfigError
        If a parameter is outside its range.

    References
    ----------
    Wang et al., "A fast and accurate ANN-SNN conversion algorithm with negative spikes", IJCAI
    2025, eq. 10 to 18, where β is made the ratio of the source's own two spike values, and so a
    power of two.
    """

    signed = True
    log_negative: nn.Parameter | None
    learned_shift: Tensor | None
    default_neuron = MappingProxyType({"count": "signed", "spikes": "signed"})

    def __init__(
        self,
        levels: int = 4,
        threshold: float = 1.0,
        slope: float = 0.01,
        ratio: float | None = None,
        *,
        negative: bool = False,
        learn: str | None = None,
    ) -> None:
        super().__init__(levels, threshold, learn=learn)
        if not 0 < slope < math.inf:
            raise ConfigError(f"the slope of a leaky ReLU must be positive and finite, not {slope}")
        if ratio is None:
            ratio = 2.0 ** round(math.log2(slope))
        if not 0 < ratio < math.inf:
            raise ConfigError(f"the ratio of spike values must be positive and finite, not {ratio}")
        self.slope = float(slope)
        self._ratio = float(ratio)
        self.register_parameter("log_negative", None)
        self.register_buffer("learned_shift", None)
        if negative:
            self.learn_negative()

    def learn_negative(self) -> None:
        """Learn θ_N apart from λ from now on, beginning with the value that it has.

        References
        ----------
        The θ_N of eq. 24, within what spikes can have.
        """
        if self.log_negative is None:
            start = math.log(self.ratio * self.threshold)
            self._add_negative(torch.full((), start))
            self.learned_shift = None

    def settle(self) -> None:
        """Fix L, and β at the power of two to which a learned θ_N has come."""
        super().settle()
        if self.log_negative is not None:
            shift = round(math.log2(self.ratio))
            self.log_negative = None
            self.learned_shift = torch.tensor(shift, device=self.log_threshold.device)

    @property
    def ratio(self) -> float:
        """β: a fixed number, or the power of two to which a learned θ_N has come."""
        if self.learned_shift is not None:
            return 2.0 ** int(self.learned_shift.item())
        if self.log_negative is None:
            return self._ratio
        with torch.no_grad():
            return 2.0 ** int(self._shift(self.timesteps.resolve(self.log_threshold)[0]).item())

    def _shift(self, log_threshold: Tensor) -> Tensor:
        """Return log2 β of a learned θ_N, a whole number."""
        assert self.log_negative is not None, "it is learned"
        shift = (self.log_negative.double() - log_threshold.double()) / math.log(2)
        most = math.log2(MAX_SPIKE)
        return shift.round().nan_to_num(nan=0.0).clamp(-most, most)

    def _with_gradient(self, threshold: Tensor) -> Tensor | float:
        """Return β, through which λ and a learned θ_N get their gradients."""
        if self.log_negative is None:
            return self.ratio
        log_threshold = threshold.log()
        power = torch.exp2(self._shift(log_threshold).detach()).to(threshold.dtype)
        # Straight through the rounding: ln β = ln θ_N - ln λ.
        log_ratio = self.log_negative.to(threshold.dtype) - log_threshold
        return power * (1 + log_ratio - log_ratio.detach())

    def _add_negative(self, value: Tensor) -> None:
        like = self.log_threshold
        self.log_negative = nn.Parameter(value.to(like.device, like.dtype))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        # A state in which θ_N is learned, or was learned, makes it so here.
        if f"{prefix}log_negative" in state_dict and self.log_negative is None:
            self._add_negative(torch.zeros(()))
        if f"{prefix}learned_shift" in state_dict and self.learned_shift is None:
            self.learned_shift = torch.tensor(0, device=self.log_threshold.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def initialise_from(self, values: Tensor, percentile: float) -> None:
        """Set λ as other activations do; if θ_N is learned, each from the inputs of its sign."""
        if self.log_negative is None:
            super().initialise_from(values, percentile)
            return
        values = values.detach()
        super().initialise_from(values.clamp(min=0), percentile)
        below = -values[values < 0]
        if below.numel():
            reach = float(np.percentile(below.float().cpu().numpy(), percentile))
            with torch.no_grad():
                self.log_negative.fill_(math.log(reach * self.slope))

    @property
    def negative_threshold(self) -> float:
        """N = βλ/slope: the negative input at which the activation saturates."""
        return self.ratio * self.threshold / self.slope

    @property
    def negative_reach(self) -> Tensor | float:
        """N/λ, which is β/slope."""
        return self._with_gradient(self.scale()[0]) / self.slope

    @property
    def amplitudes(self) -> tuple[int, int]:
        """Powers of two ``(a_P, a_N)`` with ``a_N / a_P = β``, the smaller of them 1.

        Raises
        ------
        ConfigError
            If β is no power of two, or beyond the contract's largest spike.
        """
        mantissa, exponent = math.frexp(self.ratio)
        if mantissa != 0.5:
            near = 2.0 ** round(math.log2(self.ratio))
            raise ConfigError(
                f"the ratio of negative to positive spike values must be a power of two, not "
                f"{self.ratio:g}, since a spike is one shifted addition: use "
                f"SignedQCFS(ratio={near:g})"
            )
        shift = exponent - 1
        if 1 << abs(shift) > MAX_SPIKE:
            raise ConfigError(
                f"the ratio {self.ratio:g} of negative to positive spike values needs a spike of "
                f"2^{abs(shift)}, and the largest is {MAX_SPIKE}: use a ratio from "
                f"{1 / MAX_SPIKE:g} to {MAX_SPIKE}"
            )
        return (1 << max(-shift, 0), 1 << max(shift, 0))

    def forward(self, x: Tensor) -> Tensor:
        """Return the quantized activation of ``x``, elementwise."""
        threshold, levels = self.scale()
        result: Tensor = _SignedQuantClipFloorShift.apply(  # type: ignore[no-untyped-call]
            x, threshold, levels, self.slope, self._with_gradient(threshold)
        )
        return result

    def counts(self, x: Tensor) -> Tensor:
        """Return ``a_P`` times the positive level, or minus ``a_N`` times the negative one."""
        up, down = self.amplitudes
        share = torch.where(x < 0, -x / self.negative_threshold, x / self.threshold)
        level = torch.floor(share.clamp(max=1) * self.levels + 0.5)
        return torch.where(x < 0, -down * level, up * level).long()

    def _reach(self, values: Tensor) -> Tensor:
        # In units of λ: a negative input fits if it is at most N.
        reach = torch.where(values < 0, -values * (self.slope / self.ratio), values)
        return reach[reach > 0]

    def extra_repr(self) -> str:
        """Describe the layer in ``repr``."""
        return f"{super().extra_repr()}, slope={self.slope:.4g}, ratio={self.ratio:.4g}"
