"""Tables that a command writes into a Markdown page, each between two marks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; a ``#`` before a heading aligns its column to the right."""
    lines = [
        [name.removeprefix("#") for name in header],
        ["---:" if name.startswith("#") else "---" for name in header],
        *rows,
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def replace(path: Path, name: str, text: str) -> None:
    """Put ``text`` between the marks ``<!-- name -->`` and ``<!-- /name -->``.

    Raises
    ------
    ValueError
        If the page does not have these two marks once, in this order.
    """
    before, _, after = parts(path.read_text(encoding="utf-8"), name)
    path.write_text(f"{before}\n{text}\n{after}", encoding="utf-8")


def parts(content: str, name: str) -> tuple[str, str, str]:
    """Return a page in three parts: up to the first mark, between the two, from the second on.

    Raises
    ------
    ValueError
        If the page does not have these two marks once, in this order.
    """
    first, last = re.escape(f"<!-- {name} -->"), re.escape(f"<!-- /{name} -->")
    found = re.findall(rf"\A(.*{first})\n(.*?)\n?({last}.*)\Z", content, re.DOTALL)
    if len(found) != 1 or content.count(f"<!-- {name} -->") != 1:
        raise ValueError(f"the page needs <!-- {name} --> and <!-- /{name} --> once, in this order")
    before, between, after = found[0]
    return before, between, after
