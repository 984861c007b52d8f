"""Search for the best hardware of a network within a budget.

:mod:`search` finds the plan that reaches a goal with the least hardware, among the :mod:`states`,
which are choices of lanes, events and slots of every layer. :mod:`engines` has the choices of each
layer, and :mod:`load` their clock cycles by the events of sample images; :mod:`densities` has
values in place of images. :mod:`budget` is the room that there is, and estimates what a plan takes
of it.
"""

from spikeloom.hw.search.budget import Amounts, Budget
from spikeloom.hw.search.densities import COUNTS, PIXELS, SPIKES, typical
from spikeloom.hw.search.search import Found, GoalError, NoRoomError, Search

__all__ = [
    "COUNTS",
    "PIXELS",
    "SPIKES",
    "Amounts",
    "Budget",
    "Found",
    "GoalError",
    "NoRoomError",
    "Search",
    "typical",
]
