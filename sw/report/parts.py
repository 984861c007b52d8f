"""Parts that the sections of a report are made of; the page's template knows how each is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from markupsafe import Markup


class Share(float):
    """A number from 0 to 1 that is shown in percent, among others that are not."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    title : str
    form : str
        ``"text"``, ``"number"``, or ``"share"``, a number from 0 to 1 that is shown in percent.
    """

    title: str
    form: str = "number"

    def text(self, value: Any) -> str:
        """Return a value as it is shown."""
        if value is None:
            return "-"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, Share) or (self.form == "share" and isinstance(value, int | float)):
            return f"{value:.2%}".replace("%", " %")
        if isinstance(value, int):
            return f"{value:,}"
        if isinstance(value, float):
            return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"
        return str(value)


@dataclass(frozen=True)
class Table:
    """A table that can be sorted by each of its columns.

    Parameters
    ----------
    caption : str
    columns : sequence of Column
    rows : sequence of sequence
        JSON values.
    layers : bool
        Whether the first column has names of layers, which open their figures.
    marked : str, optional
        Value of the first column in the row that is marked.
    mark : str
        What the mark says, behind that value.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    layers: bool = False
    marked: str | None = None
    mark: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart.

    Parameters
    ----------
    title : str
    about : str
        What it shows, in a sentence, for those who do not see it.
    model : object
        Bokeh's model.
    """

    kind: ClassVar[str] = "chart"
    title: str
    about: str
    model: Any


@dataclass(frozen=True)
class Drawing:
    """A drawing that is part of the page: SVG."""

    kind: ClassVar[str] = "drawing"
    svg: Markup


@dataclass(frozen=True)
class Picture:
    """A small picture, enlarged."""

    kind: ClassVar[str] = "picture"
    source: str
    about: str


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    kind: ClassVar[str] = "note"
    text: str


@dataclass(frozen=True)
class Fold:
    """Parts that are shown when they are asked for."""

    kind: ClassVar[str] = "fold"
    title: str
    parts: Sequence[Any] = field(default_factory=tuple)
    open: bool = False
