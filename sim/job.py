"""Files by which Spikeloom and the simulator's process communicate.

All are in the folder that the simulator runs in. It reads ``pixels.bin``, and writes ``logits.bin``
and, for a design with debug taps, two files of records for each layer. The cocotb testbench also
reads ``job.json``, keeps ``progress.json`` up to date and writes ``outcome.json``. Binary files are
little-endian: 16-bit words in ``pixels.bin``, 32-bit words in the others.
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

#: Exit status of a simulator that cannot write its records.
WRITE_FAILED = 74

#: Names of each layer's counters, in the order of the report.
COUNTERS = ("cycles", "events", "starved", "blocked")


def steps_file(layer: str) -> str:
    """Return the name of the file that records a layer's ``step`` tap."""
    return f"{layer}.steps.bin"


def sent_file(layer: str) -> str:
    """Return the name of the file that records a layer's ``sent`` tap."""
    return f"{layer}.sent.bin"


class _JsonFile:
    """Base of a dataclass that is stored in a JSON file with the name of the class."""

    @classmethod
    def _path(cls, folder: Path) -> Path:
        return folder / f"{cls.__name__.lower()}.json"

    def save(self, folder: Path) -> None:
        """Write the object to its file in ``folder``, whole or not at all."""
        content = json.dumps(dataclasses.asdict(self))  # type: ignore[call-overload]
        write_text(self._path(folder), content)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Return the object that ``folder`` holds, or None if there is no such file."""
        try:
            return cls(**json.loads(cls._path(folder).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None


@dataclass(frozen=True)
class Job(_JsonFile):
    """The simulation to run.

    Parameters
    ----------
    images, pixels, logits : int
        Number of images, and of the pixels and logits of one image.
    input_stall, output_stall : float
        Probability that in a clock cycle the input has no pixel, and that the output is not ready.
    seed : int
        Seed of the random stalls.
    stuck_after : int
        Clock cycles without any progress after which the hardware counts as stuck.
    debug, counters : bool
        Whether the design has debug taps, and counters.
    layers : list of str
        Names of the layers, in order.
    first : int
        Index of the first image, for messages.
    """

    images: int
    pixels: int
    logits: int
    input_stall: float
    output_stall: float
    seed: int
    stuck_after: int
    debug: bool
    counters: bool
    layers: list[str]
    first: int = 0


@dataclass(frozen=True)
class Progress(_JsonFile):
    """Progress of the running simulation.

    Parameters
    ----------
    images : int
        Images whose logits have all come.
    cycles : int
        Clock cycles since the end of reset.
    """

    images: int
    cycles: int


@dataclass(frozen=True)
class Outcome(_JsonFile):
    """Result of a finished simulation.

    Parameters
    ----------
    cycles : int
        Clock cycles from the end of reset to the last logit.
    broken : int
        Clock cycles in which the output stream took back or changed a logit that was waiting.
    counters : dict
        Counters at the last logit, by layer and name; empty for a design without counters.
    stuck : str or None
        If the hardware got stuck, a sentence that says when, and what it did not deliver or take.
    """

    cycles: int
    broken: int
    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    stuck: str | None = None
