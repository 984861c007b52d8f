"""Bernoulli coding: pixels that become spikes at random, with their brightness as probability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from spikeloom.sw.network.inputs import (
    PixelInput,
    checked_bits,
    checked_shape,
    checked_timesteps,
)
from spikeloom.sw.network.lfsr import Lfsr
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import IntArray, Shape, require_int

MAX_SEED = (1 << 32) - 1
#: Fewest bits of a register, so that even large images over many timesteps draw no number twice.
_LEAST_WIDTH = 24


@dataclass(frozen=True, eq=False)
class BernoulliInput(PixelInput, kind="bernoulli"):
    """Pixels that become spikes: at each timestep 1 with the probability ``pixel / (2^bits - 1)``.

    A pixel spikes if the next number of a linear-feedback shift register is not above its
    threshold. The register begins anew with every image, so that the spikes of an image depend on
    nothing but its pixels and the seed.

    Parameters
    ----------
    shape : tuple of int
        (channels, height, width) or (features,).
    bits : int
        Pixels are 0 to 2^bits - 1, with 1 to 16 bits. 0 never spikes, and the highest always does.
    timesteps : int
        T, 1 to 4096.
    seed : int
        Chooses the random numbers; 0 to 2^32 - 1.
    """

    shape: Shape
    bits: int
    timesteps: int
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        object.__setattr__(self, "bits", checked_bits(self.bits))
        object.__setattr__(self, "timesteps", checked_timesteps(self.timesteps))
        seed = require_int(self.seed, "the seed of the input", 0, MAX_SEED)
        object.__setattr__(self, "seed", seed)

    @property
    def steps(self) -> int | None:
        return self.timesteps

    @property
    def unit(self) -> Fraction:
        return Fraction((1 << self.bits) - 1, self.timesteps)

    def pixels(self) -> Range:
        return Range(0, (1 << self.bits) - 1)

    def values(self) -> Range:
        return Range(0, 1)

    @property
    def register(self) -> Lfsr:
        """The register: of the fewest bits, at least 24, that are a multiple of a pixel's."""
        return Lfsr(self.bits * -(-_LEAST_WIDTH // self.bits))

    @property
    def ones(self) -> int:
        """Threshold of a pixel of 1; that of another is so many times as high.

        In bits, the threshold is the pixel, written as often as the register has room for it, and
        that of the highest pixel therefore the highest number that is drawn.
        """
        return self.register.period // ((1 << self.bits) - 1)

    @cached_property
    def draws(self) -> IntArray:
        """The numbers that pixels are compared with, int64, shape (timesteps, *shape)."""
        channels, *place = self.shape
        size = math.prod(place)
        drawn = self.register.draws(self.seed, size * channels * self.timesteps)
        ordered = drawn.reshape(size, channels, self.timesteps).transpose(2, 1, 0)
        draws = np.ascontiguousarray(ordered).reshape(self.timesteps, *self.shape)
        draws.flags.writeable = False
        return draws

    def carried(self, images: npt.NDArray[np.integer]) -> IntArray:
        """Return the spikes of pixels.

        Parameters
        ----------
        images : array of integers, shape (N, *shape)

        Returns
        -------
        array of int64, shape (N, timesteps, *shape)
        """
        thresholds = images.astype(np.int64)[:, None] * self.ones
        spikes: IntArray = (self.draws <= thresholds).astype(np.int64)
        return spikes
