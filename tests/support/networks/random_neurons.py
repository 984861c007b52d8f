"""Random neurons for :mod:`strategies`: some that fire often, some with extreme parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from spikeloom.sw.golden import Dynamics, Golden
from spikeloom.sw.network import Burst, Cuba, Dual, If, Ladder, Logits, Network, Neuron, Signed

Array = np.ndarray[Any, Any]

#: Largest value of a signed register of the contract's 48 bits.
_HIGHEST = (1 << 47) - 1


class Drawing(Protocol):
    """Source of random choices. :mod:`strategies` implements it with hypothesis."""

    settings: dict[str, Any]

    def integer(self, low: int, high: int) -> int: ...

    def one_of(self, *choices: Any) -> Any: ...

    def array(self, low: int, high: int, *shape: int) -> Array: ...

    def seed(self) -> int: ...


class Lively:
    """Draws parameters close to the accumulators that random images cause.

    The proven range is far wider than the values that images reach: most parameters drawn from the
    whole of it make neurons that fire always or never.
    """

    def __init__(self, drawing: Drawing, network: Network) -> None:
        self.drawing = drawing
        self.timesteps = network.output.timesteps
        self.rng = np.random.default_rng(drawing.seed())
        pixels, shape = network.input.pixels(), network.input.image_shape
        images = self.rng.integers(pixels.low, pixels.high, (16, *shape), endpoint=True)
        trace = Golden(network).run(images, trace=True).trace
        assert trace is not None
        self.probe, self.currents = network.output, trace["probe"].currents
        # By channel, then by timestep, image and position.
        seen = self.currents.numpy()
        self.seen = np.moveaxis(seen, 2, 0).reshape(seen.shape[2], -1)
        self.channels = len(self.seen)
        self.bits = drawing.integer(0, drawing.settings["max_fraction_bits"])
        scale = 2**self.bits
        #: Mean magnitude and mean of the currents, by channel.
        self.size = (np.abs(self.seen).mean(1) * scale + 1).astype(np.int64)
        self.mean = (self.seen.mean(1) * scale).astype(np.int64)
        #: Standard deviation of the currents, over everything and over one image's timesteps.
        over_time = np.moveaxis(seen.std(0), 1, 0).reshape(self.channels, -1).mean(1)
        self.spreads = [(x * scale + 1).astype(np.int64) for x in (self.seen.std(1), over_time)]

    def uniform(self, low: Array, high: Array) -> Array:
        drawn: Array = self.rng.integers(low, high, endpoint=True)
        return drawn

    def spread(self) -> Array:
        return self.spreads[int(self.rng.integers(2))]

    def rectified(self, low: int, high: int) -> tuple[Array, Array, Array]:
        """Draw threshold (between quarters of the usual size), initial potential and bias."""
        centred = self.rng.random() < 0.5
        size = self.spread() if centred else self.size
        bias = self.uniform(-size // 2, size // 2) - self.mean * centred
        threshold = self.uniform(np.maximum(size * low // 4, 1), np.maximum(size * high // 4, 1))
        half = self.rng.random(self.channels) < 0.5
        return threshold, np.where(half, threshold >> 1, self.rng.integers(threshold)), bias

    def liveliest(self, build: Callable[[], Neuron]) -> Neuron:
        """Return the one of several random neurons whose spikes have the most different values.

        Negative spikes, and those of the rarer amplitude, would hardly occur otherwise.
        """
        return max([build() for _ in range(12)], key=self.variety)

    def variety(self, neuron: Neuron) -> float:
        """Return a measure that grows with the number and evenness of a neuron's spike values."""
        layer = dataclasses.replace(self.probe, neuron=neuron)
        dynamics = Dynamics.of(layer, self.currents.ndim - 2, self.currents.device)
        state, spikes = dynamics.start(self.currents[0]), []
        for t, current in enumerate(self.currents):
            fired, state = dynamics.step(t, current, state)
            spikes.append(fired.numpy())
        _, numbers = np.unique(np.stack(spikes), return_counts=True)
        # The square root gives rare values more weight.
        return float(np.sqrt(numbers / numbers.sum()).sum())

    def resets(self, style: str, threshold: Array) -> dict[str, Array]:
        """Draw the reset of a style; potentials after a hard one are of either sign."""
        if style == "value":
            return {"reset_value": self.uniform(-self.size, self.size)}
        if style == "amount":
            return {"reset_amount": self.uniform(np.maximum(threshold // 2, 1), 2 * threshold)}
        return {} if style == "threshold" else {"reset_amount": np.maximum(threshold - 1, 1)}

    def if_neuron(self) -> Neuron:
        shifts, style = leak(self.drawing), reset(self.drawing)

        def build() -> If:
            threshold, initial, bias = self.rectified(2, 12)
            resets = self.resets(style, threshold)
            return If(threshold, initial, bias, self.bits, shifts, **resets)

        return self.liveliest(build)

    def cuba_neuron(self) -> Neuron:
        shifts, style = leak(self.drawing), reset(self.drawing)
        current_shifts = leak(self.drawing)

        def build() -> Cuba:
            threshold, initial, bias = self.rectified(3, 24)
            resets = self.resets(style, threshold)
            return Cuba(
                threshold,
                initial - self.size // 2,
                bias,
                self.bits,
                shifts,
                current_leak=current_shifts,
                **resets,
            )

        return self.liveliest(build)

    def dual_neuron(self) -> Neuron:
        shifts = leak(self.drawing)
        return self.liveliest(lambda: Dual(*self.rectified(1, 6), self.bits, shifts))

    def burst_neuron(self) -> Neuron:
        most, shifts = largest(self.drawing), leak(self.drawing)

        def build() -> Burst:
            threshold, initial, bias = self.rectified(1, 6)
            return Burst(threshold, initial, bias, self.bits, most, shifts)

        return self.liveliest(build)

    def signed_neuron(self) -> Neuron:
        amplitudes = (amplitude(self.drawing), amplitude(self.drawing))

        def build() -> Signed:
            spread = self.spread()
            low, high = np.maximum(spread // 2, 1), 2 * spread
            bias = self.uniform(-spread // 2, spread // 2) - self.mean
            positive, negative = self.uniform(low, high), self.uniform(low, high)
            return Signed(positive, negative, bias, self.bits, *amplitudes)

        return self.liveliest(build)

    def ladder_neuron(self) -> Ladder:
        levels = self.rng.choice(self.seen.ravel(), (self.channels, self.timesteps))
        return Ladder(np.sort(levels + self.rng.integers(0, 2), axis=1))

    def logits_neuron(self) -> Logits:
        # All channels get the same mean, so that the label depends on the image.
        bias = self.uniform(-self.size // 2, self.size // 2) - self.mean
        return Logits(bias, self.bits, leak(self.drawing))


class Wide:
    """Draws parameters from the whole proven range, and from its ends."""

    def __init__(self, drawing: Drawing, network: Network) -> None:
        self.drawing = drawing
        self.timesteps = network.output.timesteps
        self.channels = network.output.neuron.channels
        self.bits = drawing.integer(0, drawing.settings["max_fraction_bits"])
        self.reach = network.ranges["probe"].accumulator
        self.top = max(1, (self.reach.high - self.reach.low) << self.bits)

    def extreme(self) -> bool:
        return self.drawing.settings["extremes"] and self.drawing.integer(0, 7) == 7

    def threshold(self) -> int:
        if self.extreme():
            return _HIGHEST
        drawn: int = self.drawing.one_of(1, self.drawing.integer(1, self.top))
        return drawn

    def bias(self) -> Array:
        return self.drawing.array(-self.top, self.top, self.channels)

    def rectified(self) -> tuple[Array, Array, Array]:
        """Draw threshold, initial potential and bias."""
        thresholds, initials = [], []
        for _ in range(self.channels):
            thresholds.append(threshold := self.threshold())
            last = min(threshold - 1, self.top)
            choices = (min(threshold >> 1, last), 0, last, self.drawing.integer(0, last))
            initials.append(self.drawing.one_of(*choices))
        return np.array(thresholds), np.array(initials), self.bias()

    def resets(self) -> dict[str, Array]:
        style = reset(self.drawing)
        if style == "threshold":
            return {}
        if style == "value":
            return {"reset_value": self.drawing.array(-self.top, self.top, self.channels)}
        return {"reset_amount": self.drawing.array(1, 2 * self.top, self.channels)}

    def if_neuron(self) -> If:
        return If(*self.rectified(), self.bits, leak(self.drawing), **self.resets())

    def cuba_neuron(self) -> Cuba:
        threshold, _, bias = self.rectified()
        initial = self.drawing.array(-self.top, self.top, self.channels)
        shifts, current = leak(self.drawing), leak(self.drawing)
        return Cuba(
            threshold, initial, bias, self.bits, shifts, current_leak=current, **self.resets()
        )

    def dual_neuron(self) -> Dual:
        return Dual(*self.rectified(), self.bits, leak(self.drawing))

    def burst_neuron(self) -> Burst:
        most, shifts = largest(self.drawing), leak(self.drawing)
        return Burst(*self.rectified(), self.bits, most, shifts)

    def signed_neuron(self) -> Signed:
        positive, negative = (
            np.array([self.threshold() for _ in range(self.channels)]) for _ in "PN"
        )
        amplitudes = (amplitude(self.drawing), amplitude(self.drawing))
        return Signed(positive, negative, self.bias(), self.bits, *amplitudes)

    def ladder_neuron(self) -> Ladder:
        low, high = self.reach.low - 1, self.reach.high + 1
        levels = self.drawing.array(low, high, self.channels, self.timesteps)
        if self.extreme():
            levels[0, 0] = -_HIGHEST - 1
            levels[-1, -1] = _HIGHEST
        return Ladder(np.sort(levels, axis=1))

    def logits_neuron(self) -> Logits:
        return Logits(self.bias(), self.bits, leak(self.drawing))


def amplitude(drawing: Drawing) -> int:
    return 1 << drawing.one_of(0, 0, 1, 2, 3)


def largest(drawing: Drawing) -> int:
    drawn: int = drawing.one_of(1, 2, 3, drawing.integer(1, 9))
    return drawn


def leak(drawing: Drawing) -> tuple[int, ...]:
    """Draw the shifts of a leak: most often none, and positive ones more often than negative."""
    number = drawing.one_of(0, 0, 0, 0, 1, 1, 2, 3)
    return tuple(
        drawing.one_of(1, 2, 3, 4, -2, -3, -5, drawing.integer(1, 31)) for _ in range(number)
    )


def reset(drawing: Drawing) -> str:
    """Draw a reset: by the threshold, by another amount, by the amount of a strict ``>``, hard."""
    drawn: str = drawing.one_of("threshold", "threshold", "threshold", "amount", "strict", "value")
    return drawn
