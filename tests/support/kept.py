"""A folder as builds with Verilator leave it, without their time."""

from __future__ import annotations

import os
from pathlib import Path

HASH = "0123456789abcdef"


def leave(root: Path, now: float = 5000, apart: float = 1000) -> None:
    """Leave one of each kind in ``root``, last used ``apart`` seconds one after the other.

    They have 1, 2, 30, 400 and 5000 bytes; the last was used ``now``.
    """
    files = [
        (".work-abc/half.o", 1),
        (f"harness-{HASH}.log", 2),
        (f".runtime-{HASH}/verilated.o", 30),
        (f"harness-{HASH}/build.log", 400),
        (f"design-{HASH}/accelerator.v", 5000),
    ]
    for i, (name, size) in enumerate(files):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        used = now - apart * (len(files) - 1 - i)
        os.utime(root / name.split("/")[0], (used, used))
