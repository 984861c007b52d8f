"""Pixels: the integers of images, and the real numbers that a model sees in their place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.network import Range
from spikeloom.sw.network.inputs import MAX_INPUT_BITS, along_channels

if TYPE_CHECKING:
    import torch
    from torch import Tensor

#: One number for all channels, or one for each.
PerChannel = float | Sequence[float]
#: Distance beyond the range, in pixel steps, that rounding in float32 explains.
_TOLERANCE = 0.26


@dataclass(frozen=True)
class Pixels:
    """The integers of images, and the real numbers that a model sees in their place.

    A model sees ``scale * (pixel - offset)`` in place of ``pixel``. :meth:`normalised` describes
    images as most published models take them, normalised by a mean and a standard deviation.

    Parameters
    ----------
    bits : int
        Pixels have 1 to 16 bits: 0 to 2^bits - 1, or -2^(bits-1) to 2^(bits-1) - 1 if signed.
    scale : float or sequence of float, shape (channels,), optional
        Real value of one pixel step, positive. By default the largest pixel stands for 1: 1/255 of
        8 bits, and 1/128 of 8 signed bits, whose smallest pixel stands for -1.
    offset : float or sequence of float, shape (channels,)
        Pixel that stands for 0; it need not be an integer.
    signed : bool
        Whether pixels can be negative.

    Raises
    ------
    ConfigError
        If a value is out of range, or there are not equally many scales and offsets.
    """

    bits: int = 8
    scale: PerChannel | None = None
    offset: PerChannel = 0.0
    signed: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.bits, bool) or not isinstance(self.bits, int):
            raise ConfigError(f"bits of pixels must be an integer, not {self.bits!r}")
        if not 1 <= self.bits <= MAX_INPUT_BITS:
            raise ConfigError(f"bits of pixels must be from 1 to {MAX_INPUT_BITS}, not {self.bits}")
        if not isinstance(self.signed, bool):
            raise ConfigError(f"signed of pixels must be True or False, not {self.signed!r}")
        scale = self.scale
        if scale is None:
            scale = 1 / (1 << (self.bits - 1)) if self.signed else 1 / ((1 << self.bits) - 1)
        object.__setattr__(self, "scale", _numbers(scale, "scale"))
        object.__setattr__(self, "offset", _numbers(self.offset, "offset"))
        for value in self.scales:
            if value <= 0:
                raise ConfigError(f"the scale of pixels must be positive, not {value}")
        if len(self.scales) != len(self.offsets) and 1 not in (len(self.scales), len(self.offsets)):
            raise ConfigError(
                f"pixels have {len(self.scales)} scales but {len(self.offsets)} offsets: give one "
                f"of each for every channel"
            )

    @classmethod
    def normalised(
        cls, mean: PerChannel, std: PerChannel, bits: int = 8, signed: bool = False
    ) -> Self:
        """Return pixels that a model sees as ``(pixel * scale - mean) / std``.

        Parameters
        ----------
        mean, std : float or sequence of float, shape (channels,)
            Of images that are scaled to [0, 1] (signed ones to [-1, 1]), as torchvision's
            ``Normalize(mean, std)`` takes them behind ``ToTensor()``.
        bits, signed
            As for :class:`Pixels`.
        """
        return cls(bits, signed=signed).then_normalised(mean, std)

    def then_normalised(self, mean: PerChannel, std: PerChannel) -> Self:
        """Return pixels that a model sees as ``(image - mean) / std`` of what it sees of these.

        Parameters
        ----------
        mean, std : float or sequence of float, shape (channels,)
        """
        means, deviations = _numbers(mean, "mean"), _numbers(std, "std")
        means, deviations = (x if isinstance(x, tuple) else (x,) for x in (means, deviations))
        if any(value <= 0 for value in deviations):
            raise ConfigError(f"std of pixels must be positive, not {min(deviations)}")
        number = max(map(len, (means, deviations, self.scales, self.offsets)))
        known = []
        for what, values in (
            ("means", means),
            ("standard deviations", deviations),
            ("scales", self.scales),
            ("offsets", self.offsets),
        ):
            if len(values) not in (1, number):
                raise ConfigError(
                    f"pixels of {number} channels have {len(values)} {what}: give one for each "
                    f"channel, or one for all"
                )
            known.append(values * number if len(values) == 1 else values)
        return type(self)(
            self.bits,
            tuple(scale / s for s, scale in zip(known[1], known[2], strict=True)),
            tuple(
                offset + m / scale
                for m, scale, offset in zip(known[0], known[2], known[3], strict=True)
            ),
            self.signed,
        )

    @property
    def scales(self) -> tuple[float, ...]:
        """Scale of each channel, or the one of all channels."""
        return self.scale if isinstance(self.scale, tuple) else (self.scale,)

    @property
    def zeros(self) -> tuple[int, ...]:
        """The pixels that are nearest to the real number 0: one, or one for each channel."""
        bounds = self.range()
        return tuple(min(max(round(offset), bounds.low), bounds.high) for offset in self.offsets)

    @property
    def offsets(self) -> tuple[float, ...]:
        """Offset of each channel, or the one of all channels."""
        return self.offset if isinstance(self.offset, tuple) else (self.offset,)

    @property
    def plain(self) -> bool:
        """Whether all that a model sees of a pixel is its product with one scale."""
        return len(set(self.scales)) == 1 and not any(self.offsets) and not self.signed

    def range(self) -> Range:
        """Return the range of the integers."""
        low = -(1 << (self.bits - 1)) if self.signed else 0
        return Range(low, low + (1 << self.bits) - 1)

    def reals(self) -> tuple[float, float]:
        """Return the smallest and the largest real number, over all channels."""
        pixels = self.range()
        ends = [
            scale * (pixel - offset)
            for scale, offset in zip(*self._by_channel(), strict=True)
            for pixel in (pixels.low, pixels.high)
        ]
        return min(ends), max(ends)

    def real(self, pixels: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return the real numbers that a model sees.

        Parameters
        ----------
        pixels : tensor of integers, shape (N, channels, ...)
        dtype : torch.dtype, optional
            float32 by default.
        """
        import torch

        dtype = dtype or torch.float32
        if self.plain:
            return pixels.to(dtype) * self.scales[0]
        scale, offset = self._tensors(pixels.ndim, dtype, pixels.device)
        return (pixels.to(dtype) - offset) * scale

    def steps(self, images: Tensor) -> Tensor:
        """Return real numbers as multiples of pixel steps, neither rounded nor checked."""
        scale, offset = self._tensors(images.ndim, images.dtype, images.device)
        return images / scale + offset

    def nearest(self, images: Tensor) -> Tensor:
        """Return the nearest pixels, as int64.

        Parameters
        ----------
        images : tensor, shape (N, channels, ...)
            Real numbers, as the model sees them.

        Raises
        ------
        DataError
            If one is beyond the range.
        """
        self.require(images)
        pixels = self.range()
        return self.steps(images.double()).round().clamp(pixels.low, pixels.high).long()

    def require(self, images: Tensor) -> None:
        """Require that images, as the model sees them, are within the range.

        Raises
        ------
        DataError
            If they are not; the message has the range, and two ways to mend it.
        """
        if not images.numel():
            raise DataError("there are no images: at least one is needed")
        steps = self.steps(images.detach().double())
        pixels = self.range()
        low, high = float(steps.min()), float(steps.max())
        if not math.isfinite(low) or not math.isfinite(high):
            raise DataError("images hold values that are not finite: clean the data first")
        if low < pixels.low - _TOLERANCE or high > pixels.high + _TOLERANCE:
            raise DataError(seen_message(float(images.min()), float(images.max()), *self.reals()))

    def as_dict(self) -> dict[str, Any]:
        """Return the description in JSON values."""

        def plain(value: Any) -> Any:
            return list(value) if isinstance(value, tuple) else value

        return {
            "bits": self.bits,
            "scale": plain(self.scale),
            "offset": plain(self.offset),
            "signed": self.signed,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return the pixels that :meth:`as_dict` has described.

        Raises
        ------
        ConfigError
            If the description is damaged.
        """
        try:
            return cls(**content)
        except TypeError as error:
            raise ConfigError(f"damaged description of pixels ({error})") from None

    def reduced(self, bits: int) -> Self:
        """Return the same for images that :meth:`reduce` has given fewer bits.

        Raises
        ------
        ConfigError
            If there are not fewer.
        """
        step = self._step(bits)
        return type(self)(
            bits,
            tuple(scale * step for scale in self.scales),
            tuple(offset / step for offset in self.offsets),
            self.signed,
        )

    def reduce(self, pixels: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
        """Return pixels of fewer bits: the nearest ones, rounded half up, of the same type.

        Unsigned ones keep both ends, so that 15 of 4 bits stands for 255 of 8; signed ones keep 0,
        and the largest are clipped.

        Raises
        ------
        ConfigError
            If there are not fewer bits.
        """
        wide = pixels.astype(np.int64)
        self._step(bits)
        if self.signed:
            shift = self.bits - bits
            top = (1 << (bits - 1)) - 1
            return ((wide + (1 << shift >> 1)) >> shift).clip(max=top).astype(pixels.dtype)
        new, old = (1 << bits) - 1, (1 << self.bits) - 1
        return ((2 * wide * new + old) // (2 * old)).astype(pixels.dtype)

    def _step(self, bits: int) -> float:
        """Return the steps of these pixels that make one of ``bits`` bits."""
        if not 1 <= bits < self.bits:
            raise ConfigError(
                f"pixels of {self.bits} bits can be reduced to 1 to {self.bits - 1} bits, not to "
                f"{bits}"
            )
        if self.signed:
            return float(1 << (self.bits - bits))
        return ((1 << self.bits) - 1) / ((1 << bits) - 1)

    def channels(self, number: int) -> Self:
        """Return the same, with a scale and an offset for each of ``number`` channels.

        Raises
        ------
        ConfigError
            If there are scales or offsets for another number of channels.
        """
        for what, values in (("scales", self.scales), ("offsets", self.offsets)):
            if len(values) not in (1, number):
                raise ConfigError(
                    f"the images have {number} channels, but their pixels have {len(values)} "
                    f"{what}: give one for each channel, or one for all"
                )
        scale, offset = (v * number if len(v) == 1 else v for v in (self.scales, self.offsets))
        return type(self)(self.bits, scale, offset, self.signed)

    def _by_channel(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        number = max(len(self.scales), len(self.offsets))
        scales, offsets = (v * number if len(v) == 1 else v for v in (self.scales, self.offsets))
        return scales, offsets

    def _tensors(
        self, ndim: int, dtype: torch.dtype, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """Return scale and offset in the shape (channels, 1, 1), to compute with images."""
        import torch

        scale, offset = (
            along_channels(torch.tensor(values, dtype=dtype, device=device), ndim)
            for values in self._by_channel()
        )
        return scale, offset


def seen_message(smallest: float, largest: float, low: float, high: float) -> str:
    """Return the message on images whose values are not those of the network's pixels."""
    return (
        f"the images hold values from {smallest:.4g} to {largest:.4g}, but the network's pixels "
        f"stand for {low:.4g} to {high:.4g}. If the images are normalised, say so: "
        f"prepare(..., pixels=Pixels.normalised(mean=..., std=...)); if not, scale them as the "
        f"pixels say, for example images / 255"
    )


def _numbers(value: Any, what: str) -> float | tuple[float, ...]:
    """Return finite numbers: one, or one for each channel."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    many = isinstance(value, (tuple, list))
    values = list(value) if many else [value]
    for number in values:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise ConfigError(
                f"{what} of pixels must be a number, or one for each channel, not {number!r}"
            )
        if not math.isfinite(number):
            raise ConfigError(f"{what} of pixels must be finite, not {number}")
    if not values:
        raise ConfigError(f"{what} of pixels is empty: give one number for each channel")
    return tuple(float(number) for number in values) if many else float(values[0])
