"""Values and defaults of the options that choose hardware, and names in files of designs.

They have a room of their own, so that the command line can use them without importing Amaranth.
"""

import re
from enum import StrEnum


class TimeMode(StrEnum):
    """Way in which neurons go through the timesteps of a constant current."""

    #: As a division where the loop would be the slowest part, else as a loop.
    AUTO = "auto"
    #: One timestep after another.
    LOOP = "loop"
    #: As one division, where the kind of neuron allows it.
    FOLD = "fold"


class MemoryMode(StrEnum):
    """Place of the contents of memories: weights, and parameters of neurons."""

    #: Beside the Verilog where they are large, else in it.
    AUTO = "auto"
    #: All in the Verilog.
    INLINE = "inline"
    #: All in files beside it.
    FILES = "files"


#: Number of values that each event generator searches in one clock cycle, unless chosen otherwise.
SLOTS = 8
#: Largest number of values in a word, and so of slots: selecting among more costs more logic than
#: it saves cycles.
MOST_WORD_VALUES = 64

#: Clock cycles by which the counters of an engine lag behind: they include those before the last
#: one, so that whoever stops to read them waits as long.
COUNTERS_LATENCY = 1

#: Module of a memory whose contents are in a file, in designs for a board.
ROM_MODULE = "spikeloom_rom"
#: Attribute of a memory none of whose words is ever read and written in the same cycle.
APART = "spikeloom_apart"
#: Name of a file with contents, which a sidecar may name: no part of a path but a name.
MEMORY_FILE = re.compile(r"[a-z][a-z0-9_]{0,127}\.mem")

__all__ = [
    "APART",
    "COUNTERS_LATENCY",
    "MEMORY_FILE",
    "MOST_WORD_VALUES",
    "ROM_MODULE",
    "SLOTS",
    "MemoryMode",
    "TimeMode",
]
