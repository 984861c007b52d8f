"""The site that ``make docs`` has built: it needs no network, and all its links lead somewhere."""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
HTML = ROOT / "build/docs/html"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: Attributes by which a browser fetches something to show the page.
FETCHED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src")}


class Page(HTMLParser):
    """What a page refers to, and the names in it that can be referred to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.fetched: set[str] = set()
        self.links: set[str] = set()
        self.names: set[str] = set()
        self.title = ""
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.names.add(value)
            elif (tag, name) in FETCHED and value:
                self.fetched.add(value)
            elif (tag, name) == ("a", "href") and value:
                self.links.add(value)


@cache
def page(path: Path) -> Page:
    return Page(path)


def pages() -> list[Path]:
    assert (HTML / "index.html").exists(), "make docs builds the site and then runs this"
    return sorted(path for path in HTML.rglob("*.html") if "_static" not in path.parts)


def test_nothing_is_fetched_from_elsewhere() -> None:
    for path in pages():
        foreign = [
            url
            for url in page(path).fetched
            if urlsplit(url).scheme not in ("", "data") or urlsplit(url).netloc
        ]
        assert foreign == [], path


def test_all_links_within_the_site_lead_to_a_page_and_a_place_on_it() -> None:
    broken, followed = [], 0
    for path in pages():
        for link in page(path).links | page(path).fetched:
            address = urlsplit(link)
            # The list of other versions is there once a site is published.
            if address.scheme or address.netloc or link.endswith("../versions.js"):
                continue
            followed += 1
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            place = unquote(address.fragment)
            if not target.is_file() or (
                place and target.suffix == ".html" and place not in page(target).names
            ):
                broken.append(f"{path.relative_to(HTML)}: {link}")
    assert broken == []
    assert followed > 1000


def test_links_to_other_sites_are_well_formed_and_code_is_where_it_is_hosted() -> None:
    home = f"{PROJECT['urls']['Homepage']}/blob/main/"
    code = 0
    for path in pages():
        for link in page(path).links:
            address = urlsplit(link)
            if address.scheme in ("", "mailto"):
                continue
            assert address.scheme in ("https", "http"), link
            assert re.fullmatch(r"[\w.-]+\.\w+(:\d+)?", address.netloc), link
            if link.startswith(home):
                code += 1
                assert (ROOT / unquote(urlsplit(link).path.split("/blob/main/")[1])).exists(), link
    assert code > 10


def test_the_search_has_its_index_beside_it() -> None:
    text = (HTML / "searchindex.js").read_text(encoding="utf-8")
    match = re.fullmatch(r"Search\.setIndex\((\{.*\})\)\s*", text, re.DOTALL)
    assert match is not None
    index = json.loads(match[1])
    hits = index["terms"]["membran"]
    found = {index["docnames"][hit] for hit in (hits if isinstance(hits, list) else [hits])}
    assert "docs/contract" in found
    assert "docs/tutorial" in index["docnames"]
    assert "searchindex.js" in " ".join(page(HTML / "search.html").fetched)


def test_every_page_shows_its_version() -> None:
    shown = [path for path in pages() if "docs" in path.relative_to(HTML).parts]
    assert len(shown) > 30
    for path in shown:
        assert f"Spikeloom {PROJECT['version']}" in page(path).text, path
        assert f"Version {PROJECT['version']}" in page(path).text, path


def test_pictures_are_on_their_pages() -> None:
    for name, count in (("hardware", 2), ("waveforms", 3), ("engines", 1), ("tutorial", 4)):
        fetched = page(HTML / f"docs/{name}.html").fetched
        assert len([url for url in fetched if "/_images/" in url]) == count, name
