"""What builds leave in their folder for the next ones, and the removal of it.

Only what a build has made is recognised, by its name and what is in it, so that nothing else in the
folder is ever listed or removed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spikeloom.sim.building import BUILD_LOG, DESIGN_FILE, RUN
from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.locks import in_use

#: ``"design"``: generated Verilog. ``"simulator"``: a program built from it. ``"library"``: object
#: files of Verilator's library. ``"log"``: of a build that failed. ``"leftover"``: the folder of a
#: build whose process was killed.
Kind = Literal["design", "simulator", "library", "log", "leftover"]

_HASH = "[0-9a-f]{16}"


@dataclass(frozen=True)
class Kept:
    """A folder or file that a build has left.

    Parameters
    ----------
    kind : Kind
    path : Path
    size : int
        Bytes of its files.
    used : float
        Time at which it was made or last used, in seconds since 1970.
    busy : bool
        Whether a simulation runs in it now.
    """

    kind: Kind
    path: Path
    size: int
    used: float
    busy: bool

    def remove(self) -> None:
        """Remove it.

        Raises
        ------
        FileFormatError
            If it cannot be removed.
        """
        try:
            if self.path.is_dir():
                shutil.rmtree(self.path)
            else:
                self.path.unlink(missing_ok=True)
        except FileNotFoundError:  # somebody else was first
            pass
        except OSError as error:
            raise FileFormatError(f"cannot remove {self.path}: {error.strerror or error}") from None


def kept(root: Path) -> list[Kept]:
    """Return what builds have left in ``root``, the least recently used first; none without it."""
    found = []
    for path in root.iterdir() if root.is_dir() else ():
        kind = None if path.is_symlink() else _kind(path)
        if kind is not None:
            with suppress(FileNotFoundError):  # removed in the meantime
                busy = any(in_use(run) for run in path.glob(f"{RUN}*"))
                found.append(Kept(kind, path, sum(_sizes(path)), path.stat().st_mtime, busy))
    return sorted(found, key=lambda one: (one.used, one.path.name))


def _kind(path: Path) -> Kind | None:
    name = path.name
    if not path.is_dir():
        return "log" if re.fullmatch(rf".+-{_HASH}\.log", name) else None
    if re.fullmatch(rf"design-{_HASH}", name) and (path / DESIGN_FILE).is_file():
        return "design"
    if re.fullmatch(rf".+-{_HASH}", name) and (path / BUILD_LOG).is_file():
        return "simulator"
    if re.fullmatch(rf"\.runtime-{_HASH}", name):
        return "library"
    return "leftover" if name.startswith(".work-") and not in_use(path) else None


def _sizes(path: Path) -> Iterator[int]:
    if not path.is_dir():
        yield path.stat().st_size
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                yield os.lstat(os.path.join(folder, name)).st_size
