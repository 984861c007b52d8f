"""Readers that return every kind of value, refuse, crash, and hang."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.sw.errors import DataError

TREE: dict[str, Any] = {
    "number": 3,
    "none": None,
    "inner": {"array": np.arange(6, dtype=">i4").reshape(2, 3), "a/b": "text", "": {}},
    "texts": np.array([["a", "é\n"], ["", "b"]], object),
    "scalar": np.float32(1.5),
    "true": np.array(True),
}


def tree(path: Path) -> dict[str, Any]:
    return TREE | {"content": path.read_text()}


def refuses(path: Path) -> None:
    raise DataError(f"{path.name} is not liked")


def crashes(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hangs(path: Path) -> None:
    while True:
        pass
