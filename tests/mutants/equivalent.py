"""Survivors that no test can kill, each with the reason."""

from __future__ import annotations

from mutants.records import Result

#: Reasons by file, function, operator and change, which stay the same when lines move.
EQUIVALENT: dict[tuple[str, str, str, str, str], str] = {}


def reason(result: Result) -> str:
    """Return why a survivor computes the same as the source, or nothing."""
    key = (result.file, result.function, result.operator, result.before, result.after)
    return EQUIVALENT.get(key, "")
