"""Inputs of the contract: the values that enter a network, and their coding in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network.connections import Shape
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import Record, require_int

#: Name by which connections refer to the network's input.
INPUT = "input"

MAX_TIMESTEPS = 1 << 12
MAX_INPUT_BITS = 16


class Input(Record):
    """The values that enter a network, and their coding in time."""

    kinds: ClassVar[dict[str, type[Input]]] = {}
    shape: Shape

    @property
    def steps(self) -> int | None:
        """Timesteps of the time axis; None for an input that is constant over time."""
        return None

    @property
    def image_shape(self) -> Shape:
        """Shape of one image: ``(timesteps, *shape)``, or ``shape`` without a time axis."""
        return self.shape if self.steps is None else (self.steps, *self.shape)

    def values(self) -> Range:
        """Return the range of one input value; with a time axis, that of one timestep."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class DirectInput(Input, kind="direct"):
    """Unsigned pixels, constant over time; connections carry each pixel as a count.

    Parameters
    ----------
    shape : tuple of int
        (channels, height, width) or (features,).
    bits : int
        Pixels are 0 to 2^bits - 1; 1 to 16 bits.
    """

    shape: Shape
    bits: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _checked_shape(self.shape))
        object.__setattr__(self, "bits", require_int(self.bits, "input bits", 1, MAX_INPUT_BITS))

    def values(self) -> Range:
        return Range(0, (1 << self.bits) - 1)


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
        object.__setattr__(self, "shape", _checked_shape(self.shape))
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
        object.__setattr__(self, "shape", _checked_shape(self.shape))
        steps = require_int(self.timesteps, "input timesteps", 1, MAX_TIMESTEPS)
        object.__setattr__(self, "timesteps", steps)
        object.__setattr__(self, "highest", _checked_highest(self.highest))

    @property
    def steps(self) -> int | None:
        return self.timesteps

    def values(self) -> Range:
        return Range(0, self.highest)


def _checked_shape(shape: Any) -> Shape:
    if not isinstance(shape, (tuple, list)) or len(shape) not in (1, 3):
        raise ContractError(
            f"input shape must be (channels, height, width) or (features,), not {shape!r}"
        )
    return tuple(require_int(n, "input shape", 1, 1 << 20) for n in shape)


def _checked_highest(highest: Any) -> int:
    return require_int(highest, "the input's highest value", 1, (1 << MAX_INPUT_BITS) - 1)
