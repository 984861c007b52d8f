"""What a user chooses about the hardware; :mod:`spikeloom.hw.planning` derives everything else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Network


class TimeMode(StrEnum):
    """How neurons go through the timesteps of a constant current."""

    #: As division where the loop would be the slowest part, else as loop.
    AUTO = "auto"
    #: One timestep after the other.
    LOOP = "loop"
    #: As one division, where the kind of neuron allows it.
    FOLD = "fold"


TIMES = tuple(TimeMode)
#: Most values of a word, and so most slots: selecting among more costs more logic than it saves
#: cycles.
MOST_WORD_VALUES = 64

_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True)
class HardwareConfig:
    """A user's choices for one accelerator.

    Parameters
    ----------
    lanes : int, mapping of layer name to int, or None
        M, output channels that a layer's engine computes at once. Layers that are not named, and
        all layers for None, are chosen by the planner.
    events : int, mapping of layer name to int, or None
        E, events that a layer's engine adds to every lane in one clock cycle.
    slots : int
        Values that each bank searches for non-zeros in one clock cycle, where a word holds as many.
        With eight, reading ahead keeps a bank busy if one value in eight is not zero; fewer take
        less logic and narrower memories.
    budget : int
        Processing elements (the sum of M times E over all layers) that the planner may hand out;
        every layer gets at least E, whatever the budget.
    time : TimeMode, or its value
        How neurons go through T timesteps of a constant current: one by one, or folded into a
        division where their kind allows it, which takes a logarithmic number of cycles and shows
        nothing but the count and the last potential; ``"auto"`` folds where the loop would be the
        slowest part.
    debug : bool
        Whether every layer gets taps that show its spikes, potentials and sent values.
    counters : bool
        Whether every layer counts its cycles, events and waits.
    top : str
        Name of the top Verilog module.

    Raises
    ------
    ConfigError
        If a number is not positive or the name is no Verilog identifier.
    """

    lanes: int | Mapping[str, int] | None = None
    events: int | Mapping[str, int] | None = None
    slots: int = 8
    budget: int = 64
    time: str = TimeMode.AUTO
    debug: bool = False
    counters: bool = False
    top: str = "spikeloom_accelerator"

    def __post_init__(self) -> None:
        for what, choice in (("lanes", self.lanes), ("events", self.events)):
            numbers = choice.values() if isinstance(choice, Mapping) else [choice]
            for number in numbers:
                if choice is not None:
                    _require_positive(number, what)
        _require_positive(self.budget, "budget")
        _require_positive(self.slots, "slots", MOST_WORD_VALUES)
        if self.time not in TIMES:
            raise ConfigError(f"time must be {', '.join(TIMES)}, not {self.time!r}")
        object.__setattr__(self, "time", TimeMode(self.time))
        if not isinstance(self.top, str) or not _MODULE.fullmatch(self.top):
            raise ConfigError(f"top must be a Verilog module name, not {self.top!r}")

    def chosen(self, what: str, network: Network) -> dict[str, int]:
        """Return the user's choice of ``"lanes"`` or ``"events"`` for the layers it covers.

        Raises
        ------
        ConfigError
            If a layer is named that the network does not have.
        """
        choice = getattr(self, what)
        if choice is None:
            return {}
        names = [layer.name for layer in network.layers]
        if not isinstance(choice, Mapping):
            return dict.fromkeys(names, choice)
        unknown = sorted(str(name) for name in choice.keys() - set(names))
        if unknown:
            raise ConfigError(
                f"{what} are given for {', '.join(unknown)}, but the network's layers are "
                f"{', '.join(names)}"
            )
        return dict(choice)


def _require_positive(number: object, what: str, most: int = 1 << 16) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
        raise ConfigError(f"{what} must be a whole number from 1 to {most}, not {number!r}")
