"""Images in, labels out: by the golden model, by simulated hardware, or by a board.

:mod:`targets` has the one call for all of them, :func:`run`, which returns an :class:`Inference` of
:mod:`result`. A board is driven by :mod:`driver`, through ``spikeloom.sw.link``; :mod:`contents`
describes the network and the values that it should hold.
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
