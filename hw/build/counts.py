"""Yosys' counts of cells, as its command ``stat -json`` writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def statistics(path: Path) -> Any:
    """Return all counts of a file: of the ``design``, and of each of its ``modules``."""
    text = path.read_text(encoding="utf-8")
    # Messages stand ahead of it.
    return json.loads(text[text.index("{") :])


def read_cells(path: Path) -> Mapping[str, int]:
    """Return the cells of the whole design by type."""
    cells = statistics(path)["design"]["num_cells_by_type"]
    return {name: int(number) for name, number in cells.items()}
