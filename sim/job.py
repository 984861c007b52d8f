"""What Spikeloom and the simulator's process tell each other, as small files in one folder.

The simulator runs in the folder. It finds ``job.json`` and ``pixels.bin`` there, keeps
``progress.json`` up to date, and leaves ``outcome.json``, ``logits.bin`` and, in a debug build, two
records files for each layer. The binary files hold little-endian 32-bit words; pixels have 16 bits.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from spikeloom.sw.files import write_text

PIXELS = "pixels.bin"
LOGITS = "logits.bin"

#: Counters of each layer, in the order of the report.
COUNTERS = ("cycles", "events", "starved", "blocked")


def steps_file(layer: str) -> str:
    """Return the name of the file with a layer's spikes and potentials, a record per timestep."""
    return f"{layer}.steps.bin"


def sent_file(layer: str) -> str:
    """Return the name of the file with what a layer passes on, a record per transfer."""
    return f"{layer}.sent.bin"


class _JsonFile:
    """A dataclass that lives in a JSON file of its own name."""

    @classmethod
    def _path(cls, folder: Path) -> Path:
        return folder / f"{cls.__name__.lower()}.json"

    def save(self, folder: Path) -> None:
        """Write the values to their file in ``folder``, whole or not at all."""
        content = json.dumps(dataclasses.asdict(self))  # type: ignore[call-overload]
        write_text(self._path(folder), content)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Return the values in ``folder``, or None if they were never written."""
        try:
            return cls(**json.loads(cls._path(folder).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None


@dataclass(frozen=True)
class Job(_JsonFile):
    """What to simulate.

    Parameters
    ----------
    images, pixels, logits : int
        Number of images; pixels and logits of one image.
    input_stall, output_stall : float
        Probability that the input has no pixel, and that the output is not ready, in a cycle.
    seed : int
        Of the stalls.
    patience : int
        Clock cycles without any progress after which the simulation is given up.
    debug, counters : bool
        Whether the design has taps and counters.
    layers : list of str
        Names, in order.
    """

    images: int
    pixels: int
    logits: int
    input_stall: float
    output_stall: float
    seed: int
    patience: int
    debug: bool
    counters: bool
    layers: list[str]


@dataclass(frozen=True)
class Progress(_JsonFile):
    """How far the simulation is: images finished, and clock cycles."""

    images: int
    cycles: int


@dataclass(frozen=True)
class Outcome(_JsonFile):
    """How the simulation ended.

    Parameters
    ----------
    cycles : int
        From the end of reset to the last logit.
    broken : int
        Clock cycles in which the output stream took back or changed a logit that was waiting.
    counters : dict
        Counters of every layer at that time, by layer and name; empty in a build without.
    stuck : str or None
        If nothing moved any more: since when, and what was waited for.
    """

    cycles: int
    broken: int
    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    stuck: str | None = None
