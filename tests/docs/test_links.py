"""Links of all pages lead to files and headings that exist; addresses are well formed."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    if not path.is_relative_to(DOCS / "results")
)
#: Pages of the site that are for its navigation alone.
SITE = DOCS / "site"

_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+(?:\([^()]*\)[^()\s]*)?)\)")


def prose(path: Path) -> str:
    """Return a page without its blocks of code."""
    return _FENCED.sub("", path.read_text(encoding="utf-8"))


def links(path: Path) -> list[tuple[bool, str, str]]:
    """Return whether it is a picture, the text and the target of each link on a page."""
    # Code between backticks is no link, unless it is a link's text.
    text = re.sub(r"(?<!\[)`[^`\n]*\]\([^`\n]*`", "", prose(path))
    return [(bool(picture), label, target) for picture, label, target in _LINK.findall(text)]


def anchors(path: Path) -> set[str]:
    """Return the names of a page's headings, as where the code is hosted and on the site."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.*?)$", prose(path), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        number = 0
        while (unique := f"{name}-{number}" if number else name) in found:
            number += 1
        found.add(unique)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for picture, text, target in links(page):
        if picture:
            assert text, f"{target} has no description for those who cannot see it"
        address = urlsplit(target)
        if address.scheme:
            good = address.scheme in ("https", "http") and "." in address.netloc
            good = good and not re.search(r"[\s<>\"{}|\\^`]", target)
        else:
            path = (page.parent / address.path).resolve() if address.path else page
            good = path.exists() and path.is_relative_to(ROOT)
            if good and address.fragment and path.suffix == ".md":
                good = address.fragment in anchors(path)
        if not good:
            broken.append(target)
    assert broken == []


def test_there_are_links_to_check() -> None:
    targets = [target for page in PAGES for _, _, target in links(page)]
    assert len(targets) > 400
    assert sum("#" in target for target in targets) > 100
    assert sum(target.startswith("https://") for target in targets) > 5
    assert "how-long-it-takes" in anchors(DOCS / "hardware.md")


def test_every_page_is_in_the_navigation() -> None:
    index = (SITE / "index.md").read_text(encoding="utf-8")
    trees = "\n".join(re.findall(r"^```\{toctree\}(.*?)^```$", index, re.DOTALL | re.MULTILINE))
    entries = re.findall(r"^(?:.*<)?([./\w-]+)>?$", trees, re.MULTILINE)
    named = {(SITE / f"{entry}.md").resolve() for entry in entries}
    # The reference of the Python interface has an index of its own.
    expected = {path for path in PAGES if not path.is_relative_to(SITE)}
    assert expected - named == set()
    assert named - expected == {SITE / "api/index.md"}
