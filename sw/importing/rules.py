"""Rules of neurons: what a toolkit computes in one timestep, in real numbers.

A file says less than a rule needs, so a rule comes from a node and the toolkit that wrote it
(:mod:`spikeloom.sw.importing.origins`), or from a module in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.importing.fields import Reals
from spikeloom.sw.network.record import Shape


@dataclass(frozen=True, eq=False)
class Rule:
    """One timestep of a population of neurons, from the potential v and the current I.

    ``i = current_decay*i + I`` if there is a synaptic current, else ``i = I``;
    ``v = decay*v + gain*i + offset``; then it fires where ``v >= threshold``, or ``v > threshold``
    if it is ``strict``. Then v is reset: to ``value``, or else by subtraction of ``amount``. If the
    reset is ``delayed``, the subtraction happens in the next timestep, behind the decay.

    Parameters
    ----------
    decay : float
        0 to 1.
    gain, threshold, amount : array of float64
        Of one value, or of the population's shape.
    strict : bool
    several : bool
        Whether a neuron can fire several times in one timestep: ``floor(v / threshold)`` times.
    value : float, optional
        Potential behind a hard reset.
    delayed : bool
    offset, start : array of float64
        Current without input, and the potential before the first timestep.
    current_decay : float, optional
    """

    decay: float
    gain: Reals
    threshold: Reals
    strict: bool = False
    several: bool = False
    value: float | None = None
    delayed: bool = False
    offset: Reals = field(default_factory=lambda: np.zeros(1))
    start: Reals = field(default_factory=lambda: np.zeros(1))
    current_decay: float | None = None

    @property
    def amount(self) -> Reals:
        """What is subtracted by a reset."""
        return self.threshold

    def immediate_amount(self) -> Reals:
        """Return what a reset at once has to subtract for the same potentials.

        A reset in the next timestep is not multiplied by the decay: ``decay*v - amount`` is
        ``decay*(v - amount/decay)``.
        """
        return self.threshold / self.decay if self.delayed else self.threshold

    def text(self) -> str:
        """Return the rule as one line."""
        parts = []
        if self.current_decay is not None:
            parts.append(f"i = {self.current_decay:.6g} i + I")
        current = "I" if self.current_decay is None else "i"
        gain = float(self.gain.flat[0])
        leak = "v" if self.decay == 1 else f"{self.decay:.6g} v"
        parts.append(
            f"v = {leak} + {current}" if gain == 1 else f"v = {leak} + {gain:.6g} {current}"
        )
        threshold = float(self.threshold.flat[0])
        if self.several:
            parts.append(f"s = floor(v / {threshold:.6g})")
        else:
            parts.append(f"fires at v {'>' if self.strict else '>='} {threshold:.6g}")
        if self.value is not None:
            parts.append(f"then v = {self.value:.6g}")
        elif self.delayed:
            parts.append(f"then v -= {threshold:.6g}, one timestep late")
        else:
            parts.append(f"then v -= {threshold:.6g}{' s' if self.several else ''}")
        return "; ".join(parts)


def from_zero(rule: Rule) -> Rule:
    """Return a rule with a hard reset whose potential is counted from the reset's value.

    So that the reset is to 0, and a potential that rests below 0 needs no negative start.
    """
    if not rule.value:
        return rule
    shift = rule.value
    return replace(
        rule,
        threshold=rule.threshold - shift,
        value=0.0,
        offset=rule.offset - (1 - rule.decay) * shift,
        start=rule.start - shift,
    )


def uniform(values: Reals, what: str, where: str) -> float:
    """Return the one number that all ``values`` are.

    Raises
    ------
    UnsupportedError
        If they differ by more than rounding: the contract has one leak for a whole layer.
    """
    low, high = float(values.min()), float(values.max())
    if np.isinf(low) and low == high:
        return low
    if high - low > 1e-6 * max(abs(low), abs(high)):
        raise UnsupportedError(
            f"{where} has {what} from {low:.6g} to {high:.6g}, but a layer has one leak for all "
            f"its neurons: give them one {what}"
        )
    return low


def by_channel(values: Reals, shape: Shape, what: str, where: str) -> Reals:
    """Return one number for each channel of a population.

    Parameters
    ----------
    values : array of float64
        Of one value, of the population's shape, or (channels, 1, 1).

    Raises
    ------
    UnsupportedError
        If they differ within a channel, or do not fit the shape.
    """
    if values.size == 1:
        return np.full(shape[0], values.reshape(-1)[0])
    full: Any = values
    if values.ndim == len(shape) - 1 and len(shape) == 3:  # a signal's (channels, length)
        full = values[:, None, :]
    while full.ndim > len(shape) and full.shape[0] == 1:
        full = full[0]
    if full.ndim != len(shape) or any(
        a not in (1, b) for a, b in zip(full.shape, shape, strict=True)
    ):
        if full.size == int(np.prod(shape)):
            full = full.reshape(shape)
        else:
            raise UnsupportedError(
                f"{where} has a {what} of shape {values.shape} for neurons of shape {shape}: give "
                f"one for all, or one for each"
            )
    rows = full.reshape(len(full), -1)
    high, low = rows.max(1), rows.min(1)
    unequal = high != low
    apart = high[unequal] - low[unequal]
    if (apart > 1e-9 * np.abs(rows[np.isfinite(rows)]).max(initial=0)).any():
        raise UnsupportedError(
            f"{where} has a {what} that differs within a channel, but all neurons of a channel "
            f"share theirs: give each channel one {what}"
        )
    found: Reals = np.broadcast_to(rows[:, 0], shape[0]).copy()
    return found
