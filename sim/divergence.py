"""Numbers of values compared, and a difference between hardware and golden model in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Tally:
    """Number of values compared, and of those that differ.

    Missing and surplus values count as compared and differing.
    """

    compared: int = 0
    differing: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.compared + other.compared, self.differing + other.differing)


@dataclass(frozen=True)
class Divergence:
    """A value that differs between hardware and golden model.

    Parameters
    ----------
    image : int
        Index of the image.
    layer : str
        Name of the layer.
    quantity : str
        ``"spikes"``, ``"potentials"``, ``"counts"``, ``"sent"`` (spikes, or counts of folded time,
        passed on), ``"logits"``, or one of the output stream: ``"output logits"``,
        ``"output last"``.
    neuron : tuple of int
        (channel, row, column), or (feature,) in a layer without rows.
    timestep : int or None
        None for a quantity that has no timesteps.
    expected, got : int or None
        The golden model's value, None if it has none here, and the hardware's value, None if it
        never came.
    """

    image: int
    layer: str
    quantity: str
    neuron: tuple[int, ...]
    timestep: int | None
    expected: int | None
    got: int | None

    def __str__(self) -> str:
        """Return the difference in words, without a full stop."""
        axes = "(channel, y, x)" if len(self.neuron) == 3 else "(feature)"
        at = ", ".join(map(str, self.neuron))
        step = "" if self.timestep is None else f", timestep {self.timestep}"
        if self.expected is None:
            found = f"the golden model has no further value here, got {self.got}"
        else:
            got = "none came" if self.got is None else f"got {self.got}"
            found = f"expected {self.expected}, {got}"
        return (
            f"image {self.image}, layer {self.layer}{step}, neuron {axes} = ({at}), "
            f"{self.quantity}: {found}"
        )


@dataclass(frozen=True)
class Score:
    """Result of comparing one layer, or the output stream.

    Parameters
    ----------
    tallies : mapping of str to Tally
        Values compared and differing, by quantity.
    divergence : Divergence or None
        The first difference in time.
    """

    tallies: Mapping[str, Tally]
    divergence: Divergence | None
