"""Sweeps: many trainings, each with other values, compared by accuracy, clock cycles and area.

:mod:`space` reads what is varied, by which :mod:`parameters` and for which :mod:`objectives`.
:mod:`study` stores trials in a database of Optuna's, and asks it for new ones; :mod:`run` is the
loop around it. A :mod:`trial` is a training by recipe and the measures of its :mod:`hardware`,
carried out by a :mod:`crew`: by processes of the module :mod:`worker`, or by a Dask :mod:`cluster`.
:mod:`front` writes the best.

Optuna and Dask come with ``spikeloom[sweep]``, and are imported only when they are used.
"""

from spikeloom.sw.sweep.crew import Crew, LocalCrew, Lost
from spikeloom.sw.sweep.objectives import OBJECTIVES, Objective
from spikeloom.sw.sweep.parameters import Choices, Span
from spikeloom.sw.sweep.run import Sweep, sweep
from spikeloom.sw.sweep.space import Space, load, space_of
from spikeloom.sw.sweep.study import Point, Study, require_optuna
from spikeloom.sw.sweep.trial import Answer, Task

__all__ = [
    "OBJECTIVES",
    "Answer",
    "Choices",
    "Crew",
    "LocalCrew",
    "Lost",
    "Objective",
    "Point",
    "Space",
    "Span",
    "Study",
    "Sweep",
    "Task",
    "load",
    "require_optuna",
    "space_of",
    "sweep",
]
