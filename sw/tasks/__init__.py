"""Tasks: the meaning of a model's outputs, and of the targets that it is trained with.

:mod:`task` has a class for each: one class of several, several labels at once, and real values.
:mod:`report` has the figures by which each is judged.
"""

from spikeloom.sw.tasks.task import (
    CLASSES,
    LABELS,
    VALUES,
    Classes,
    Labels,
    Task,
    Values,
    name_of_network,
    of_network,
    require_task,
)

__all__ = [
    "CLASSES",
    "LABELS",
    "VALUES",
    "Classes",
    "Labels",
    "Task",
    "Values",
    "name_of_network",
    "of_network",
    "require_task",
]
