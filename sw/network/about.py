"""A network's ``about``: the plain JSON values that a file holds and returns unchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from spikeloom.sw.errors import ContractError

#: Most characters of ``about`` as JSON, and most levels of objects and lists in it.
MAX_ABOUT, MAX_DEPTH = 1 << 20, 100


def plain_json(about: Any) -> dict[str, Any]:
    """Return a copy of ``about`` in plain JSON values, which a file returns unchanged."""
    if not isinstance(about, Mapping) or not all(isinstance(key, str) for key in about):
        raise ContractError(f"about must be a mapping from strings to JSON values, not {about!r}")
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(about), allow_nan=False, sort_keys=True))
    except (TypeError, ValueError, RecursionError) as error:
        raise ContractError(
            f"about must hold JSON values only (no NaN, arrays or objects): {error}"
        ) from None
    if len(json.dumps(copy)) > MAX_ABOUT or _depth(copy) > MAX_DEPTH:
        raise ContractError(
            f"about must have at most {MAX_ABOUT:,} characters as JSON, and at most {MAX_DEPTH} "
            f"levels"
        )
    return copy


def _depth(value: Any) -> int:
    """Return the number of levels of objects and lists."""
    levels, inner = 0, [value]
    while inner := [x for x in inner if isinstance(x, dict | list)]:
        levels += 1
        inner = [y for x in inner for y in (x.values() if isinstance(x, dict) else x)]
    return levels
