"""Sections of a report, one class for each; a section without data for it is left out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from spikeloom.sw.registry import Registered
from spikeloom.sw.report.run import Run


class Section(Registered):
    """A section: what it shows of a run.

    A section of another package joins those that come with Spikeloom when its module is imported.

    Attributes
    ----------
    kind : str
        Name in links.
    title, about : str
        Heading, and a sentence on what is shown.
    """

    kinds: ClassVar[dict[str, type[Section]]] = {}
    kind: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]

    @abstractmethod
    def parts(self, run: Run, number: int) -> list[Any]:
        """Return what is shown of a run, in order; nothing where there are no data.

        Parameters
        ----------
        run : Run
        number : int
            Number of the run on the page.

        Returns
        -------
        list
            Of parts from :mod:`spikeloom.sw.report.parts`.
        """
