"""The neurons of the contract's section 5, written in Amaranth for a solver.

No expression here is shared with the units. Every parameter is a free constant, bounded by the
smallest and the largest value among a layer's channels.

:mod:`base` has the :class:`Specification`, and the kinds are in :mod:`threshold`, :mod:`signed`,
:mod:`ladder` and :mod:`logits`.
"""

from formal.specifications.base import Specification, State, free, free_within
from formal.specifications.ladder import LadderSpecification
from formal.specifications.logits import LogitsSpecification
from formal.specifications.signed import SignedSpecification
from formal.specifications.threshold import (
    BurstSpecification,
    CubaSpecification,
    DualSpecification,
    IfSpecification,
)

__all__ = [
    "BurstSpecification",
    "CubaSpecification",
    "DualSpecification",
    "IfSpecification",
    "LadderSpecification",
    "LogitsSpecification",
    "SignedSpecification",
    "Specification",
    "State",
    "free",
    "free_within",
]
