"""Search for the best hardware of a network within a budget.

:mod:`search` finds the plan that reaches a goal with the least hardware, among the :mod:`states`,
which are choices of lanes, events and slots of every layer, and :mod:`found` is what it returns.
:mod:`engines` has the :mod:`menu` of each layer, from which the cheapest choice is taken, and
:mod:`load` the clock cycles of each choice by the events of sample images; :mod:`densities` has
values in place of images. :mod:`waits` estimates how engines wait for rows, and :mod:`exchanges`
are states in which one layer gives room to another. :mod:`budget` is the room that there is, and
estimates what a plan takes of it.
"""

from spikeloom.hw.search.budget import Amounts, Budget
from spikeloom.hw.search.densities import COUNTS, PIXELS, SPIKES, typical
from spikeloom.hw.search.found import Found, GoalError, NoRoomError
from spikeloom.hw.search.search import Search

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
