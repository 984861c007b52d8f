"""News fragments: each has a type that the changelog knows, and a text that fits into it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEWS = ROOT / "news"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
TYPES = [kind["directory"] for kind in SETTINGS["type"]]
#: A number of an issue, or words behind a plus; then the type, and a counter if need be.
NAME = re.compile(r"(?:\d+|\+[a-z0-9-]+)\.(?P<type>[a-z]+)(?:\.\d+)?\.md")
LONGEST = 110


def fault(name: str, text: str) -> str | None:
    """Return what is wrong with a fragment, None if nothing is."""
    found = NAME.fullmatch(name)
    if found is None:
        return "its name is not NUMBER.TYPE.md or +WORDS.TYPE.md"
    if found["type"] not in TYPES:
        return f"the types are {', '.join(TYPES)}, not {found['type']}"
    if not text.strip().endswith(".") or text.lstrip().startswith(("-", "*", "#")):
        return "its text must be sentences, without a mark of a list or a heading"
    if max(map(len, text.splitlines())) > LONGEST:
        return f"a line is longer than {LONGEST} characters"
    return None


def test_every_fragment_has_a_known_type_and_a_text() -> None:
    files = [path for path in NEWS.iterdir() if path.name != "README.md"]
    faults = {path.name: fault(path.name, path.read_text(encoding="utf-8")) for path in files}
    assert {name: told for name, told in faults.items() if told} == {}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("19.fixed.md", "A defect.\n", None),
        ("+some-words.added.2.md", "Something new.\n", None),
        ("words.added.md", "Something.\n", "its name is not NUMBER.TYPE.md or +WORDS.TYPE.md"),
        ("+words.added.txt", "Something.\n", "its name is not NUMBER.TYPE.md or +WORDS.TYPE.md"),
        ("+words.feature.md", "Something.\n", f"the types are {', '.join(TYPES)}, not feature"),
        ("19.fixed.md", "- A defect.\n", "its text must be sentences, without a mark of a list or"),
        ("19.fixed.md", "", "its text must be sentences"),
        ("19.fixed.md", f"A {'long ' * 30}line.\n", "a line is longer than 110 characters"),
    ],
)
def test_faults_are_told(name: str, text: str, told: str | None) -> None:
    found = fault(name, text)
    assert found == told if told is None or found is None else found.startswith(told)


def test_the_page_explains_every_type() -> None:
    page = (NEWS / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"(?m)^\| `(\w+)` \|", page) == TYPES
    # Headings as Keep a Changelog has them.
    assert [kind["name"] for kind in SETTINGS["type"]] == [kind.capitalize() for kind in TYPES]


def test_the_changelog_has_one_place_for_what_is_new() -> None:
    lines = (ROOT / SETTINGS["filename"]).read_text(encoding="utf-8").splitlines()
    place = lines.index(SETTINGS["start_string"].strip())
    assert lines.count(lines[place]) == 1
    # Releases follow, the newest first.
    headings = [number for number, line in enumerate(lines) if line.startswith("## ")]
    assert place < min(headings)
