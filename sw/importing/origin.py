"""A toolkit that writes NIR: the base of all, found by name, and what several of them need."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from spikeloom.sw.importing.graph import IF, Graph
from spikeloom.sw.importing.rules import Rule
from spikeloom.sw.registry import Registered

#: Length of a timestep in seconds that most exporters assume.
DT = 1e-4


class Origin(Registered, ABC):
    """A toolkit, found by its name.

    Attributes
    ----------
    resets : tuple of str
        Resets that its neurons can have; the option settles it if there are several.
    dt : float or None
        Length of a timestep that its exporter takes unless it is told another; None if the file's
        numbers are no seconds.
    """

    kinds: ClassVar[dict[str, type[Origin]]] = {}
    name_attribute = "name"
    name: ClassVar[str]
    resets: ClassVar[tuple[str, ...]]
    dt: ClassVar[float | None] = DT

    @abstractmethod
    def signs(self, graph: Graph) -> str | None:
        """Return what in a graph looks like this toolkit; None if it cannot be from it."""

    def said_of_dt(self, graph: Graph) -> str:
        """Return the dt that is assumed where none was given, with the reason."""
        return f"{self.dt:g} s: the exporter's default"

    @abstractmethod
    def rule(self, node: IF, where: str, dt: float | None, reset: str) -> Rule:
        """Return the rule of a node.

        Parameters
        ----------
        node : IF
            Or of a class below.
        where : str
            Name of the node in messages.
        dt : float or None
            Length of a timestep as the user gave it.
        reset : {"subtract", "hard"}
        """
