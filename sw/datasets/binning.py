"""Time bins for the events of a recording."""

from __future__ import annotations

from dataclasses import dataclass

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Input


@dataclass(frozen=True)
class Binning:
    """Time bins in which the events of a recording are counted.

    Parameters
    ----------
    timesteps : int
        Number of equally long time bins.
    highest : int
        Largest count of a pixel and polarity in one bin; a bin with more events has this count. A
        pixel's sum over all bins must fit 8 bits: ``timesteps * highest`` is at most 255.
    """

    timesteps: int = 8
    highest: int = 1

    def __post_init__(self) -> None:
        if self.timesteps < 1 or self.highest < 1 or self.timesteps * self.highest > 255:
            raise ConfigError(
                f"events can be put into bins whose sum is at most 255, not {self.timesteps} bins "
                f"of up to {self.highest}: take fewer timesteps or a smaller highest value"
            )

    @staticmethod
    def of(source: Input) -> Binning | None:
        """Return the binning for a network's input; None if the input has no time axis."""
        return None if source.steps is None else Binning(source.steps, source.values().high)
