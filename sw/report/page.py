"""The page: all sections in one HTML file, which loads nothing from anywhere else."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from bokeh.core.types import ID
from bokeh.embed import json_item
from bokeh.resources import Resources
from markupsafe import Markup

from spikeloom.sw.report import of_hardware, of_network, of_sweep
from spikeloom.sw.report.beside import beside
from spikeloom.sw.report.parts import Chart
from spikeloom.sw.report.run import Json, Run
from spikeloom.sw.report.section import Section

#: Version of the JSON in the page, which grows if a key is renamed or removed.
VERSION = 1
#: Order of the sections; others follow.
ORDER = (
    *("sweep", "network", "accuracy", "layers", "spikes", "cycles", "timeline", "area", "clock"),
    *("energy", "proof"),
)
#: Modules whose import makes the sections known.
_MODULES = (of_network, of_hardware, of_sweep)
_FOLDER = Path(__file__).parent


def content(runs: Sequence[Run]) -> Json:
    """Return the JSON that the page holds."""
    return {
        "format": "spikeloom-report",
        "version": VERSION,
        "spikeloom": version("spikeloom"),
        "runs": [run.content() for run in runs],
    }


def page(runs: Sequence[Run]) -> str:
    """Return the page of one run, or of two beside each other."""
    charts: dict[str, Any] = {}

    def chart(part: Chart) -> str:
        """Return the name of a chart's place, and keep the chart for it."""
        name = f"chart{len(charts)}"
        charts[name] = json_item(part.model, ID(name))
        return name

    first = [ORDER.index(kind) if kind in ORDER else len(ORDER) for kind in Section.kinds]
    kinds = [
        kind
        for _, kind in sorted(zip(first, Section.kinds.values(), strict=True), key=lambda x: x[0])
    ]
    sections = []
    for kind in kinds:
        section = kind()
        parts = [section.parts(run, number) for number, run in enumerate(runs)]
        if any(parts):
            sections.append((section, parts))
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(_FOLDER),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Charts get their places while the template is filled, and stand at its end.
    text = environment.get_template("page.html").render(
        runs=runs,
        sections=sections,
        beside=beside(runs),
        chart=chart,
        charts=lambda: _script(charts),
        content=_script(content(runs)),
        library=_library(),
        style=_own("page.css"),
        program=_own("page.js"),
        version=version("spikeloom"),
    )
    # JSON can name halves of letters, which no file holds.
    return text.encode("utf-8", "replace").decode()


def _own(name: str) -> Markup:
    return Markup((_FOLDER / name).read_text(encoding="utf-8"))


def _library() -> Markup:
    """Return Bokeh's own program, without those parts that no chart here needs."""
    raw = Resources(mode="inline", components=["bokeh"]).js_raw
    # The last line sets how much it tells on the console, and tells of that; page.js does so, too.
    text = "\n".join(part for part in raw if not part.startswith("Bokeh.set_log_level"))
    if "</script" in text.lower():
        warnings.warn("this Bokeh holds the end of a script element", stacklevel=2)
        text = text.replace("</script", "<\\/script")
    return Markup(text)


def _script(value: Any) -> Markup:
    """Return JSON that can stand in a script element, whatever its texts hold."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)
