"""JSON in files that anybody may have written, read strictly."""

from __future__ import annotations

import json
import math
from typing import Any


def parse_json(content: bytes | str) -> Any:
    """Return the value that JSON text stands for.

    Stricter than :func:`json.loads`: a key that stands twice in one object is an error, since
    readers differ in the one they believe; and so are ``NaN`` and ``Infinity``, which are no JSON,
    and numbers as large as ``1e999``, which would be read as infinite.

    Parameters
    ----------
    content : bytes or str
        As UTF-8.

    Raises
    ------
    ValueError
        If it is no such text. Everything that can be wrong, nesting that is too deep and numbers
        that are too long included, is this error.
    """
    try:
        text = content.decode() if isinstance(content, bytes) else content
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_finite,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def _finite(digits: str) -> float:
    found = float(digits)
    if math.isinf(found):
        raise ValueError(f"the number {digits[:20]} is too large")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
