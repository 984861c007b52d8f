"""The documentation site: Sphinx's settings for the pages in ``docs``, as they are.

``make docs`` calls Sphinx with the whole checkout as its source folder, so that links between
pages, README and CHANGELOG mean the same here and where the code is hosted. Navigation is in
``docs/site/index.md``; every page must be in it, and Sphinx's warnings are errors.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "Spikeloom"
author = copyright = _PROJECT["authors"][0]["name"]
version = release = _PROJECT["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/site/index"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**.md"]
templates_path = ["templates"]
exclude_patterns = ["docs/results/**"]

# Links to headings, with the names that code hosting gives them.
myst_heading_anchors = 4
# Blocks that name no language are shells and what they print.
highlight_language = "none"

# Code is documented where a room exports it, in the order in which the room lists it.
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_ivar = True
# The "channels" of a shape is a dimension, and none of the attributes of that name.
suppress_warnings = ["ref.python"]

html_theme = "furo"
html_title = f"Spikeloom {version}"
html_extra_path = ["files"]
# As the theme has it, with the version, and other versions where there are any, below the contents.
html_sidebars = {
    "**": [
        *("sidebar/brand.html", "sidebar/search.html", "sidebar/scroll-start.html"),
        *("sidebar/navigation.html", "sidebar/versions.html", "sidebar/scroll-end.html"),
    ]
}
html_copy_source = False
html_show_sphinx = False

# The star of a shape such as (N, *shape), which would begin emphasis.
_STAR = re.compile(r"(?<=[(\s])\*(?=[\w. ]+[,)])")
_LINK = re.compile(r"(?<=\]\()(?!https?:|#)(?P<path>[^)#\s]+)(?=\))")


def hosted(app: Sphinx, page: str, source: list[str]) -> None:
    """Lead links to folders and to files that are no pages to where the code is hosted."""
    folder = (ROOT / page).parent

    def there(link: re.Match[str]) -> str:
        path = (folder / link["path"]).resolve()
        if path.suffix in (".md", ".png", ".svg") or not path.exists():
            return link[0]
        return f"{_PROJECT['urls']['Homepage']}/blob/main/{path.relative_to(ROOT)}"

    source[0] = _LINK.sub(there, source[0])


def starred(
    app: Sphinx, kind: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Keep the stars of shapes in docstrings."""
    lines[:] = [x if "``" in x else _STAR.sub(r"\\*", x) for x in lines]


def setup(app: Sphinx) -> None:
    """Attach what this file defines to Sphinx."""
    app.connect("source-read", hosted)
    # Before napoleon, which has 500.
    app.connect("autodoc-process-docstring", starred, priority=400)
