"""Inputs of the contract: the values that enter a network, and their coding in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import IntArray, Record, Shape, require_int

#: Name by which connections refer to the network's input.
INPUT = "input"

MAX_TIMESTEPS = 1 << 12
MAX_INPUT_BITS = 16
#: Largest magnitude of a zero point.
MAX_ZERO = (1 << MAX_INPUT_BITS) - 1


class _HasReshape(Protocol):
    def reshape(self, shape: tuple[int, ...], /) -> Any: ...


_Array = TypeVar("_Array", bound=_HasReshape)


def along_channels(values: _Array, ndim: int) -> _Array:
    """Return one value for each channel in a shape that computes with images.

    Parameters
    ----------
    values : array or tensor, shape (channels,)
    ndim : int
        Number of axes of the images, whose shape is (N, channels, ...).

    Returns
    -------
    array or tensor, shape (channels, 1, ...), with ``ndim - 1`` axes
    """
    shaped: _Array = values.reshape((-1, *[1] * (ndim - 2)))
    return shaped


class Input(Record):
    """The values that enter a network, and their coding in time."""

    kinds: ClassVar[dict[str, type[Input]]] = {}
    shape: Shape

    @property
    def steps(self) -> int | None:
        """Timesteps of what connections carry; None for an input that is constant over time."""
        return None

    @property
    def image_steps(self) -> int | None:
        """Timesteps of the time axis of an image; None for images without one."""
        return self.steps

    @property
    def image_shape(self) -> Shape:
        """Shape of one image: ``(image_steps, *shape)``, or ``shape`` without a time axis."""
        return self.shape if self.image_steps is None else (self.image_steps, *self.shape)

    @property
    def carried_shape(self) -> Shape:
        """Shape of what connections carry of one image: ``(steps, *shape)`` or ``shape``."""
        return self.shape if self.steps is None else (self.steps, *self.shape)

    @property
    def unit(self) -> Fraction:
        """Part of an image's value that a count of 1 stands for."""
        return Fraction(1)

    @property
    def zeros(self) -> tuple[int, ...]:
        """Zero point of each channel, which is subtracted from the values of an image."""
        return (0,) * self.shape[0]

    def pixels(self) -> Range:
        """Return the range of one value of an image, before the zero point is subtracted."""
        return self.values()

    def values(self) -> Range:
        """Return the range of one value that connections carry; of one timestep, if it has time."""
        raise NotImplementedError

    def carried(self, images: npt.NDArray[np.integer]) -> IntArray:
        """Return the values that connections carry: images without their zero point.

        Parameters
        ----------
        images : array of integers, shape (N, *image_shape)

        Returns
        -------
        array of int64, shape (N, *carried_shape)
        """
        if not any(self.zeros):
            return images.astype(np.int64, copy=False)
        zeros = along_channels(np.array(self.zeros), images.ndim)
        carried: IntArray = images.astype(np.int64) - zeros
        return carried


class PixelInput(Input):
    """Base of the inputs whose images are pixels of some bits, without a time axis.

    Attributes
    ----------
    bits : int
        Bits of a pixel, 1 to 16.
    """

    bits: int

    @property
    def image_steps(self) -> int | None:
        return None


@dataclass(frozen=True, eq=False)
class DirectInput(PixelInput, kind="direct"):
    """Pixels, constant over time; connections carry each, less its zero point, as a count.

    Parameters
    ----------
    shape : tuple of int
        (channels, height, width) or (features,).
    bits : int
        Pixels have 1 to 16 bits: 0 to 2^bits - 1, or -2^(bits-1) to 2^(bits-1) - 1 if signed.
    signed : bool
        Whether pixels can be negative.
    zero : int or sequence of int, shape (channels,)
        Zero point of all channels or of each: the pixel that stands for 0, which is subtracted
        before a connection sees it. Padding therefore stands for this pixel. -65535 to 65535.
    """

    shape: Shape
    bits: int
    signed: bool = False
    zero: int | Sequence[int] | IntArray = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        object.__setattr__(self, "bits", checked_bits(self.bits))
        if not isinstance(self.signed, bool):
            raise ContractError(f"signed of the input must be true or false, not {self.signed!r}")
        object.__setattr__(self, "zero", _checked_zero(self.zero, self.shape[0]))

    @property
    def zeros(self) -> tuple[int, ...]:
        assert isinstance(self.zero, tuple)
        return self.zero

    def pixels(self) -> Range:
        if self.signed:
            return Range(-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1)
        return Range(0, (1 << self.bits) - 1)

    def values(self) -> Range:
        return self.pixels() - Range(min(self.zeros), max(self.zeros))

    def header(self) -> dict[str, Any]:
        # Left out where they are 0, so that the digests of networks from before them stay.
        given = super().header()
        if not self.signed:
            del given["signed"]
        if any(self.zeros):
            return given | {"zero": list(self.zeros)}
        del given["zero"]
        return given


@dataclass(frozen=True, eq=False)
class CountInput(Input, kind="count"):
    """Counts, constant over time: events that were summed beforehand, or another network's counts.

    Parameters
    ----------
    shape : tuple of int
        (channels, height, width) or (features,).
    highest : int
        Counts are 0 to ``highest``; 1 to 65535.
    """

    shape: Shape
    highest: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        object.__setattr__(self, "highest", _checked_highest(self.highest))

    def values(self) -> Range:
        return Range(0, self.highest)


@dataclass(frozen=True, eq=False)
class SpikeInput(Input, kind="spikes"):
    """Spikes with a time axis, such as an event camera's recording in time bins.

    Parameters
    ----------
    shape : tuple of int
        (channels, height, width) or (features,), of one timestep.
    timesteps : int
        T, 1 to 4096.
    highest : int
        Spike values are 0 to ``highest``, which is 1 for plain spikes; several events of one bin
        can be one value. 1 to 65535.
    """

    shape: Shape
    timesteps: int
    highest: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        object.__setattr__(self, "timesteps", checked_timesteps(self.timesteps))
        object.__setattr__(self, "highest", _checked_highest(self.highest))

    @property
    def steps(self) -> int | None:
        return self.timesteps

    def values(self) -> Range:
        return Range(0, self.highest)


def checked_shape(shape: Any) -> Shape:
    """Return the shape of an input's values, or raise `ContractError`."""
    if not isinstance(shape, (tuple, list)) or len(shape) not in (1, 3):
        raise ContractError(
            f"input shape must be (channels, height, width) or (features,), not {shape!r}"
        )
    return tuple(require_int(n, "input shape", 1, 1 << 20) for n in shape)


def checked_bits(bits: Any) -> int:
    """Return the bits of pixels, or raise `ContractError`."""
    return require_int(bits, "input bits", 1, MAX_INPUT_BITS)


def checked_timesteps(timesteps: Any) -> int:
    """Return the timesteps of an input, or raise `ContractError`."""
    return require_int(timesteps, "input timesteps", 1, MAX_TIMESTEPS)


def _checked_zero(zero: Any, channels: int) -> tuple[int, ...]:
    """Return the zero point of each channel."""
    if isinstance(zero, np.ndarray):
        zero = zero.tolist()
    if not isinstance(zero, (tuple, list)):
        return (require_int(zero, "the input's zero point", -MAX_ZERO, MAX_ZERO),) * channels
    if len(zero) != channels:
        raise ContractError(
            f"the input has {channels} channels but {len(zero)} zero points: give one for each, or "
            f"one integer for all"
        )
    return tuple(require_int(z, "the input's zero point", -MAX_ZERO, MAX_ZERO) for z in zero)


def _checked_highest(highest: Any) -> int:
    return require_int(highest, "the input's highest value", 1, (1 << MAX_INPUT_BITS) - 1)
