"""Configuration: a user's choices about the hardware. The plan derives everything else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spikeloom.hw.options import MOST_WORD_VALUES, SLOTS, MemoryMode, TimeMode
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Network
from spikeloom.sw.network.ranges import MAX_WIDTH

#: Largest number of lanes, of events, of units, of copies and of the budget.
_MOST = 1 << 16
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True)
class HardwareConfig:
    """A user's choices for one accelerator.

    Parameters
    ----------
    lanes : int, mapping of layer name to int, or None
        M, the number of output channels that a layer's engine computes at once. The planner chooses
        it for layers that are not named, and for all layers if None.
    events : int, mapping of layer name to int, or None
        E, the number of events that a layer's engine adds to every lane in one clock cycle; 1 for
        layers that are not named, and for all layers if None.
    slots : int, or mapping of layer name to int
        Number of values that each event generator searches for non-zero ones in one clock cycle,
        where a word holds as many. With eight, reading ahead keeps it busy if one value in eight is
        not zero; fewer take less logic and narrower memories. Layers that are not named have the
        default.
    units : int, mapping of layer name to int, or None
        U, the number of neuron units of a layer's engine. It divides M: each unit serves M / U
        lanes, one after another. Layers that are not named, and all layers if None, have as few as
        are fast enough. Neurons that take or send spikes, timestep by timestep, have one for each
        lane.
    budget : int
        Number of processing elements (the sum of M times E over all layers) that the planner may
        hand out. Every layer gets at least E, whatever the budget.
    time : TimeMode, or its value
        How neurons go through T timesteps of a constant current: one by one (``"loop"``), or, where
        their kind allows it, folded into a division (``"fold"``), which takes a logarithmic number
        of cycles and yields nothing but the count and the last potential. ``"auto"`` folds where
        the loop would be the slowest part.
    debug : bool
        Whether every layer has taps that show its spikes, potentials and sent values.
    counters : bool
        Whether every layer counts its cycles, events and waits.
    top : str
        Name of the top Verilog module.
    memories : MemoryMode, or its value
        Where generated Verilog has the contents of memories: in files beside it (``"files"``), in
        itself (``"inline"``), or in files if they are large (``"auto"``). The hardware is the same.
        Designs for a board have large ones in files, whatever stands here.
    planes : mapping of layer name to int, or None
        P, the number of bit planes per clock cycle. Each layer that is named is unrolled: its
        weights become logic, and it adds up windows by bit planes instead of events.
    copies : mapping of layer name to int, or None
        C, the number of copies of a layer's engine, each of which computes every C-th window of a
        row. Neurons are not copied. Layers that are not named have a single engine.
    compact : bool
        Whether engines are without the registers and queues that only serve pace and clock, as far
        as they can be: those with E = 1 and a single connection, which are not unrolled.

    Raises
    ------
    ConfigError
        If a number is not positive or too large, the time or the place of memories is unknown, or
        the name is not a Verilog identifier.
    """

    lanes: int | Mapping[str, int] | None = None
    events: int | Mapping[str, int] | None = None
    slots: int | Mapping[str, int] = SLOTS
    units: int | Mapping[str, int] | None = None
    budget: int = 64
    time: str = TimeMode.AUTO
    debug: bool = False
    counters: bool = False
    top: str = "spikeloom_accelerator"
    memories: str = MemoryMode.AUTO
    planes: Mapping[str, int] | None = None
    copies: Mapping[str, int] | None = None
    compact: bool = False

    def __post_init__(self) -> None:
        mosts = {"lanes": _MOST, "events": _MOST, "slots": MOST_WORD_VALUES, "units": _MOST}
        for what, most in mosts.items():
            choice = getattr(self, what)
            numbers = choice.values() if isinstance(choice, Mapping) else [choice]
            for number in numbers:
                if choice is not None or what == "slots":
                    _require_positive(number, what, most)
        if not isinstance(self.planes, Mapping | None):
            raise ConfigError(
                f"planes must be given by layer, as in conv1=2, not {self.planes!r} for all: "
                f"layers that are named are unrolled"
            )
        for number in (self.planes or {}).values():
            _require_positive(number, "planes", MAX_WIDTH)
        if not isinstance(self.copies, Mapping | None):
            raise ConfigError(
                f"copies must be given by layer, as in conv2=5, not {self.copies!r} for all: "
                f"layers of a single window cannot have several"
            )
        for number in (self.copies or {}).values():
            _require_positive(number, "copies")
        _require_positive(self.budget, "budget")
        if self.time not in tuple(TimeMode):
            raise ConfigError(f"time must be {', '.join(TimeMode)}, not {self.time!r}")
        object.__setattr__(self, "time", TimeMode(self.time))
        if self.memories not in tuple(MemoryMode):
            raise ConfigError(f"memories must be {', '.join(MemoryMode)}, not {self.memories!r}")
        object.__setattr__(self, "memories", MemoryMode(self.memories))
        if not isinstance(self.top, str) or not _MODULE.fullmatch(self.top):
            raise ConfigError(f"top must be a Verilog module name, not {self.top!r}")

    def chosen(self, what: str, network: Network) -> dict[str, int]:
        """Return the user's choice of lanes, events, slots, units, planes or copies, by layer.

        Layers that it does not cover are left out.

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
            # A number for all layers is not meant for those that are unrolled.
            return dict.fromkeys((x for x in names if x not in (self.planes or {})), choice)
        unknown = sorted(str(name) for name in choice.keys() - set(names))
        if unknown:
            raise ConfigError(
                f"{what} are given for {', '.join(unknown)}, but the network's layers are "
                f"{', '.join(names)}"
            )
        return dict(choice)


def _require_positive(number: object, what: str, most: int = _MOST) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
        raise ConfigError(f"{what} must be a whole number from 1 to {most}, not {number!r}")
