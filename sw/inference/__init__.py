"""Images in, labels out: by the golden model, by simulated hardware, or by a board.

:mod:`targets` has the one call for all of them, :func:`run`. A board's images go through
:mod:`contents`, which says what the board should hold, and :mod:`driver`, which talks to it by
``spikeloom.sw.link``; :mod:`result` is what comes back.
"""

from spikeloom.sw.inference.contents import Contents, RecordLayout
from spikeloom.sw.inference.driver import BoardDriver
from spikeloom.sw.inference.result import Inference, Progress
from spikeloom.sw.inference.targets import (
    BoardTarget,
    GoldenTarget,
    SimTarget,
    Target,
    read,
    run,
)

__all__ = [
    "BoardDriver",
    "BoardTarget",
    "Contents",
    "GoldenTarget",
    "Inference",
    "Progress",
    "RecordLayout",
    "SimTarget",
    "Target",
    "read",
    "run",
]
