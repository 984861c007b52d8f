"""Values and defaults of the options that choose hardware.

They have a room of their own, so that the command line can list them without importing Amaranth.
"""

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

__all__ = ["MOST_WORD_VALUES", "SLOTS", "MemoryMode", "TimeMode"]
