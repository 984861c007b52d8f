"""Plans that a search has found, and the errors of one that finds none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spikeloom.hw.planning import Plan
from spikeloom.hw.prediction import Prediction
from spikeloom.hw.search.budget import Amounts
from spikeloom.hw.search.engines import State
from spikeloom.hw.search.menu import EngineCost
from spikeloom.sw.errors import ConfigError


class NoRoomError(ConfigError):
    """A budget has no room for the smallest design of a network.

    Attributes
    ----------
    smallest : Plan
        The plan of that design.
    """

    def __init__(self, message: str, smallest: Plan) -> None:
        super().__init__(message)
        self.smallest = smallest


class GoalError(ConfigError):
    """No plan that fits reaches a goal.

    Attributes
    ----------
    best : Found
        The fastest that fits.
    """

    def __init__(self, message: str, best: Found) -> None:
        super().__init__(message)
        self.best = best


@dataclass(frozen=True, eq=False)
class Found:
    """A plan that a search has found.

    Parameters
    ----------
    plan : Plan
    state : mapping of str to Choice
        Its choices by layer.
    prediction : Prediction
        Its exact clock cycles, for the images of the search.
    amounts : Amounts
        Resources of the whole design.
    layers : mapping of str to EngineCost
        Estimates by layer.
    """

    plan: Plan
    state: State
    prediction: Prediction
    amounts: Amounts
    layers: Mapping[str, EngineCost]

    @property
    def cycles(self) -> float:
        """Clock cycles from image to image."""
        return interval(self.prediction)

    @property
    def bottleneck(self) -> str:
        """Name of the slowest layer."""
        return self.prediction.slowest.name


def interval(prediction: Prediction) -> float:
    """Return the clock cycles from image to image."""
    assert prediction.interval is not None, "a search has two images at least"
    return prediction.interval
