"""The examples of docs/contract.md, run as doctests."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "contract.md"
_FENCED = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples_only(text: str) -> str:
    """Replace all text but the fenced examples by empty lines; line numbers stay the page's."""
    kept, end = [], 0
    for block in _FENCED.finditer(text):
        kept += ["\n" * text.count("\n", end, block.start(1)), block[1]]
        end = block.end(1)
    return "".join(kept)


def test_every_example_on_the_page_is_right() -> None:
    text = PAGE.read_text(encoding="utf-8")
    source = examples_only(text)
    test = doctest.DocTestParser().get_doctest(source, {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) == text.count("\n>>> ")
    assert len(test.examples) > 60
    report: list[str] = []
    failed, _ = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert failed == 0, "".join(report)
